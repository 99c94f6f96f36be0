"""Score replies: outcome classes, unbiased pass@k with intervals, consistency, round trips, breakdowns.

    python -m jobs.invert score --replies replies.jsonl --json
    python -m jobs.invert score --replies log.jsonl --prompts prompts.jsonl --run runs/invert/score

A line of external replies has `algorithm`, `task`, `input` (always the plain text) and `reply`; it may
have `category`, `blinding`, `format`, `finish_reason` and `tokens`. Any number of lines a prompt. Floats
for arithmetic coding, as published, are algorithm `ae_float`; `ae` is the exact bit string.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from jobs.invert.shared import required, scores_of
from ktray.commit import committed
from ktray.config import option, to_yaml
from ktray.inversion.scoring import ScoredReply
from ktray.inversion.summary import as_json, summarize
from ktray.job import console, launch
from ktray.progress import progress
from ktray.rundir import RunDirectory
from ktray.studies.bootstrap import Bootstrap


@dataclass(frozen=True)
class Config:
    """What to score."""

    replies: Path | None = option(None, "replies: external lines, or a reply log with its --prompts")
    prompts: Path | None = option(None, "prompts file of a reply log")
    published: bool = option(False, "also report the published rules: float tolerance, any of the first k")
    resamples: int = option(1000, "bootstrap resamples of prompts for the intervals")
    confidence: float = option(0.95, "confidence of the intervals")
    seed: int = option(0, "seed of the bootstrap")
    rows: Path | None = option(None, "file to write every reply's score to (JSON lines)")
    run: Path | None = option(None, "run directory for metrics.json and the config")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Score, and return the metrics."""
    bootstrap = Bootstrap(config.resamples, config.confidence, config.seed)
    replies = required(config.replies, "replies", "replies file")
    with progress(console, "scoring", None, "replies") as advance:
        scores = []
        for score in scores_of(replies, config.prompts):
            scores.append(score)
            advance(1, "")
    metrics = as_json(summarize(scores, bootstrap, config.published))
    if config.rows:
        _write_rows(config.rows, scores)
    if config.run:
        directory = RunDirectory(config.run, {"replies": str(replies.resolve())})
        directory.save_config(to_yaml(config), config.seed)
        directory.save_metrics(metrics)
    console.print(summary_table(metrics))
    return metrics


_SHORT = {
    "forward": "forward", "inverse": "inverse",
    "forward_given_decoder": "forward | decoder", "inverse_given_encoder": "inverse | encoder",
}  # fmt: skip
_HEADS = {
    "correct": "right", "wrong_value": "value", "wrong_type": "type",
    "unparsable": "parse", "no_answer": "none", "truncated": "cut",
}  # fmt: skip


def summary_table(metrics: dict[str, Any]) -> Table:
    """Return outcomes and accuracy by algorithm and task, narrow enough for 80 columns."""
    table = Table("", "n", "accuracy", *_HEADS.values(), box=SIMPLE, padding=(0, 1, 0, 0))
    groups = {"all": metrics, **metrics["breakdowns"]["algorithm_task"]}
    for name, group in groups.items():
        algorithm, _, task = name.partition("/")
        cells = [str(group["outcomes"][o]) for o in _HEADS]
        table.add_row(
            f"{algorithm} {_SHORT.get(task, '')}", str(group["n"]), f"{group['accuracy']:.4f}", *cells
        )
    return table


def _write_rows(path: Path, scores: Sequence[ScoredReply]) -> None:
    with committed(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in _rows(scores))


def _rows(scores: Sequence[ScoredReply]) -> Iterator[dict[str, Any]]:
    for score in scores:
        row = asdict(score)
        yield {**row.pop("question"), **row}


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert score", description=__doc__ or "", argv=argv)
