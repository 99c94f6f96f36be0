"""Draw program-sequence pairs from the DSL, each sequence once with its shortest program.

    python -m jobs.generate --size 1000000seq --out pairs --seed 1 --exclude published.jsonl.gz
    python -m jobs.generate --size 1MB --preset natural --sampler.interleave 0.3 --format jsonl --stats
    python -m jobs.generate --config configs/generate/smoke.yaml

The default preset is the published sampler. The same flags give the same files on any number of workers;
files that are there already are kept.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from actors.generate import survey_on_ray, write_on_ray
from actors.runtime import running
from ktray.config import nearest, option, to_yaml
from ktray.corpora.pairs import FORMATS, ShardFile, Survey, choose, read_pairs, sequence_hash
from ktray.corpora.pairstats import PairStats, pair_stats
from ktray.corpora.selection import Limit, parse_limit
from ktray.corpora.synthetic import PRESETS, PUBLISHED, SamplerSettings, preset
from ktray.errors import ConfigError
from ktray.job import console, launch
from ktray.progress import progress
from ktray.proposers.replay import read_lines, sequence_values
from ktray.rundir import RunDirectory

#: Elements of an average pair, to guess how many shards a size in bytes takes; the set does not depend on it.
_TYPICAL_ELEMENTS = 75
#: Rounds of drawing before giving up on new sequences.
_ROUNDS = 100


@dataclass(frozen=True)
class Config:
    """What to draw, how much of it, and how it is written."""

    out: Path | None = option(None, "folder of the set (default: runs/generate-PRESET-SEED)")
    size: str = option("1MB", "how much: 1MB (bytes of sequences) or 1000seq (pairs)")
    preset: str = option("published", f"starting point of the settings: {', '.join(PRESETS)}")
    sampler: SamplerSettings = option(
        PUBLISHED, "settings that differ from the published override the preset"
    )
    seed: int = option(0, "seed of the set; each shard has its own stream")
    shard: int = option(10_000, "draws a file; part of what the set is")
    exclude: Path | None = option(None, "JSONL (plain or .gz) whose sequences must not be drawn")
    format: str = option("parquet", "comma-separated: parquet, jsonl")
    feedback: bool = option(False, "end each line of a program with a comment that tells its values")
    stats: bool = option(
        False, "also measure the set: histograms, operations, rates under every prior, plots"
    )
    workers: int = option(0, "CPUs to work on (0: all of the cluster)")
    json: bool = option(False, "print metrics.json's content as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Draw the set, write its files and metrics.json, and return the metrics."""
    started = time.monotonic()
    settings, limit, formats = sampler_settings(config), parse_limit(config.size, "--size"), _formats(config)
    if config.shard < 1 or config.seed < 0:
        raise ConfigError(f"--shard {config.shard}, --seed {config.seed}: expected 1 or more, and 0 or more")
    # Workers of a cluster that was joined stand in folders of their own.
    out = (config.out or Path("runs") / f"generate-{config.preset}-{config.seed}").resolve()
    excluded = excluded_hashes(config.exclude)
    directory = RunDirectory(out, _fingerprint(config, settings, excluded))
    directory.save_config(to_yaml(config), config.seed)
    with running(config.workers) as cpus:
        workers = config.workers or cpus
        kept, surveys = _draw(config, settings, limit, excluded, workers)
        files = _files(config, settings, out, formats, kept)
        _write(files, workers)
    metrics = _metrics(kept, surveys) | {"files": len(files), "seconds": time.monotonic() - started}
    if config.stats:
        metrics["stats"] = _measure(out).to_json()
    directory.save_metrics(metrics)
    console.print(f"{metrics['pairs']:,} pairs of {metrics['draws']:,} draws in {out}")
    return metrics


def sampler_settings(config: Config) -> SamplerSettings:
    """Return the preset's settings, with those of `config.sampler` that are not the published ones."""
    given = {f.name: getattr(config.sampler, f.name) for f in fields(SamplerSettings)}
    changed = {name: value for name, value in given.items() if value != getattr(PUBLISHED, name)}
    return replace(preset(config.preset), **changed)


def excluded_hashes(path: Path | None) -> NDArray[np.uint64]:
    """Return the sorted hashes of a file's sequences. Raises CorpusError for a line that is none."""
    if path is None:
        return np.zeros(0, np.uint64)
    lines = read_lines(path)
    hashes = {sequence_hash(sequence_values(row, f"{path} line {n}").tobytes()) for n, row in lines}
    return np.array(sorted(hashes), np.uint64)


