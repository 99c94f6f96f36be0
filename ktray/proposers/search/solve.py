"""From values to a plan: structures from `weave`, relations from `derive`, the cheapest of all.

Work is counted in elements visited by parses, never in seconds, so a plan depends on its inputs alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ktray.proposers.search.derive import MAX_ROWS, MAX_TAKEN, derive
from ktray.proposers.search.relations import COLUMNS
from ktray.proposers.search.weave import MAX_DEPTH, streams, weaves


@dataclass(frozen=True, slots=True)
class Plan:
    """How to write a sequence: its peels, the streams they give, relations between parts, and pieces.

    `text` holds the streams; stream d is text[first[d]:first[d + 1]], the last one what remains after all
    peels. `relations` has a row for each relation taken. `kind` and `start` tell the piece that ends at each
    position, where a piece ends there.
    """

    bits: float
    text: NDArray[np.int64]
    first: NDArray[np.int64]
    sides: NDArray[np.int64]
    relations: NDArray[np.int64]
    kind: NDArray[np.int64]
    start: NDArray[np.int64]


@njit(cache=True)
def _search(text, n, costs, width, closely, depth, keep, budget):
    """Return the best plan's arrays within about `budget` element visits."""
    scores = np.empty(keep)
    depths = np.zeros(keep, np.int64)
    ms = np.zeros((keep, MAX_DEPTH), np.int64)
    sides = np.zeros((keep, MAX_DEPTH), np.int64)
    found = weaves(text, n, costs, width, closely, depth, keep, scores, depths, ms, sides)
    laid = np.empty(n + 1, np.int64)
    first = np.zeros(MAX_DEPTH + 2, np.int64)
    rows = np.empty((MAX_ROWS, COLUMNS), np.int64)
    price = np.empty(MAX_ROWS)
    taken = np.empty(MAX_TAKEN + 1, np.int64)
    closed = np.empty(n + 2)
    kind = np.zeros(n + 2, np.int64)
    start = np.zeros(n + 2, np.int64)
    cut = np.zeros(n + 2, np.int64)
    target_end = np.zeros(n + 2, np.int64)
    target_cost = np.zeros(n + 2)
    best = 1e18
    best_r = 0
    best_first = first.copy()
    best_laid = laid.copy()
    best_rows = np.empty((0, COLUMNS), np.int64)
    best_kind = kind.copy()
    best_start = start.copy()
    work = 0
    for r in range(found):
        parts = streams(text, n, depths[r], ms[r], sides[r], laid, first)
        bits, number, parses = derive(
            laid,
            n,
            first,
            parts,
            costs,
            rows,
            price,
            taken,
            closed,
            kind,
            start,
            cut,
            target_end,
            target_cost,
        )
        work += parses * n + 40 * n * n
        if bits < best - 1e-9:
            best = bits
            best_r = r
            best_first = first.copy()
            best_laid = laid.copy()
            best_rows = np.empty((number, COLUMNS), np.int64)
            for c in range(number):
                best_rows[c] = rows[taken[c]]
            best_kind = kind.copy()
            best_start = start.copy()
        if work > budget:
            break
    d = depths[best_r]
    return best, best_laid[:n], best_first[: d + 2], sides[best_r, :d], best_rows, best_kind, best_start


def search(
    values: NDArray[np.int64], costs: NDArray[np.float64], width: int, closely: int, keep: int, budget: int
) -> Plan:
    """Return the best plan found for `values` (shape (n,), n >= 1)."""
    return Plan(*_search(values, len(values), costs, width, closely, 6, keep, budget))
