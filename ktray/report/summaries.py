"""What a job found, as a small table for people; made of its metrics alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE
from rich.filesize import decimal
from rich.table import Table

Metrics = Mapping[str, Any]


def compress_summary(metrics: Metrics) -> Table:
    """Return the result of `jobs.compress`: the archive, part by part where there are several, and both ledgers."""
    table = Table("", "sequences", "elements", "programs", "input", "stored", "rate", box=SIMPLE)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, part in metrics["parts"].items():
        table.add_row(name, *_sizes(part, part["stored_bits"]))
    table.add_row(metrics["archive_path"], *_sizes(metrics, 8 * metrics["archive_bytes"]), style="bold")
    paper = metrics["paper"]
    table.caption = (
        f"archive ledger above; paper ledger: Accuracy {_rate(paper['accuracy'])}, "
        f"CompressionRate {_rate(paper['compression_rate'])}, Precision {_rate(paper['precision'])}\n"
        f"{metrics['seconds']:,.1f} s, candidates and metrics in {metrics['run']}"
    )
    table.caption_justify = "left"
    return table


def sample_summary(metrics: Metrics) -> Table:
    """Return the result of `jobs.sample`: each series of the log, and what this call drew."""
    table = Table("model", "prompt", "temperature", "samples", "correct", "errors", "tokens", box=SIMPLE)
    for column in table.columns[2:]:
        column.justify = "right"
    for series in metrics["series"]:
        verified = series["samples"] - series["unverified"]
        correct = series["outcomes"].get("correct", 0)
        table.add_row(
            series["model"],
            series["prompt"],
            f"{series['temperature']:g}",
            f"{series['samples']:,}",
            f"{correct:,} ({correct / verified:.1%})" if verified else "not verified",
            f"{series['errors']:,}",
            f"{series['tokens']:,}",
        )
    table.caption = f"{_drawn(metrics['new'])}; the log is in {metrics['run']}"
    table.caption_justify = "left"
    return table


def _drawn(new: Metrics) -> str:
    """Return what was drawn just now, and how fast."""
    if not new["samples"]:
        return "nothing was missing"
    speed = new["tokens_per_second"]
    pace = f", {speed:,.0f} tokens/s" if speed else ""
    return f"{new['samples']:,} samples drawn now{pace}"


def _sizes(row: Metrics, stored_bits: float) -> tuple[str, ...]:
    return (
        f"{row['sequences']:,}",
        f"{row['elements']:,}",
        f"{row['correct_programs']:,}",
        decimal(-(-row["input_bits"] // 8)),
        decimal(int(-(-stored_bits // 8))),
        _rate(row["archive_rate"]),
    )


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
