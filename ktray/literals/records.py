"""Finds records of 20 rows in bytes: each row a smooth signal of its record's own length, one record
after another.

MFCC files are such: 20 coefficients, each over all frames. Used by the encoder alone, which writes the
lengths.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ktray.kernels import njit
from ktray.sequences import Values

ROWS = 20
MIN_PERIOD, MAX_PERIOD = 16, 2000
_EDGE = 40  # bytes on either side of a boundary that are compared
_PATIENCE = 20_000  # bytes searched before records must cover a third of what was seen
_MIN_STEP = (
    0.8  # a record's first row is that much rougher than the last of the one before, and than its others
)
_MIN_AGREEMENT = 4.5
_CERTAIN = 6.0  # agreement of a record that gaps are not filled across


def find_records(data: Values) -> tuple[tuple[int, int], ...]:
    """(start, row length) of each record found; empty where they cover less than half of the block."""
    roughness = roughness_of(data)
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
    return fill_gaps(roughness, records, len(data)) if 2 * covered > len(data) else ()


def fill_gaps(
    roughness: NDArray[np.float64], records: list[tuple[int, int]], n: int
) -> tuple[tuple[int, int], ...]:
    """The records, with one or two in place of each gap and the doubtful records after it, where they fit."""
    filled: list[tuple[int, int]] = []
    end, i = 0, 0
    while end < n:
        after, gap = i, False
        while after < len(records):  # to the next record that is certain, or that begins here
            start, period = records[after]
            gap = gap or start > end
            if not gap or _agreement(roughness, start, period) >= _CERTAIN:
                break
            after += 1
        stop = records[after][0] if after < len(records) else n
        if stop > end:
            filled += _best_filling(roughness, end, stop) or records[i:after]
        if after < len(records):
            filled.append(records[after])
            stop += ROWS * records[after][1]
        end, i = stop, after + 1
    return tuple(filled)


def _best_filling(roughness: NDArray[np.float64], start: int, stop: int) -> list[tuple[int, int]]:
    """One or two records between `start` and `stop`, those that agree most; none where none does."""
    periods, rest = divmod(stop - start, ROWS)
    if rest or not MIN_PERIOD <= periods <= 2 * MAX_PERIOD:
        return []
    fillings = [[(start, periods)]] if periods <= MAX_PERIOD else []
    shortest = max(MIN_PERIOD, periods - MAX_PERIOD)
    fillings += [
        [(start, p), (start + ROWS * p, periods - p)] for p in range(shortest, periods - shortest + 1)
    ]
    scored = [
        (min(scores), sum(scores), f) for f in fillings for scores in [[_agreement(roughness, *r) for r in f]]
    ]
    _, _, best = max((s for s in scored if s[0] > _MIN_AGREEMENT), default=(0.0, 0.0, []), key=lambda s: s[1])
    return best


def _next_edge(sums: NDArray[np.float64], start: int) -> int:
    """The next place after `start` where smooth bytes turn rough; a long step on where there is none."""
    places = np.arange(max(start, _EDGE) + 1, min(len(sums) - _EDGE, start + _PATIENCE))
    step = (sums[places + _EDGE] - 2 * sums[places] + sums[places - _EDGE]) / _EDGE
    rough = np.flatnonzero(step > _MIN_STEP)
    if not len(rough):
        return start + _PATIENCE
    hill = step[rough[0] : rough[0] + _EDGE]
    return int(places[rough[0]] + hill.argmax())


def roughness_of(data: Values) -> NDArray[np.float64]:
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
