"""Tables, CSV and plots from scored runs; two runs compared over the prompts both answered.

    python -m jobs.invert report --metrics a/metrics.json,b/metrics.json --out runs/invert/report
    python -m jobs.invert report --metrics a/metrics.json --compare a.jsonl,b.jsonl --prompts prompts.jsonl

The comparison is paired: prompts that only one run answered are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.invert.shared import required, scores_of, words
from ktray.config import option
from ktray.errors import ConfigError
from ktray.inversion.reports import as_csv, as_markdown, plot_pass_at_k, read_summary, table_rows, write_text
from ktray.inversion.summary import compare_groups, comparison_json
from ktray.job import console, launch
from ktray.studies.bootstrap import Bootstrap


@dataclass(frozen=True)
class Config:
    """Which runs, and where the report goes."""

    metrics: str = option("", "comma-separated metrics.json files of invert score; NAME=FILE names a run")
    out: Path | None = option(None, "folder for report.md, report.csv and pass_at_k.png")
    compare: str = option("", "two replies files to compare, separated by a comma")
    prompts: Path | None = option(None, "prompts file of the compared reply logs")
    plots: bool = option(True, "draw plots (needs matplotlib)")
    seed: int = option(0, "seed of the bootstrap")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Write the report and return its tables."""
    out = required(config.out, "out", "output folder")
    if not config.metrics:
        raise ConfigError("no runs given; name their metrics.json files with --metrics")
    summaries = dict(_named(word) for word in words(config.metrics))
    rows = table_rows(summaries)
    comparisons = _compared(config) if config.compare else {}
    write_text(out / "report.md", as_markdown(rows, comparisons))
    write_text(out / "report.csv", as_csv(rows))
    if config.plots:
        plot_pass_at_k(out / "pass_at_k.png", summaries)
    console.print(f"report of {len(summaries)} runs in {out}")
    return {"runs": list(summaries), "rows": len(rows), "comparisons": comparisons, "out": str(out)}


def _named(word: str) -> tuple[str, dict[str, Any]]:
    name, equals, path = word.partition("=")
    file = Path(path if equals else word)
    return (name if equals else file.parent.name or file.stem), read_summary(file)


def _compared(config: Config) -> dict[str, Any]:
    """Return the paired comparisons of the two named runs: all prompts, and each algorithm and task."""
    files = words(config.compare)
    if len(files) != 2:
        raise ConfigError(f"--compare names {len(files)} files; expected two, separated by a comma")
    a, b = (scores_of(Path(f), config.prompts) for f in files)
    found = compare_groups(a, b, Bootstrap(seed=config.seed))
    return {name: comparison_json(each) for name, each in found.items()}


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert report", description=__doc__ or "", argv=argv)
