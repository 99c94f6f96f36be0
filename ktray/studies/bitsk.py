"""bits@k: the expected bits an item costs when the shortest correct of k samples is kept, else the literal.

Exact order statistics over the n samples under a fixed price of each (no resampling): the mean over all
C(n, k) subsets, and for k = n the minimum itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, inf, isnan

import numpy as np
from numpy.typing import NDArray

from ktray.studies.bootstrap import Bootstrap, Interval, StudyError, ratio_intervals
from ktray.studies.passk import checked_ks


@dataclass(frozen=True, slots=True)
class PricedItem:
    """One item's samples under a fixed price table.

    `prices` (bits, one a sample, flag included) is `inf` for a sample that is wrong or cannot be coded;
    `literal` (bits, flag included) is the fallback; `elements` is the item's length.
    """

    item: str
    prices: tuple[float, ...]
    literal: float
    elements: int


@dataclass(frozen=True, slots=True)
class BitsPoint:
    """Expected bits at k samples an item: in total, an element (with its interval), and saved against
    keeping every item as its literal."""

    k: int
    bits: float
    bits_per_element: float
    saved: float
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class SavingCost:
    """What saving one bit costs at k samples an item; `inf` where nothing is saved."""

    k: int
    tokens_per_bit: float
    seconds_per_bit: float


@lru_cache(maxsize=4096)
def order_weights(n: int, k: int) -> NDArray[np.float64]:
    """Return the chance that the j-th smallest of n samples is the least of a random k-subset, shape (n,).

    The weight is C(n-1-j, k-1) / C(n, k) for j counted from 0, each rounded once; they sum to 1.
    """
    subsets = comb(n, k)
    weights = np.array([comb(n - 1 - j, k - 1) / subsets for j in range(n)])
    weights.setflags(write=False)
    return weights


def expected_bits(prices: Sequence[float], literal: float, k: int) -> float:
    """Return the expected cost in bits of one item from k of its len(prices) samples.

    Worked example: prices (10, inf, 30), literal 40, k = 2: the three pairs cost 10, 10 and 30, so 50/3.
    Raises StudyError unless 1 <= k <= n, the literal is finite, and no price is NaN or negative.
    """
    n = len(prices)
    if not 1 <= k <= n:
        raise StudyError(f"bits@{k} of {n} samples; give 1 <= k <= {n}")
    return float(order_weights(n, k) @ _sorted_costs(prices, literal))


def bits_curve(
    items: Sequence[PricedItem], ks: Iterable[int] | None = None, bootstrap: Bootstrap | None = None
) -> tuple[BitsPoint, ...]:
    """Return bits@k over all items for each k (by default every k up to the least n of an item).

    `bits_per_element` is the sum of expected bits over the sum of elements; its interval resamples items.
    """
    chosen = checked_ks([len(i.prices) for i in items], ks)
    costs = [_sorted_costs(i.prices, i.literal) for i in items]
    table = np.array([[order_weights(len(c), k) @ c for k in chosen] for c in costs])
    elements = np.array([i.elements for i in items], dtype=np.float64)
    if elements.min() < 1:
        raise StudyError("an item has no elements; bits an element need at least one")
    intervals: Sequence[Interval | None] = [None] * len(chosen)
    if bootstrap is not None:
        intervals = ratio_intervals(table, elements, np.ones(len(items), dtype=np.int64), bootstrap)
    literal = sum(i.literal for i in items)
    totals = table.sum(axis=0)
    return tuple(
        BitsPoint(k, float(t), float(t / elements.sum()), float(literal - t), i)
        for k, t, i in zip(chosen, totals, intervals, strict=True)
    )


def saving_costs(
    points: Sequence[BitsPoint], items: int, tokens_per_sample: float, seconds_per_sample: float
) -> tuple[SavingCost, ...]:
    """Return tokens and seconds spent per bit saved at each point, from means over all samples."""

    def per_bit(spent: float, saved: float) -> float:
        return spent / saved if saved > 0 else inf

    return tuple(
        SavingCost(
            p.k,
            per_bit(p.k * items * tokens_per_sample, p.saved),
            per_bit(p.k * items * seconds_per_sample, p.saved),
        )
        for p in points
    )


def _sorted_costs(prices: Sequence[float], literal: float) -> NDArray[np.float64]:
    """Return what each sample would cost alone, ascending: its price, or the literal's where cheaper."""
    if not 0 <= literal < inf:
        raise StudyError(f"the literal costs {literal} bits; its price must be finite, as it always works")
    if any(isnan(p) or p < 0 for p in prices):
        raise StudyError("a sample's price is negative or not a number; give bits >= 0, or inf where wrong")
    return np.sort(np.minimum(np.asarray(prices, dtype=np.float64), literal))
