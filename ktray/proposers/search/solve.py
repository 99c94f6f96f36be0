"""From values to a plan: structures from `weave`, relations from `derive`, the cheapest of all.

Work is counted in elements visited by parses, never in seconds, so a plan depends on its inputs alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ktray.proposers.search.arrays import Floats, Ints
from ktray.proposers.search.derive import MAX_ROWS, MAX_TAKEN, derive
from ktray.proposers.search.glance import glance
from ktray.proposers.search.parse import INF
from ktray.proposers.search.relations import COLUMNS
from ktray.proposers.search.weave import MAX_DEPTH, streams, weaves

#: A structure is looked at closely only if its quick price is at most this much above that of the best one.
MARGIN = 24.0


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
    work: int = 0


@njit(cache=True)
def _evaluate(
    text: Ints,
    n: int,
    depth: int,
    m: Ints,
    side: Ints,
    bars: Ints,
    bar_count: int,
    costs: Floats,
    tables: Ints,
    floats: Floats,
    heads: Ints,
    rows: Ints,
    price: Floats,
    kept: Ints,
    first: Ints,
    best: Ints,
    limit: float,
) -> tuple[float, float, int]:
    """Derive one structure unless its quick price exceeds `limit`; keep it if it is the best so far.

    Return (bits, quick price, work done). tables and floats are work space; best holds what is kept: row 0
    the text, 1 kinds, 2 starts, 3 streams, 4 m, 5 sides, 6 the numbers (peels, relations), and floats[2, 0] its bits.
    """
    laid = tables[0]
    parts = streams(text, n, depth, m, side, laid, first)
    look = glance(
        laid, n, first, parts, costs, floats[0], heads[:256], heads[256:], tables[1], tables[2], tables[3]
    )
    if look > limit:
        return INF, look, 12 * n
    bits, number, parses = derive(
        laid,
        n,
        first,
        parts,
        costs,
        rows,
        price,
        kept,
        bars,
        bar_count,
        floats[0],
        tables[1],
        tables[2],
        tables[3],
        tables[4],
        floats[1],
    )
    if bits < floats[2, 0] - 1e-9:
        floats[2, 0] = bits
        best[:3, : n + 1] = tables[:3, : n + 1]
        best[3, : depth + 2] = first[: depth + 2]
        best[4, :MAX_DEPTH] = m
        best[5, :MAX_DEPTH] = side
        best[6, 0] = depth
        best[6, 1] = number
        best[7 : 7 + number, :COLUMNS] = kept[:number]
        floats[2, 1] = look
    return bits, look, 2 * parses * n + 8 * n * n


@njit(cache=True)
def _neighbour(which: int, depth: int, m: Ints, side: Ints, new_m: Ints, new_side: Ints) -> int:
    """Write the which-th variation of a structure; return its depth, or -1 if there is none with this number."""
    new_m[:] = m
    new_side[:] = side
    d = which // 6
    if d >= depth:
        return -1
    kind = which % 6
    if kind < 4:
        new_m[d] += (-1, 1, -2, 2)[kind]
        return depth
    if kind == 4:
        new_side[d] = 1 - side[d]
        return depth
    for k in range(d, depth - 1):
        new_m[k] = m[k + 1]
        new_side[k] = side[k + 1]
    return depth - 1


@njit(cache=True)
def _possible(n: int, depth: int, m: Ints, side: Ints) -> bool:
    """Tell whether each peel fits what is left for it."""
    left = n
    for d in range(depth):
        if m[d] < 1 or 2 * m[d] > left:
            return False
        left = left - m[d] if side[d] == 1 else m[d]
    return True


@njit(cache=True)
def _search(text: Ints, n: int, costs: Floats, widths: Ints, budget: int) -> tuple[Ints, float, int]:
    """Work through the stages until `budget` is spent; return the best plan's arrays and the work done."""
    tables = np.zeros((5, n + 2), np.int64)
    floats = np.zeros((3, n + 2))
    floats[2, 0] = 1e18
    rows = np.empty((MAX_ROWS, COLUMNS), np.int64)
    price = np.empty(MAX_ROWS)
    heads = np.full(256 + 511, -1, np.int64)
    kept = np.empty((MAX_TAKEN + 1, COLUMNS), np.int64)
    bars = np.empty((MAX_TAKEN + 1, COLUMNS), np.int64)
    first = np.zeros(MAX_DEPTH + 2, np.int64)
    best = np.zeros((8 + MAX_TAKEN, max(n + 2, 2 * MAX_DEPTH)), np.int64)
    no_m = np.zeros(MAX_DEPTH, np.int64)
    new_m = np.zeros(MAX_DEPTH, np.int64)
    new_side = np.zeros(MAX_DEPTH, np.int64)
    work = _evaluate(
        text, n, 0, no_m, no_m, bars, 0, costs, tables, floats, heads, rows, price, kept, first, best, INF
    )[2]
    plain = floats[2, 0]
    for stage in range(len(widths)):
        width = widths[stage, 0]
        closely = widths[stage, 1]
        keep = widths[stage, 2]
        if work >= budget:
            break
        scores = np.empty(keep)
        depths = np.zeros(keep, np.int64)
        ms = np.zeros((keep, MAX_DEPTH), np.int64)
        sides = np.zeros((keep, MAX_DEPTH), np.int64)
        found, spent = weaves(
            text, n, costs, width, closely, MAX_DEPTH - 2, keep, scores, depths, ms, sides, budget - work
        )
        work += spent
        if stage == 0 and plain >= 8.0 * n and scores[0] > 0.95 * 8.0 * n:
            # Neither pieces nor a peel help: the rest of the search would not either.
            break
        for r in range(found):
            if work >= budget:
                break
            if depths[r] > 0:
                work += _evaluate(
                    text,
                    n,
                    depths[r],
                    ms[r],
                    sides[r],
                    bars,
                    0,
                    costs,
                    tables,
                    floats,
                    heads,
                    rows,
                    price,
                    kept,
                    first,
                    best,
                    floats[2, 1] + MARGIN,
                )[2]
        work = _improve(
            text,
            n,
            costs,
            tables,
            floats,
            heads,
            rows,
            price,
            kept,
            bars,
            first,
            best,
            new_m,
            new_side,
            work,
            budget,
        )
    return best, floats[2, 0], work


