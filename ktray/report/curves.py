"""Plots of estimates over the number of samples, or over lengths. The only module that draws curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Curve:
    """A named line: ks (or lengths), values, and the interval around each where there is one (same lengths)."""

    name: str
    ks: tuple[int, ...]
    values: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


def plot_curves(
    path: Path, curves: Sequence[Curve], title: str, unit: str, across: str = "samples k", log: bool = True
) -> None:
    """Write the curves to `path` (PNG or SVG, by its name) over what `across` names; intervals are shaded."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for curve in curves:
        (line,) = axes.plot(curve.ks, curve.values, marker="o", markersize=3, label=curve.name)
        if curve.low:
            axes.fill_between(
                curve.ks, curve.low, curve.high, color=line.get_color(), alpha=0.15, linewidth=0
            )
    if log:
        axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlabel(across)
    axes.set_ylabel(unit)
    axes.set_title(title)
    axes.grid(alpha=0.3)
    if curves:
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=150)
