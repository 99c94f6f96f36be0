"""Tables and plots of summaries, from their JSON only: a report never scores anything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ktray.commit import committed
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


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with committed(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


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
    if comparisons:
        compared = ("group", "prompts", "a", "b", "difference", "low", "high")
        rows = [
            {"group": name, **c, "low": c["interval"][0], "high": c["interval"][1]}
            for name, c in comparisons.items()
        ]
        parts += ["## Two runs compared over the prompts that both answered", ""]
        parts += [*_markdown_table(compared, rows), ""]
    return "\n".join(parts)


def plot_formats(
    path: Path, tokens: Sequence[Mapping[str, Any]], accuracy: Sequence[Mapping[str, Any]]
) -> None:
    """Write tokens a code element by format, a panel a tokenizer and a line an algorithm, and, where replies
    were scored, their accuracy by format in a last panel. Raises InversionError without matplotlib."""
    pyplot = _pyplot()
    named = [
        (n, [r for r in tokens if r["tokenizer"] == n], "tokens_per_element") for n in _tokenizers(tokens)
    ]
    named += [("accuracy", list(accuracy), "accuracy")] if accuracy else []
    figure, panels = pyplot.subplots(1, len(named), figsize=(6 * len(named), 4), squeeze=False)
    for panel, (title, rows, column) in zip(panels[0], named, strict=True):
        for algorithm in dict.fromkeys(r["algorithm"] for r in rows):
            mine = [r for r in rows if r["algorithm"] == algorithm]
            panel.plot([r["format"] for r in mine], [r[column] for r in mine], marker="o", label=algorithm)
        panel.tick_params(axis="x", rotation=60)
        panel.set(title=title, ylabel=column.replace("_", " "))
        panel.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _tokenizers(tokens: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(r["tokenizer"]) for r in tokens))


def _pyplot() -> Any:
    """Return matplotlib's pyplot, drawing to files only. Raises InversionError where it is not installed."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        raise InversionError("plots need matplotlib, which is not installed; install ktray[plots]") from None
    return pyplot


def plot_pass_at_k(path: Path, summaries: Mapping[str, Mapping[str, Any]]) -> None:
    """Write pass@k against k (log-scaled, with its interval) by algorithm, one panel a run, as an image.

    Raises InversionError where matplotlib is not installed.
    """
    pyplot = _pyplot()
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
