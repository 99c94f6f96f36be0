"""Restore a `.kt` archive, whole or a range of it, or list what it holds.

    python -m jobs.decompress data.kt --out data.bin
    python -m jobs.decompress data.kt --out part.bin --range 1000:2000
    python -m jobs.decompress --list data.kt
    python -m jobs.decompress data.kt --explain 17
    python -m jobs.decompress --config configs/decompress/smoke.yaml

The archive is verified first: a damaged one is refused, and no output is written.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from rich.console import Console

from actors.decode import decode_on_ray
from actors.runtime import running
from ktray.archive import ArchiveReader, Span, decode_in_process, restore_file
from ktray.archive.listing import Listing, list_archive
from ktray.archive.reader import DecodeBlocks
from ktray.archive.running import ArchivePrograms
from ktray.config import option, to_yaml
from ktray.corpora.audio import KINDS, MFCC_NOTE, write_wavs
from ktray.dsl.interpreter import DslExecutor
from ktray.errors import ArchiveError, ConfigError, ProgramError
from ktray.job import console, launch
from ktray.ports import Prior
from ktray.priors import make_prior
from ktray.progress import progress
from ktray.rundir import RunDirectory
from ktray.sandbox import Sandbox, SandboxLimits, check_isolation

#: A program that ran within the limits when it was archived must do so on a slower machine, too.
_DECODER_LIMITS = SandboxLimits(seconds=60.0, memory_mb=1024, elements=1 << 24, source_bytes=1 << 24)

#: Below so many elements, decoding in this process is done before Ray is up.
_WORTH_RAY = 1 << 22


@dataclass(frozen=True)
class Config:
    """What to restore, and where to."""

    archive: Path | None = option(None, "the .kt archive", positional=True)
    out: Path | None = option(None, "file to restore to; it appears only when everything was right")
    range: str | None = option(
        None, "only START:END (END excluded) of what is restored: bytes; sequences where it holds sequences"
    )
    list: bool = option(False, "print header, blocks and counts instead of restoring")
    explain: int | None = option(
        None, "print the program of this sequence (from 0) line by line, with the bits of each part"
    )
    wav: Path | None = option(None, "folder to write an audio16 corpus's files to, as WAV")
    run: Path | None = option(None, "run directory for config and metrics.json (default: none)")
    sandbox: SandboxLimits = option(_DECODER_LIMITS, "limits of the Python programs in the archive")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Restore or list; return the metrics, or with `list` the listing."""
    started = time.monotonic()
    path = _checked(config)
    directory = RunDirectory(config.run, {"archive": path.name}) if config.run else None
    with ArchiveReader(path) as reader:
        if config.explain is not None:
            metrics = _explained(reader, config)
        else:
            metrics = _listed(reader, config) if config.list else _restored(reader, config, started)
    if directory:
        directory.save_config(to_yaml(config), seed=0)
        directory.save_metrics(metrics)
    return metrics


def _checked(config: Config) -> Path:
    if config.archive is None:
        raise ConfigError("no archive given; name one: python -m jobs.decompress data.kt --out data.bin")
    if config.explain is not None and (config.out or config.wav or config.list):
        raise ConfigError("--explain only explains; leave it out to restore or list")
    if not (config.out or config.wav or config.list or config.explain is not None):
        raise ConfigError("nowhere to restore to; give --out FILE, or --list to see what the archive holds")
    if config.list and (config.out or config.wav):
        raise ConfigError("--list only lists; leave it out to restore, or leave out --out and --wav")
    if config.range is not None and config.out is None:
        raise ConfigError("--range needs a file to restore to; give --out FILE")
    check_isolation(config.sandbox)
    return config.archive


def _listed(reader: ArchiveReader, config: Config) -> dict[str, Any]:
    listing = list_archive(reader)
    if not config.json:
        show(listing)
    return listing.to_json()


