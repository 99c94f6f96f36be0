"""Plots of a set of program-sequence pairs: cumulative histograms and operations (paper: Fig. 7 and 8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ktray.corpora.pairstats import PairStats


def plot_pairs(path: Path, stats: PairStats) -> None:
    """Write three panels to `path` (PNG or SVG, by its name): lengths, program lines, operations."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    lengths, lines, operations = figure.subplots(1, 3)
    _cumulative(lengths, stats.lengths, "elements of a sequence")
    _cumulative(lines, stats.lines, "lines of a program")
    counts = sorted(stats.operations.items(), key=lambda item: item[1])
    operations.barh([op for op, _ in counts], [n / stats.pairs for _, n in counts])
    operations.set_xscale("log")
    operations.set_xlabel("lines a program")
    operations.tick_params(axis="y", labelsize=6)
    figure.suptitle(f"{stats.pairs:,} pairs, {stats.elements:,} elements")
    figure.savefig(path, dpi=150)


def _cumulative(axes: Any, histogram: dict[int, int], label: str) -> None:
    """Draw the share of pairs at or below each value."""
    values = np.array(sorted(histogram))
    shares = np.cumsum([histogram[int(v)] for v in values]) / sum(histogram.values())
    axes.step(values, shares, where="post")
    axes.set_xlim(0, values[np.searchsorted(shares, 0.995)] + 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel(label)
    axes.set_ylabel("share of pairs")
    axes.grid(alpha=0.3)
