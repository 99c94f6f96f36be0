"""Output formats: what a code costs under each tokenizer, and how replies in each format fared.

    python -m jobs.invert ablate --inputs items.jsonl --tokenizers bytes,HuggingFaceTB/SmolLM2-135M-Instruct
    python -m jobs.invert ablate --inputs items.jsonl --replies log.jsonl --prompts prompts.jsonl

Replies come from prompts made with `invert prompts --formats ...`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from jobs.invert.shared import ALGORITHMS, algorithm_names, limited_items, required, scores_of, words
from ktray.config import option
from ktray.inversion.ablation import format_accuracy, format_tokens
from ktray.inversion.formats import formats
from ktray.inversion.reports import plot_formats
from ktray.inversion.tokens import token_counter
from ktray.job import console, launch
from ktray.rundir import write_json


@dataclass(frozen=True)
class Config:
    """Which formats and tokenizers, over which inputs."""

    inputs: Path | None = option(None, "inputs file: ours, or a published one")
    algorithms: str = option(ALGORITHMS, "comma-separated algorithms")
    formats: str = option(",".join(formats()), "comma-separated output formats")
    tokenizers: str = option("bytes", "comma-separated: bytes, or model folders or hub names")
    replies: Path | None = option(None, "replies to prompts in these formats (optional)")
    prompts: Path | None = option(None, "prompts file of a reply log")
    limit: int | None = option(None, "only the first so many inputs")
    out: Path | None = option(None, "JSON file to write the tables to")
    plot: Path | None = option(None, "image of tokens and accuracy by format (needs matplotlib)")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Return the tables."""
    items = limited_items(required(config.inputs, "inputs", "inputs file"), config.limit)
    names, format_names = algorithm_names(config.algorithms), words(config.formats)
    counters = [token_counter(name) for name in words(config.tokenizers)]
    tokens = format_tokens(items, names, format_names, counters)
    scores = scores_of(config.replies, config.prompts) if config.replies else ()
    accuracy = format_accuracy(scores)
    metrics = {
        "tokens": [asdict(row) for row in tokens],
        "accuracy": [{**asdict(row), "accuracy": row.accuracy} for row in accuracy],
    }
    if config.out:
        write_json(config.out, metrics)
    if config.plot:
        config.plot.parent.mkdir(parents=True, exist_ok=True)
        plot_formats(config.plot, metrics["tokens"], metrics["accuracy"])
    for rows in metrics.values():
        if rows:
            console.print(_table(rows))
    return metrics


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()))
    return table


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert ablate", description=__doc__ or "", argv=argv)