def _explained(reader: ArchiveReader, config: Config) -> dict[str, Any]:
    """Print a sequence's program with its bits, as prior `adaptive` codes it first in a block."""
    from ktray.priors.adaptive.explain import explain, rendered  # compiled code that restoring may not need

    number = config.explain or 0
    ends = list(accumulate(info.sequences for info in reader.blocks))
    if not 0 <= number < (ends[-1] if ends else 0):
        raise ConfigError(
            f"--explain {number}: the archive holds sequences 0 to {ends[-1] - 1 if ends else -1}"
        )
    block = bisect_right(ends, number)
    settings = prior_settings(reader)
    with ArchivePrograms(DslExecutor(clock=None), lambda: Sandbox(config.sandbox)) as programs:
        decode = decode_in_process(lambda name: make_prior(name, **settings), programs)
        (decoded,) = reader.iter_blocks(decode, range(block, block + 1))
    entry = decoded.entries[number - (ends[block - 1] if block else 0)]
    told: dict[str, Any] = {"sequence": number, "elements": len(entry.values), "lines": []}
    if entry.program is None:
        _say(f"sequence {number} is a literal of {len(entry.values)} elements")
        return told
    try:
        lines = explain(entry.program)
    except ProgramError as error:
        price = float(make_prior(decoded.prior, **settings).prices([entry.program])[0])
        _say(f"{entry.program.text}\n{price:.2f} bits together ({error})")
        return told | {"program": entry.program.text, "bits": price}
    _say(rendered(lines))
    return told | {"lines": [asdict(line) for line in lines], "bits": sum(line.bits for line in lines)}


def show(listing: Listing) -> None:
    """Print a listing to standard output; off a terminal its lines are as long as they need to be."""
    out = Console()
    if not out.is_terminal:
        out = Console(width=240)
    out.print(listing.render())


def _restored(reader: ArchiveReader, config: Config, started: float) -> dict[str, Any]:
    span = Span.parse(config.range) if config.range is not None else None
    metrics: dict[str, Any] = {}
    with decoder(reader, config.sandbox) as decode:
        if config.out is not None:
            total = reader.totals.restored_bytes if span is None else None
            with progress(console, "restoring", total, "bytes") as advance:
                restored = restore_file(reader, config.out, decode, span, lambda n: advance(n, ""))
            metrics |= asdict(restored)
        if config.wav is not None:
            metrics["wav"] = _write_wavs(reader, config.wav, decode)
    metrics["seconds"] = time.monotonic() - started
    if config.out is not None:
        _say(f"restored {metrics['bytes']:,} bytes to {config.out}, sha256 {metrics['sha256']}")
        if any(info.kind == KINDS["mfcc"] for info in reader.blocks):
            _say(MFCC_NOTE)
    return metrics


@contextmanager
def decoder(reader: ArchiveReader, limits: SandboxLimits) -> Iterator[DecodeBlocks]:
    """Yield what decodes the blocks of `reader`, with its programs' processes, which end with the context:
    on Ray where there are several blocks and work enough to pay for starting it."""
    settings = prior_settings(reader)
    if len(reader.blocks) > 1 and sum(info.elements for info in reader.blocks) >= _WORTH_RAY:
        with running() as cpus:
            yield decode_on_ray(settings, limits, max(1, min(cpus, len(reader.blocks))))
        return

    @cache
    def prior(name: str) -> Prior:
        return make_prior(name, **settings)

    with ArchivePrograms(DslExecutor(clock=None), lambda: Sandbox(limits)) as programs:
        yield decode_in_process(prior, programs)


def prior_settings(reader: ArchiveReader) -> dict[str, Any]:
    """Return the settings that the header has for its prior. Raises ArchiveError where they are no mapping."""
    settings = reader.settings.get("prior_settings", {})
    if not isinstance(settings, dict):
        raise ArchiveError(f"{reader.path}: its prior_settings are no mapping; compress again")
    return settings


def _write_wavs(reader: ArchiveReader, folder: Path, decode: DecodeBlocks) -> list[str]:
    """Write the audio16 files of the archive into `folder`; return their paths."""
    kind = KINDS["audio16"]
    which = [i for i, info in enumerate(reader.blocks) if info.kind == kind]
    if not which:
        raise ConfigError(f"{reader.path} holds no audio16, which --wav writes; leave --wav out")
    reader.verify()
    with progress(console, "writing WAV", len(which), "blocks") as advance:
        paths = write_wavs(folder, _pcm(reader, which, decode, lambda: advance(1, "")))
    _say(f"wrote {len(paths):,} WAV files to {folder}")
    return [str(path) for path in paths]


def _pcm(
    reader: ArchiveReader, which: Sequence[int], decode: DecodeBlocks, done: Callable[[], None]
) -> Iterator[tuple[bytes, bytes]]:
    for i in which:
        for decoded in reader.iter_blocks(decode, range(i, i + 1)):
            yield decoded.restored, decoded.block.side
        done()


def _say(line: str) -> None:
    console.print(line, soft_wrap=True, markup=False, highlight=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line and return its exit code."""
    return launch(Config, run, prog="python -m jobs.decompress", description=__doc__ or "", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
