"""Curves of a training run: a table (CSV and Parquet) and a plot."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ktray.rundir import committed


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
