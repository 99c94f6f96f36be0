"""Tables and plots of summaries, from their JSON only: a report never scores anything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ktray.inversion.kinds import InversionError

_COLUMNS = (
    "run", "breakdown", "group", "n", "prompts", "accuracy", "pass_at_1", "pass_at_max", "low", "high",
    "correct", "wrong_value", "wrong_type", "unparsable", "no_answer", "truncated", "consistent_wrong",
    "mean_distance", "mean_prefix", "mean_tokens",
)  # fmt: skip


def read_summary(path: Path) -> dict[str, Any]:
    """Return a summary's JSON. Raises InversionError where the file holds none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InversionError(f"{path}: {error.strerror}; expected a metrics.json of invert score") from None
    except ValueError as error:
        raise InversionError(f"{path}: not JSON ({error}); expected a metrics.json of invert score") from None
    if not isinstance(data, dict) or not {"n", "outcomes", "pass_at_k", "breakdowns"} <= data.keys():
        raise InversionError(f"{path}: no summary of scores; expected a metrics.json of invert score")
    return data


def table_rows(summaries: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each run's total and for each group of its breakdowns."""
    rows = []
    for run, summary in summaries.items():
        rows.append(_row(run, "total", "", summary))
        for breakdown, groups in summary["breakdowns"].items():
            rows += [_row(run, breakdown, group, data) for group, data in groups.items()]
    return rows


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as CSV with a header."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def as_markdown(
    rows: Sequence[Mapping[str, Any]], comparisons: Mapping[str, Mapping[str, Any]] | None = None
) -> str:
    """Return the rows as Markdown, one table a breakdown, and the paired comparisons of runs."""
    parts = ["# Invertible code reasoning", ""]
    shown = ("run", "group", "n", "accuracy", "pass_at_1", "pass_at_max", "low", "high", *_COLUMNS[10:])
    for breakdown in dict.fromkeys(str(r["breakdown"]) for r in rows):
        parts += [f"## By {breakdown}" if breakdown != "total" else "## All replies", ""]
        parts += [*_markdown_table(shown, [r for r in rows if r["breakdown"] == breakdown]), ""]
    for name, comparison in (comparisons or {}).items():
        low, high = comparison["interval"]
        parts += [
            f"## {name}",
            "",
            f"Over {comparison['prompts']} prompts that both answered: {comparison['a']:.4f} and "
            f"{comparison['b']:.4f}, paired difference {comparison['difference']:+.4f} "
            f"(interval {low:+.4f} to {high:+.4f}).",
            "",
        ]
    return "\n".join(parts)


def plot_pass_at_k(path: Path, summaries: Mapping[str, Mapping[str, Any]]) -> None:
    """Write pass@k against k (log-scaled, with its interval) by algorithm, one panel a run, as an image.

    Raises InversionError where matplotlib is not installed.
    """
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        raise InversionError("plots need matplotlib, which is not installed; install ktray[plots]") from None
    figure, panels = pyplot.subplots(1, len(summaries), figsize=(5 * len(summaries), 4), squeeze=False)
    for panel, (run, summary) in zip(panels[0], summaries.items(), strict=True):
        for name, group in summary["breakdowns"]["algorithm"].items():
            ks = [int(k) for k in group["pass_at_k"]]
            panel.plot(ks, list(group["pass_at_k"].values()), marker="o", label=name)
            intervals = group["pass_at_k_interval"]
            if intervals:
                low, high = zip(*intervals.values(), strict=True)
                panel.fill_between(ks, low, high, alpha=0.15)
        panel.set(xscale="log", xlabel="k", ylabel="pass@k", title=run, ylim=(0, 1))
        panel.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _row(run: str, breakdown: str, group: str, data: Mapping[str, Any]) -> dict[str, Any]:
    ks = list(data["pass_at_k"])
    low, high = data["pass_at_k_interval"].get("1", (None, None))
    return {
        "run": run,
        "breakdown": breakdown,
        "group": group,
        "pass_at_1": data["pass_at_k"]["1"],
        "pass_at_max": data["pass_at_k"][ks[-1]],
        "low": low,
        "high": high,
        **data["outcomes"],
        **{name: data[name] for name in _COLUMNS if name in data and name != "pass_at_k"},
    }


def _markdown_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    head = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return head + ["| " + " | ".join(_cell(row[c]) for c in columns) + " |" for row in rows]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value).replace("|", "\\|")
