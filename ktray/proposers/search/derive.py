"""Chooses relations greedily: each is taken if the whole text, parsed again with it, gets cheaper.

What is taken stays consistent: sources are whole sub-trees (parts nest or are apart), targets are opaque,
and nothing depends on itself.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ktray.proposers.search.parse import parse
from ktray.proposers.search.relations import (
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


@njit(cache=True)
def _crosses(a0, a1, b0, b1):
    """Tell whether two parts overlap without one holding the other."""
    return (a0 < b0 < a1 < b1) or (b0 < a0 < b1 < a1)


@njit(cache=True)
def _leads_to(rows, taken, count, s0, s1, t0, t1):
    """Tell whether making part s needs part t."""
    seen = np.zeros(MAX_TAKEN + 1, np.bool_)
    stack = np.empty((4 * MAX_TAKEN + 8, 2), np.int64)
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
            row = rows[taken[c]]
            if not seen[c] and a <= row[T0] and row[T1] <= b:
                seen[c] = True
                stack[held, 0] = row[S0]
                stack[held, 1] = row[S1]
                held += 1
                if row[U0] >= 0:
                    stack[held, 0] = row[U0]
                    stack[held, 1] = row[U1]
                    held += 1
    return False


@njit(cache=True)
def _fits(rows, taken, count, r):
    """Tell whether relation r is consistent with those taken."""
    t0, t1 = rows[r, T0], rows[r, T1]
    for source in range(2):
        s0 = rows[r, S0] if source == 0 else rows[r, U0]
        s1 = rows[r, S1] if source == 0 else rows[r, U1]
        if s0 < 0:
            continue
        for c in range(count):
            row = rows[taken[c]]
            # Sources nest; a target is opaque.
            if _crosses(s0, s1, row[S0], row[S1]) or _crosses(s0, s1, row[T0], row[T1]):
                return False
            if row[T0] <= s0 and s1 <= row[T1] and (s0 != row[T0] or s1 != row[T1]):
                return False
            if _crosses(t0, t1, row[S0], row[S1]) or (t0 < row[T1] and row[T0] < t1):
                return False
            if t0 <= row[S0] and row[S1] <= t1 and (t0 != row[S0] or t1 != row[S1]):
                return False
            if row[U0] >= 0:
                if _crosses(s0, s1, row[U0], row[U1]) or _crosses(t0, t1, row[U0], row[U1]):
                    return False
                if t0 <= row[U0] and row[U1] <= t1 and (t0 != row[U0] or t1 != row[U1]):
                    return False
        if _leads_to(rows, taken, count, s0, s1, t0, t1):
            return False
    return True


@njit(cache=True)
def _apply(rows, price, r, cut, target_end, target_cost, sign):
    """Put relation r into the tables of the parse (sign 1), or take it out (sign -1)."""
    cut[rows[r, S0]] += sign
    cut[rows[r, S1]] += sign
    cut[rows[r, T0]] += sign
    cut[rows[r, T1]] += sign
    if rows[r, U0] >= 0:
        cut[rows[r, U0]] += sign
        cut[rows[r, U1]] += sign
    target_end[rows[r, T0]] = rows[r, T1] if sign > 0 else 0
    target_cost[rows[r, T0]] = price[r]


@njit(cache=True)
def derive(
    text, n, first, parts, costs, rows, price, taken, closed, kind, start, cut, target_end, target_cost
):
    """Take relations over the streams text[first[d]:first[d + 1]]; return (bits, number taken, parses done).

    The tables hold the final parse; taken[:number] are indices of rows.
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
    edge_first = np.zeros(n + 3, np.int64)
    edge_start = np.zeros(1, np.int64)
    edge_cost = np.zeros(1)
    best = parse(
        text, n, cut, target_end, target_cost, edge_first, edge_start, edge_cost, costs, closed, kind, start
    )
    parses = 1
    natural = np.zeros(n + 2, np.bool_)
    for d in range(parts):
        natural[first[d + 1]] = True
    at = n
    while at > 0:
        natural[at] = True
        at = start[at]
    natural[0] = True
    base = closed[: n + 1].copy()
    count = 0
    count = aligned(text, n, stop, natural, base, costs, rows, price, count)
    count = turned(text, n, stop, natural, base, costs, rows, price, count)
    count = periods(text, n, stop, natural, base, costs, rows, price, count)
    count = chosen(text, n, stop, natural, base, costs, rows, price, count)
    count = extremes(text, n, stop, natural, base, costs, rows, price, count)
    count = pairwise(text, n, stop, natural, base, costs, rows, price, count)
    gain = np.empty(count)
    for r in range(count):
        _apply(rows, price, r, cut, target_end, target_cost, 1)
        gain[r] = best - parse(
            text,
            n,
            cut,
            target_end,
            target_cost,
            edge_first,
            edge_start,
            edge_cost,
            costs,
            closed,
            kind,
            start,
        )
        _apply(rows, price, r, cut, target_end, target_cost, -1)
        parses += 1
    number = 0
    while number < MAX_TAKEN and count > 0:
        # The gains are of older rounds: look at the best first, until one is confirmed.
        chosen_row = -1
        chosen_gain = 1e-6
        checked = 0
        order = np.argsort(-gain[:count], kind="mergesort")
        for o in range(count):
            r = order[o]
            if gain[r] <= chosen_gain:
                break
            if not _fits(rows, taken, number, r):
                gain[r] = -1.0
                continue
            _apply(rows, price, r, cut, target_end, target_cost, 1)
            gain[r] = best - parse(
                text,
                n,
                cut,
                target_end,
                target_cost,
                edge_first,
                edge_start,
                edge_cost,
                costs,
                closed,
                kind,
                start,
            )
            _apply(rows, price, r, cut, target_end, target_cost, -1)
            parses += 1
            checked += 1
            if gain[r] > chosen_gain:
                chosen_gain = gain[r]
                chosen_row = r
        if chosen_row < 0:
            break
        taken[number] = chosen_row
        number += 1
        _apply(rows, price, chosen_row, cut, target_end, target_cost, 1)
        gain[chosen_row] = -1.0
        best -= chosen_gain
    best = parse(
        text, n, cut, target_end, target_cost, edge_first, edge_start, edge_cost, costs, closed, kind, start
    )
    return best, number, parses