def _formats(config: Config) -> list[str]:
    names = [name.strip() for name in config.format.split(",") if name.strip()]
    for name in names:
        if name not in FORMATS:
            raise ConfigError(f"unknown --format {name!r}{nearest(name, FORMATS)}")
    if not names:
        raise ConfigError(f"--format is empty; expected one or more of {', '.join(FORMATS)}")
    return names


def _fingerprint(config: Config, settings: SamplerSettings, excluded: NDArray[np.uint64]) -> dict[str, Any]:
    sampler = {f.name: getattr(settings, f.name) for f in fields(settings)}
    return {
        "job": "generate",
        "sampler": sampler,
        "seed": config.seed,
        "shard": config.shard,
        "size": config.size,
        "feedback": config.feedback,
        "excluded": f"{len(excluded)}:{sequence_hash(excluded.tobytes()):016x}",
    }


def _draw(
    config: Config, settings: SamplerSettings, limit: Limit, excluded: NDArray[np.uint64], workers: int
) -> tuple[list[NDArray[np.bool_]], list[Survey]]:
    """Survey shards until the set is full; return which pairs of each shard belong to it."""
    most, most_elements = limit.sequences, limit.elements(8)
    surveys: list[Survey] = []
    missing = most or -(-(most_elements or 0) // _TYPICAL_ELEMENTS)
    for _ in range(_ROUNDS):
        shards = range(len(surveys), len(surveys) + max(1, -(-missing // config.shard)))
        with progress(console, "drawing", len(shards), "shards") as advance:
            for found in survey_on_ray(settings, config.seed, shards, config.shard, workers):
                surveys.append(found)
                advance(1, "")
        kept = choose(surveys, excluded, most, most_elements)
        pairs = sum(int(k.sum()) for k in kept)
        elements = sum(int(s.elements[k].sum()) for s, k in zip(surveys, kept, strict=True))
        if pairs >= (most or 0) and elements >= (most_elements or 0):
            return kept, surveys
        missing = most - pairs if most else -(-((most_elements or 0) - elements) // _TYPICAL_ELEMENTS)
    raise ConfigError(f"--size {config.size}: these settings do not give as many different sequences")


def _files(
    config: Config,
    settings: SamplerSettings,
    out: Path,
    formats: Sequence[str],
    kept: list[NDArray[np.bool_]],
) -> list[tuple[ShardFile, NDArray[np.bool_]]]:
    return [
        (ShardFile(out / f"pairs-{i:05d}.{name}", settings, config.seed, i, config.feedback), mask)
        for i, mask in enumerate(kept)
        if mask.any()
        for name in formats
    ]


def _write(files: list[tuple[ShardFile, NDArray[np.bool_]]], workers: int) -> None:
    """Write the files that are not there."""
    todo = [item for item in files if not item[0].path.exists()]
    with progress(console, "writing", len(todo), "files") as advance:
        for pairs in write_on_ray(todo, workers):
            advance(1, f"{pairs:,} pairs")


def _metrics(kept: list[NDArray[np.bool_]], surveys: list[Survey]) -> dict[str, Any]:
    lengths = np.concatenate([s.elements[k] for s, k in zip(surveys, kept, strict=True)])
    return {
        "pairs": len(lengths),
        "elements": int(lengths.sum()),
        "draws": sum(map(len, surveys)),
        "mean_length": float(lengths.mean()) if len(lengths) else 0.0,
        "sd_length": float(lengths.std()) if len(lengths) else 0.0,
    }


def _measure(out: Path) -> PairStats:
    """Measure the set, plot it to pairs.png, and print its rates."""
    from ktray.report.pairs import plot_pairs

    with console.status("measuring"):
        stats = pair_stats(pair for pair in read_pairs(out, _one_format(out)))
    plot_pairs(out / "pairs.png", stats)
    table = Table(title=f"Rates of the first {stats.rated:,} pairs")
    for column in ("", "paper", "archive"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("gzip -9", "", f"{stats.gzip:.4f}")
    table.add_row("xz -9e", "", f"{stats.xz:.4f}")
    for prior in stats.paper:
        table.add_row(f"gold, {prior}", f"{stats.paper[prior]:.4f}", f"{stats.archive[prior]:.4f}")
    console.print(table)
    return stats


def _one_format(out: Path) -> str:
    """Return the format to read a set back from: Parquet where it has it."""
    return "parquet" if any(out.glob("pairs-*.parquet")) else "jsonl"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line and return its exit code."""
    return launch(Config, run, prog="python -m jobs.generate", description=__doc__ or "", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
