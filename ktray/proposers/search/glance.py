"""A quick price for a structure: split points and copies of earlier parts, as if sources cost nothing extra."""

from __future__ import annotations

import numpy as np
from numba import njit

from ktray.proposers.search.costs import (
    CONSTANT_OP,
    LITERAL_ELEMENT,
    LITERAL_LINE,
    MERGE,
    MODULO,
    REVERSE,
    STEPS,
)
from ktray.proposers.search.parse import INF
from ktray.proposers.search.relations import gcd


@njit(cache=True)
def glance(text, n, first, parts, costs, stop, closed):
    """Return a low estimate of the bits of the streams text[first[d]:first[d + 1]]."""
    for d in range(parts):
        for i in range(first[d], first[d + 1]):
            stop[i] = first[d + 1]
    stop[n] = n
    head = costs[LITERAL_LINE]
    element = costs[LITERAL_ELEMENT]
    merge = costs[MERGE]
    closed[0] = 0.0
    for i in range(1, n + 1):
        closed[i] = INF
    literal = INF
    run = INF
    step = 1000
    for i in range(n):
        here = closed[i]
        if i == 0 or stop[i - 1] != stop[i]:
            literal = INF
            run = INF
            step = 1000
        else:
            new_step = int(text[i]) - int(text[i - 1])
            if new_step != step:
                run = INF
                step = new_step
            run = min(run, closed[i - 1] + costs[STEPS + 255 + step])
        literal = min(literal, here + head) + element
        closed[i + 1] = min(closed[i + 1], min(literal, run))
        # Copies that start here, of what stands before.
        same = 0
        shifted = 0
        backwards = 0
        reduced = 0
        top = stop[i] - i
        t0 = int(text[i])
        for k in range(i):
            s0 = int(text[k])
            room = min(top, min(stop[k], i) - k)
            delta = t0 - s0
            if delta == 0:
                q = 1
                while q < room and text[k + q] == text[i + q]:
                    q += 1
                same = max(same, q)
                q = 1
                while q < top and k >= q and stop[k - q] == stop[k] and text[k - q] == text[i + q]:
                    q += 1
                backwards = max(backwards, q)
            elif room > 1 and int(text[i + 1]) - int(text[k + 1]) == delta:
                q = 2
                while q < room and int(text[i + q]) - int(text[k + q]) == delta:
                    q += 1
                shifted = max(shifted, q)
            if t0 <= s0 and room > reduced:
                g = 0
                high = 0
                q = 0
                while q < room:
                    sq = int(text[k + q])
                    tq = int(text[i + q])
                    if tq > sq:
                        break
                    h = gcd(g, sq - tq) if sq > tq else g
                    high = max(high, tq)
                    if h > 0 and h <= high:
                        break
                    g = h
                    q += 1
                if g > 1:
                    reduced = max(reduced, q)
        for q in range(2, same + 1):
            closed[i + q] = min(closed[i + q], here + merge)
        for q in range(3, backwards + 1):
            closed[i + q] = min(closed[i + q], here + merge + costs[REVERSE])
        for q in range(4, shifted + 1):
            closed[i + q] = min(closed[i + q], here + merge + costs[CONSTANT_OP])
        for q in range(4, reduced + 1):
            closed[i + q] = min(closed[i + q], here + merge + costs[MODULO])
    return closed[n]
