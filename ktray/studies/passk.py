"""Unbiased pass@k (Chen et al. 2021, section 2.1) with bootstrap intervals over items.

A value is a ratio of integers rounded once, so it is the float nearest to the exact one. Every sample
counts, duplicates and samples without a program too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb, fsum

import numpy as np

from ktray.studies.bootstrap import Bootstrap, Interval, StudyError, ratio_intervals


@dataclass(frozen=True, slots=True)
class ItemSamples:
    """The samples of one item (a sequence, a prompt): whether each is correct, in sample order."""

    item: str
    correct: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class PassPoint:
    """pass@k, its interval over items (None where there is none), and how many items it averages."""

    k: int
    value: float
    items: int
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class DoublingGain:
    """What going from k to 2k samples adds to an estimate, in the estimate's unit."""

    k: int
    doubled: int
    gain: float


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return 1 - C(n-c, k) / C(n, k): the chance that k of n samples, c of them correct, hold a correct one.

    Worked example: n = 4, c = 1, k = 2: of the 6 pairs 3 hold the correct sample, so 0.5.
    Raises StudyError unless 0 <= c <= n and 1 <= k <= n.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise StudyError(f"pass@{k} of {n} samples with {c} correct; expected 0 <= c <= n and 1 <= k <= n")
    subsets = comb(n, k)
    return (subsets - comb(n - c, k)) / subsets


def pass_curve(
    items: Sequence[ItemSamples], ks: Iterable[int] | None = None, bootstrap: Bootstrap | None = None
) -> tuple[PassPoint, ...]:
    """Return the mean pass@k over items for each k (by default every k up to the least n of an item).

    Items may have different n; k never exceeds the least, so that every point averages the same items.
    Raises StudyError where there are no items, or a k is out of range.
    """
    chosen = checked_ks([len(i.correct) for i in items], ks)
    cells = Counter((len(i.correct), sum(i.correct)) for i in items)
    table = [[pass_at_k(n, c, k) for k in chosen] for n, c in cells]
    weights = list(cells.values())
    means = [
        fsum(w * row[j] for w, row in zip(weights, table, strict=True)) / len(items)
        for j in range(len(chosen))
    ]
    intervals: Sequence[Interval | None] = [None] * len(chosen)
    if bootstrap is not None:
        ones = np.ones(len(weights))
        intervals = ratio_intervals(np.array(table), ones, np.array(weights, dtype=np.int64), bootstrap)
    return tuple(PassPoint(k, m, len(items), i) for k, m, i in zip(chosen, means, intervals, strict=True))


def any_of_first_k(
    items: Sequence[ItemSamples], ks: Iterable[int] | None = None, bootstrap: Bootstrap | None = None
) -> tuple[PassPoint, ...]:
    """Return the share of items with a correct one among their first k samples.

    This is what the invertible-code-reasoning evaluator publishes as pass@k: one draw of the k samples,
    so noisier than `pass_curve`. It is for comparison with published numbers only.
    """
    chosen = checked_ks([len(i.correct) for i in items], ks)
    table = np.array([[any(i.correct[:k]) for k in chosen] for i in items], dtype=np.float64)
    ones = np.ones(len(items))
    intervals: Sequence[Interval | None] = [None] * len(chosen)
    if bootstrap is not None:
        intervals = ratio_intervals(table, ones, ones.astype(np.int64), bootstrap)
    means = table.sum(axis=0) / len(items)
    return tuple(
        PassPoint(k, float(m), len(items), i) for k, m, i in zip(chosen, means, intervals, strict=True)
    )


def doubling_gains(values: dict[int, float]) -> tuple[DoublingGain, ...]:
    """Return value(2k) - value(k) for every k whose double was estimated too, in order of k."""
    return tuple(DoublingGain(k, 2 * k, values[2 * k] - values[k]) for k in sorted(values) if 2 * k in values)


def powers_of_two(n: int) -> tuple[int, ...]:
    """Return 1, 2, 4, ... up to n, and n itself: the ks of a log-scaled plot."""
    ks = {1 << i for i in range(n.bit_length())}
    return tuple(sorted(ks | {n})) if n else ()


def checked_ks(counts: Sequence[int], ks: Iterable[int] | None) -> tuple[int, ...]:
    """Return the ks to estimate; every item must have at least as many samples as the largest.

    Raises StudyError where one has fewer.
    """
    if not counts:
        raise StudyError("no items to study; the log is empty or its filters match nothing")
    least = min(counts)
    if least < 1:
        raise StudyError("an item has no samples; drop it, or sample it before the study")
    chosen = tuple(range(1, least + 1)) if ks is None else tuple(ks)
    for k in chosen:
        if not 1 <= k <= least:
            raise StudyError(
                f"k = {k}, but the item with the fewest samples has {least}; give 1 <= k <= {least}"
            )
    return chosen
