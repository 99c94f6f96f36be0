"""Takes relations greedily, best first, as long as the whole text, parsed again with one more, gets cheaper.

What is taken stays consistent: sources are whole sub-trees (parts nest or are apart), targets are opaque,
and nothing depends on itself.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ktray.proposers.search.arrays import Bools, Floats, Ints
from ktray.proposers.search.parse import parse
from ktray.proposers.search.relations import (
    COLUMNS,
    S0,
    S1,
    T0,
    T1,
    U0,
    U1,
    aligned,
    chosen,
    extremes,
    pairwise,
    periods,
    turned,
)

MAX_TAKEN = 48
MAX_ROWS = 4096

#: How often relations are looked for again between the pieces that the last ones made.
ROUNDS = 3


@njit(cache=True)
def _crosses(a0: int, a1: int, b0: int, b1: int) -> bool:
    """Tell whether two parts overlap without one holding the other."""
    return (a0 < b0 < a1 < b1) or (b0 < a0 < b1 < a1)


@njit(cache=True)
def _leads_to(kept: Ints, count: int, s0: int, s1: int, t0: int, t1: int) -> bool:
    """Tell whether making part s needs part t."""
    seen = np.zeros(MAX_TAKEN + 1, np.bool_)
    stack = np.empty((2 * MAX_TAKEN + 4, 2), np.int64)
    stack[0, 0] = s0
    stack[0, 1] = s1
    held = 1
    while held > 0:
        held -= 1
        a = stack[held, 0]
        b = stack[held, 1]
        if a < t1 and t0 < b:
            return True
        for c in range(count):
            if not seen[c] and a <= kept[c, T0] and kept[c, T1] <= b:
                seen[c] = True
                stack[held, 0] = kept[c, S0]
                stack[held, 1] = kept[c, S1]
                held += 1
                if kept[c, U0] >= 0:
                    stack[held, 0] = kept[c, U0]
                    stack[held, 1] = kept[c, U1]
                    held += 1
    return False


@njit(cache=True)
def _holds(a0: int, a1: int, b0: int, b1: int) -> bool:
    """Tell whether a holds b and is larger."""
    return a0 <= b0 and b1 <= a1 and (a0 != b0 or a1 != b1)


@njit(cache=True)
def _fits(row: Ints, kept: Ints, count: int) -> bool:
    """Tell whether a relation is consistent with those kept: sources nest, targets are opaque, no cycles."""
    t0, t1 = row[T0], row[T1]
    for source in range(2):
        s0 = row[S0] if source == 0 else row[U0]
        s1 = row[S1] if source == 0 else row[U1]
        if s0 < 0:
            continue
        for c in range(count):
            k = kept[c]
            if t0 < k[T1] and k[T0] < t1:
                return False
            if _crosses(s0, s1, k[T0], k[T1]) or _holds(k[T0], k[T1], s0, s1):
                return False
            if (
                _crosses(s0, s1, k[S0], k[S1])
                or _crosses(t0, t1, k[S0], k[S1])
                or _holds(t0, t1, k[S0], k[S1])
            ):
                return False
            if k[U0] >= 0 and (
                _crosses(s0, s1, k[U0], k[U1])
                or _crosses(t0, t1, k[U0], k[U1])
                or _holds(t0, t1, k[U0], k[U1])
            ):
                return False
        if _leads_to(kept, count, s0, s1, t0, t1):
            return False
    return True


@njit(cache=True)
def _apply(row: Ints, bits: float, cut: Ints, target_end: Ints, target_cost: Floats, sign: int) -> None:
    """Put a relation into the tables of the parse (sign 1), or take it out (sign -1)."""
    cut[row[S0]] += sign
    cut[row[S1]] += sign
    cut[row[T0]] += sign
    cut[row[T1]] += sign
    if row[U0] >= 0:
        cut[row[U0]] += sign
        cut[row[U1]] += sign
    target_end[row[T0]] = row[T1] if sign > 0 else 0
    target_cost[row[T0]] = bits


@njit(cache=True)
def _survey(
    text: Ints,
    n: int,
    first: Ints,
    parts: int,
    start: Ints,
    cut: Ints,
    costs: Floats,
    closed: Floats,
    stop: Ints,
    natural: Bools,
    rows: Ints,
    price: Floats,
    bound: Floats,
) -> int:
    """Fill rows with the relations that may still pay, given the parse at hand; return their number."""
    natural[: n + 2] = False
    for d in range(parts):
        natural[first[d + 1]] = True
    for i in range(n + 1):
        if cut[i] > 0:
            natural[i] = True
    base = closed[: n + 2].copy()
    at = n
    while at > 0:
        natural[at] = True
        for k in range(start[at] + 1, at):
            base[k] = min(base[k], base[at])
        at = start[at]
    natural[0] = True
    count = 0
    count = periods(text, n, stop, natural, base, costs, rows, price, count)
    count = pairwise(text, n, stop, natural, base, costs, rows, price, count)
    count = aligned(text, n, stop, natural, base, costs, rows, price, count)
    count = turned(text, n, stop, natural, base, costs, rows, price, count)
    count = chosen(text, n, stop, natural, base, costs, rows, price, count)
    count = extremes(text, n, stop, natural, base, costs, rows, price, count)
    for r in range(count):
        # An upper bound, replaced by the gain itself once it is looked at.
        bound[r] = base[rows[r, T1]] - base[rows[r, T0]] + 4.0 - price[r]
    return int(count)


@njit(cache=True)
def _barred(row: Ints, bars: Ints, bar_count: int) -> bool:
    """Tell whether a relation is among those not to be taken."""
    for b in range(bar_count):
        same = True
        for c in range(COLUMNS):
            if row[c] != bars[b, c]:
                same = False
                break
        if same:
            return True
    return False


@njit(cache=True)
def derive(
    text: Ints,
    n: int,
    first: Ints,
    parts: int,
    costs: Floats,
    rows: Ints,
    price: Floats,
    kept: Ints,
    bars: Ints,
    bar_count: int,
    closed: Floats,
    kind: Ints,
    start: Ints,
    cut: Ints,
    target_end: Ints,
    target_cost: Floats,
) -> tuple[float, int, int]:
    """Take relations over the streams text[first[d]:first[d + 1]]; return (bits, number kept, parses done).

    The tables hold the final parse; kept[:number] are the relations taken. None of bars[:bar_count] is.
    """
    cut[: n + 1] = 0
    target_end[: n + 1] = 0
    stop = np.empty(n + 2, np.int64)
    for d in range(parts):
        cut[first[d]] += 1
        for i in range(first[d], first[d + 1]):
            stop[i] = first[d + 1]
    stop[n] = n
    stop[n + 1] = n
    natural = np.zeros(n + 2, np.bool_)
    bound = np.empty(MAX_ROWS)
    best = parse(text, n, cut, target_end, target_cost, costs, closed, kind, start)
    parses = 1
    number = 0
    for _ in range(ROUNDS):
        count = _survey(text, n, first, parts, start, cut, costs, closed, stop, natural, rows, price, bound)
        before = number
        seen = np.zeros(count, np.int64)
        gain = bound[:count]
        turn = 1
        while number < MAX_TAKEN and count > 0:
            # Gains of older turns only bound today's: look at the best until one is confirmed.
            r = 0
            top = 1e-6
            for c in range(count):
                if gain[c] > top:
                    top = gain[c]
                    r = c
            if top <= 1e-6:
                break
            if seen[r] == turn:
                kept[number] = rows[r]
                number += 1
                _apply(rows[r], price[r], cut, target_end, target_cost, 1)
                best -= gain[r]
                gain[r] = -1.0
                turn += 1
            elif not _fits(rows[r], kept, number) or _barred(rows[r], bars, bar_count):
                gain[r] = -1.0
            else:
                _apply(rows[r], price[r], cut, target_end, target_cost, 1)
                gain[r] = best - parse(text, n, cut, target_end, target_cost, costs, closed, kind, start)
                _apply(rows[r], price[r], cut, target_end, target_cost, -1)
                parses += 1
                seen[r] = turn
        best = parse(text, n, cut, target_end, target_cost, costs, closed, kind, start)
        if number == before:
            break
    return best, number, parses
