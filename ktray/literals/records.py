"""Finds records of 20 rows in bytes: each row a smooth signal of its record's own length, one record
after another.

MFCC files are such: 20 coefficients, each over all frames. Used by the encoder alone, which writes the
lengths.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ktray.sequences import Values

ROWS = 20
MIN_PERIOD, MAX_PERIOD = 16, 2000
_EDGE = 40  # bytes on either side of a boundary that are compared
_PATIENCE = 20_000  # bytes searched before records must cover a third of what was seen
_MIN_STEP = (
    0.8  # a record's first row is that much rougher than the last of the one before, and than its others
)
_MIN_AGREEMENT = 4.5


def find_records(data: Values) -> tuple[tuple[int, int], ...]:
    """(start, row length) of each record found; empty where they cover less than half of the block."""
    roughness = _roughness(data)
    sums = np.concatenate([[0.0], np.cumsum(roughness)])
    records: list[tuple[int, int]] = []
    start, covered = 0, 0
    while start + ROWS * MIN_PERIOD + _EDGE < len(data):
        period, score = _best_period(roughness, sums, start)
        if score > _MIN_AGREEMENT:
            records.append((start, period))
            covered += ROWS * period
            start += ROWS * period
            continue
        if start > _PATIENCE and 3 * covered < start:
            return ()
        start = _next_edge(sums, start)
    return tuple(records) if 2 * covered > len(data) else ()


def _next_edge(sums: NDArray[np.float64], start: int) -> int:
    """The next place after `start` where smooth bytes turn rough; a long step on where there is none."""
    places = np.arange(max(start, _EDGE) + 1, min(len(sums) - _EDGE, start + _PATIENCE))
    step = (sums[places + _EDGE] - 2 * sums[places] + sums[places - _EDGE]) / _EDGE
    rough = np.flatnonzero(step > _MIN_STEP)
    if not len(rough):
        return start + _PATIENCE
    hill = step[rough[0] : rough[0] + _EDGE]
    return int(places[rough[0]] + hill.argmax())


def _roughness(data: Values) -> NDArray[np.float64]:
    """The logarithm of each byte's distance from what its two predecessors suggest."""
    s = data.view(np.int8).astype(np.float64)
    residual = s.copy()
    residual[2:] -= 1.2 * s[1:-1] - 0.4 * s[:-2]
    rough: NDArray[np.float64] = np.log1p(np.minimum(np.abs(residual), 80.0))
    return rough


def _best_period(roughness: NDArray[np.float64], sums: NDArray[np.float64], start: int) -> tuple[int, float]:
    """The row length whose record ends in a step of roughness and whose columns agree; and how clearly
    they do.
    """
    most = min(MAX_PERIOD, (len(roughness) - start - _EDGE) // ROWS)
    periods = np.arange(MIN_PERIOD, most + 1)
    ends = start + ROWS * periods
    step = (sums[ends + _EDGE] - 2 * sums[ends] + sums[np.maximum(ends - _EDGE, 0)]) / _EDGE
    first = (sums[start + periods] - sums[start]) / periods
    rest = (sums[ends] - sums[start + periods]) / ((ROWS - 1) * periods)
    clear = np.flatnonzero((step > _MIN_STEP) & (first - rest > _MIN_STEP))
    best = (0, 0.0)
    for i in clear:
        score = _agreement(roughness, start, int(periods[i]))
        if best[1] > _MIN_AGREEMENT and int(periods[i]) > best[0] + 1:
            break  # the shortest clear one, or its neighbour
        if score > best[1]:
            best = (int(periods[i]), score)
    return best


@njit(cache=True)
def _agreement(roughness: NDArray[np.float64], start: int, period: int) -> float:
    """How far the columns' sums vary beyond chance, over all rows but the first, in standard errors."""
    squares = 0.0
    totals = np.zeros(period)
    for k in range(1, ROWS):
        row = roughness[start + k * period : start + (k + 1) * period]
        mean = row.mean()
        for j in range(period):
            d = row[j] - mean
            totals[j] += d
            squares += d * d
    if squares == 0.0:
        return 0.0
    return float(((totals * totals).sum() / squares - 1.0) * np.sqrt(period / 2))
