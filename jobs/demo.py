"""The first command of a newcomer: compress the sample corpus, restore it, compare, and show the rates.

    python -m jobs.demo --config configs/demo/default.yaml

It runs `jobs.compress` and `jobs.decompress` as anybody would, and prints their commands.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ktray.config import option
from ktray.corpora import open_corpus, restore
from ktray.errors import ConfigError, PipelineError
from ktray.job import console, launch
from ktray.peers import peer
from ktray.rundir import write_json

#: What the sample's parts are compared with: the element bytes of a part, at the strongest usual setting.
_PEERS = tuple(peer(name) for name in ("gzip", "xz", "zstd"))
_TITLES = tuple(each.title for each in _PEERS)


@dataclass(frozen=True)
class Config:
    """What to compress and where the results go."""

    corpus: str = option("sample", "the corpus: sample, or any that needs no input")
    folder: Path = option(Path("runs/demo"), "folder of the archive, the restored bytes and the run")
    compress_config: Path = option(Path("configs/compress/demo.yaml"), "config of the compress job")
    limit: str | None = option(None, "only the first so much of the corpus: 64KB or 100seq")
    svg: Path | None = option(None, "also save the table as an SVG picture")
    json: bool = option(False, "print the metrics as the last line of standard output")


@dataclass(frozen=True, slots=True)
class Part:
    """One modality of the corpus: its element bytes, the bits they count for, and its restored bytes."""

    values: bytes
    input_bits: int
    restored: bytes


def run(config: Config) -> dict[str, Any]:
    """Compress, restore, compare; print the table and return the figures by part."""
    archive, restored = config.folder / f"{config.corpus}.kt", config.folder / f"{config.corpus}.restored"
    config.folder.mkdir(parents=True, exist_ok=True)
    what = ["--config", str(config.compress_config), "--corpus", config.corpus]
    what += ["--limit", config.limit] if config.limit else []
    where = ["--out", str(archive), "--run", str(config.folder / _run_name(config)), "--json"]
    compressed = _job("compress", [*what, *where])
    decompressed = _job("decompress", [str(archive), "--out", str(restored), "--json"])
    parts = _parts(config)
    same = _compare(restored.read_bytes(), parts)
    identical = all(same.values())
    rows = {name: _rates(part, compressed, name) for name, part in parts.items()}
    _show(config, rows, compressed, same)
    if not identical:
        raise PipelineError(f"{restored} differs from the corpus; keep {archive} and report this")
    metrics = {"parts": rows, "archive_rate": compressed["archive_rate"], "sha256": decompressed["sha256"]}
    write_json(config.folder / "metrics.json", {**metrics, "identical": identical})
    return {**metrics, "identical": identical}


def _run_name(config: Config) -> str:
    """Return a name of the run's folder that changes with what the run depends on, so that `make run` works after
    a change of the configs too, and the same run goes on where it was stopped."""
    settings = config.compress_config.read_bytes() if config.compress_config.is_file() else b""
    what = f"{config.corpus} {config.limit} ".encode() + settings
    return "run-" + hashlib.blake2b(what, digest_size=4).hexdigest()


def _job(name: str, arguments: list[str]) -> dict[str, Any]:
    """Run a job as a command and return what it printed with --json."""
    command = [sys.executable, "-m", f"jobs.{name}", *arguments]
    console.print(f"$ python -m jobs.{name} {shlex.join(arguments)}", style="bold", highlight=False)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == ConfigError.exit_code:
        raise ConfigError(f"jobs.{name} refused its input; its message stands above")
    if done.returncode:
        raise PipelineError(f"jobs.{name} ended with exit code {done.returncode}; its message stands above")
    metrics: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return metrics


def _parts(config: Config) -> dict[str, Part]:
    """Return the corpus's parts in order, read again from the source."""
    parts: dict[str, Part] = {}
    for block in open_corpus(config.corpus, None, limit=config.limit).blocks(128, 16_000_000):
        name = block.part or config.corpus
        old = parts.get(name, Part(b"", 0, b""))
        content = restore(block.kind, block.values, block.lengths, block.side)
        bits = len(block.values) * block.element_bits
        parts[name] = Part(old.values + block.values.tobytes(), old.input_bits + bits, old.restored + content)
    return parts


def _compare(restored: bytes, parts: dict[str, Part]) -> dict[str, bool]:
    """Return, for each part, whether its stretch of the restored bytes is the corpus's; the last part's
    stretch goes to the end."""
    same, at = {}, 0
    for i, (name, part) in enumerate(parts.items(), 1):
        end = at + len(part.restored) if i < len(parts) else len(restored)
        same[name] = restored[at:end] == part.restored
        at = end
    return same


def _rates(part: Part, compressed: dict[str, Any], name: str) -> dict[str, float]:
    own = compressed["parts"].get(name, compressed)
    peers = {each.title: 8 * len(each.compress(part.values)) / part.input_bits for each in _PEERS}
    counts = {"elements": len(part.values), "programs": own["correct_programs"]}
    return {**counts, "ktray": own["archive_rate"], **peers}


def _show(
    config: Config, rows: dict[str, dict[str, float]], compressed: dict[str, Any], same: dict[str, bool]
) -> None:
    table = Table(title=f"ktray on the {config.corpus} corpus: bits stored / bits of input")
    for column in ("part", "elements", "programs", "ktray", *_TITLES, "restored"):
        table.add_column(column, justify="left" if column in {"part", "restored"} else "right")
    verdict = {True: "identical", False: "DIFFERENT"}
    for name, row in rows.items():
        rates = [f"{row[column]:.4f}" for column in ("ktray", *_TITLES)]
        table.add_row(name, f"{row['elements']:,}", f"{row['programs']:,}", *rates, verdict[same[name]])
    table.add_section()
    counts = [f"{compressed[name]:,}" for name in ("elements", "correct_programs")]
    rates = [f"{compressed['archive_rate']:.4f}", *[""] * len(_TITLES)]
    table.add_row("whole archive", *counts, *rates, verdict[all(same.values())])
    out = Console(record=True, width=110)
    out.print(table)
    if config.svg:
        out.save_svg(str(config.svg), title="make run")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line and return its exit code."""
    return launch(Config, run, prog="python -m jobs.demo", description=__doc__ or "", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
