"""Measure what the benchmark stands on: published outputs, decoding, blinded programs, formats.

    python -m jobs.invert check --inputs rtce/lzw.jsonl --algorithms lzw
    python -m jobs.invert check --inputs runs/invert/data/items.jsonl

A published file is compared with the algorithm it names (`ae` files with `ae_float`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from jobs.invert.shared import algorithm_names, limited_items, required
from ktray.config import option
from ktray.inversion.algorithms import algorithms
from ktray.inversion.checking import AlgorithmCheck, check_algorithm
from ktray.job import console, launch


@dataclass(frozen=True)
class Config:
    """What to check."""

    inputs: Path | None = option(None, "inputs file: ours, or a published one")
    algorithms: str = option(",".join(algorithms()), "comma-separated algorithms")
    limit: int | None = option(None, "only the first so many inputs")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Return how many inputs every check holds for, by algorithm."""
    items = limited_items(required(config.inputs, "inputs", "inputs file"), config.limit)
    checks = [check_algorithm(name, items) for name in algorithm_names(config.algorithms)]
    console.print(_table(checks))
    return {"inputs": len(items), "algorithms": {c.algorithm: asdict(c) for c in checks}}


def _table(checks: Sequence[AlgorithmCheck]) -> Table:
    """Return the checks with the worst blinding level and the worst format of each algorithm."""
    table = Table("", "published equal", "decodes", "published decodes", "blinded equal", "formats")
    for check in checks:
        table.add_row(
            check.algorithm,
            f"{check.reproduced}/{check.published}" if check.published else "",
            f"{check.decoded}/{check.n}",
            f"{check.published_decoded}/{check.published}" if check.published else "",
            f"{min(check.blinded.values())}/{check.n}",
            f"{len(check.formats)}: {min(check.formats.values())}/{check.n}",
        )
    return table


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert check", description=__doc__ or "", argv=argv)
