"""Curves of a training run: a table (CSV and Parquet) and a plot."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ktray.commit import committed


def read_curves(folder: Path) -> list[dict[str, float]]:
    """Return the rows that `write_curves` wrote; none where it did not."""
    path = folder / "curves.parquet"
    rows: list[dict[str, float]] = pq.read_table(path).to_pylist() if path.exists() else []
    return rows


def write_curves(folder: Path, rows: Sequence[dict[str, float]]) -> None:
    """Write `curves.csv` and `curves.parquet`; each row is one evaluation."""
    if not rows:
        return
    names = list(rows[-1])
    with (
        committed(folder / "curves.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    with committed(folder / "curves.parquet") as temporary:
        pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), temporary)


def plot_training(path: Path, runs: Mapping[str, Sequence[dict[str, float]]]) -> None:
    """Write the curves of runs over pairs seen (log scale): losses, shares of right replies, CompressionRate."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 3)
    for name, rows in runs.items():
        pairs = [row["pairs"] for row in rows]
        for panel, columns in zip(panels, _PANELS, strict=True):
            for column, style in zip(columns, ("-", "--"), strict=False):
                panel.plot(pairs, [row.get(column) for row in rows], style, label=f"{name}: {column}")
    for panel in panels:
        panel.set_xscale("log")
        panel.set_xlabel("pairs seen")
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    figure.savefig(path, dpi=150)


_PANELS = (("loss", "held_out_loss"), ("accuracy", "shorter"), ("compression_rate",))