@njit(cache=True)
def _improve(
    text: Ints,
    n: int,
    costs: Floats,
    tables: Ints,
    floats: Floats,
    heads: Ints,
    rows: Ints,
    price: Floats,
    kept: Ints,
    bars: Ints,
    first: Ints,
    best: Ints,
    new_m: Ints,
    new_side: Ints,
    work: int,
    budget: int,
) -> int:
    """Vary the best plan one peel or one relation at a time, as long as that helps; return the work done."""
    better = True
    while better and work < budget:
        better = False
        was = floats[2, 0]
        depth = best[6, 0]
        m = best[4, :MAX_DEPTH].copy()
        side = best[5, :MAX_DEPTH].copy()
        which = 0
        while work < budget:
            new_depth = _neighbour(which, depth, m, side, new_m, new_side)
            if new_depth < 0:
                break
            which += 1
            if _possible(n, new_depth, new_m, new_side):
                work += _evaluate(
                    text,
                    n,
                    new_depth,
                    new_m,
                    new_side,
                    bars,
                    0,
                    costs,
                    tables,
                    floats,
                    heads,
                    rows,
                    price,
                    kept,
                    first,
                    best,
                    floats[2, 1] + MARGIN,
                )[2]
                if floats[2, 0] < was - 1e-9:
                    better = True
                    break
        if better:
            continue
        # Bar the relations one by one; what helps stays barred.
        count = best[6, 1]
        given = best[7 : 7 + count, :COLUMNS].copy()
        bar_count = 0
        for c in range(count):
            if work >= budget or bar_count >= MAX_TAKEN:
                break
            bars[bar_count] = given[c]
            bits, _, spent = _evaluate(
                text,
                n,
                depth,
                m,
                side,
                bars,
                bar_count + 1,
                costs,
                tables,
                floats,
                heads,
                rows,
                price,
                kept,
                first,
                best,
                INF,
            )
            work += spent
            if bits < was - 1e-9:
                was = bits
                bar_count += 1
    return work


def search(
    values: NDArray[np.int64], costs: NDArray[np.float64], stages: NDArray[np.int64], budget: int
) -> Plan:
    """Return the best plan found for `values` (shape (n,), n >= 1) within about `budget` units of work.

    A row of `stages` holds the widths of one pass: see `weaves`. More budget only adds to what is tried.
    """
    n = len(values)
    best, bits, work = _search(values, n, costs, stages, budget)
    depth, relations = int(best[6, 0]), int(best[6, 1])
    return Plan(
        float(bits),
        best[0, :n],
        best[3, : depth + 2],
        best[5, :depth],
        best[7 : 7 + relations, :COLUMNS],
        best[1, : n + 1],
        best[2, : n + 1],
        int(work),
    )
