"""The dynamic programme over split points: the cheapest way to write a text as pieces, at exact prices.

A text is the streams of an interleaving one after another; no piece crosses a cut.
"""

from __future__ import annotations

from ktray.kernels import njit
from ktray.proposers.search.arrays import Floats, Ints
from ktray.proposers.search.costs import LEAST, LITERAL_ELEMENT, LITERAL_LINE, SHORT, STEPS

#: Kinds of piece.
LITERAL = 0
PROGRESSION = 1
TARGET = 2  # defined by a relation to another part of the text

INF = 1e18


@njit(cache=True)
def parse(
    text: Ints,
    n: int,
    cut: Ints,
    target_end: Ints,
    target_cost: Floats,
    costs: Floats,
    closed: Floats,
    kind: Ints,
    start: Ints,
) -> float:
    """Return the bits of the best parse of text[:n]; fill `closed`, and `kind` and `start` of the piece
    that ends at each position.

    cut[i] > 0 forbids pieces across i. target_end[i] > 0 makes text[i:target_end[i]] one piece at
    target_cost[i].
    """
    head = costs[LITERAL_LINE]
    element = costs[LITERAL_ELEMENT]
    short = costs[SHORT]
    closed[0] = 0.0
    # The best open literal and progression: of any length at the price of short ones, and of LEAST at least.
    literal = INF
    literal_start = 0
    long_literal = INF
    long_literal_start = 0
    run = INF
    run_start = 0
    long_run = INF
    long_run_start = 0
    step = 1000
    run_first = 0
    last_cut = 0
    i = 0
    while i < n:
        here = closed[i]
        if cut[i] > 0:
            literal = INF
            long_literal = INF
            last_cut = i
        j = target_end[i]
        if j > 0:
            for k in range(i + 1, j):
                closed[k] = INF
            closed[j] = here + target_cost[i]
            kind[j] = TARGET
            start[j] = i
            literal = INF
            long_literal = INF
            last_cut = j
            i = j
            continue
        if here + head < literal:
            literal = here + head
            literal_start = i
        literal += element
        long_literal += element
        back = i + 1 - LEAST
        if back >= last_cut:
            fresh = closed[back] + head + LEAST * element
            if fresh < long_literal:
                long_literal = fresh
                long_literal_start = back
        best = literal + short
        best_start = literal_start
        if long_literal <= best:
            best = long_literal
            best_start = long_literal_start
        best_kind = LITERAL
        if i > last_cut:
            new_step = text[i] - text[i - 1]
            if new_step != step or run_first < last_cut:
                run = INF
                long_run = INF
                step = new_step
                run_first = i - 1
            price = costs[STEPS + 255 + step]
            fresh = closed[i - 1] + price
            if fresh < run:
                run = fresh
                run_start = i - 1
            if back >= run_first:
                fresh = closed[back] + price
                if fresh < long_run:
                    long_run = fresh
                    long_run_start = back
            if long_run < best:
                best = long_run
                best_kind = PROGRESSION
                best_start = long_run_start
            if run + short < best:
                best = run + short
                best_kind = PROGRESSION
                best_start = run_start
        else:
            step = 1000
        closed[i + 1] = best
        kind[i + 1] = best_kind
        start[i + 1] = best_start
        i += 1
    return float(closed[n])


@njit(cache=True)
def forward(
    text: Ints,
    n: int,
    each: Floats,
    costs: Floats,
    split: float,
    closed: Floats,
    literal: Floats,
    run: Floats,
) -> float:
    """Fill, for each prefix of text[:n], the bits of its best parse, and of the best that ends in an open
    literal or an open progression. each[i] is the price of element i in a literal, `split` what every border
    between two pieces costs."""
    head = costs[LITERAL_LINE]
    closed[0] = 0.0
    literal[0] = INF
    run[0] = INF
    step = 1000
    open_literal = INF
    open_run = INF
    for i in range(n):
        border = split if i > 0 else 0.0
        open_literal = min(open_literal, closed[i] + border + head) + each[i]
        if i > 0:
            new_step = text[i] - text[i - 1]
            if new_step != step:
                open_run = INF
                step = new_step
            border = split if i > 1 else 0.0
            open_run = min(open_run, closed[i - 1] + border + costs[STEPS + 255 + step])
        literal[i + 1] = open_literal
        run[i + 1] = open_run
        closed[i + 1] = min(open_literal, open_run)
    return float(closed[n])


@njit(cache=True)
def backward(
    text: Ints, n: int, each: Floats, costs: Floats, closed: Floats, literal: Floats, length: Ints
) -> float:
    """Fill, for each suffix text[i:n], the bits of its best parse, of the best that starts inside an open
    literal, and the length of the longest progression that starts at i.

    each[i] is the price of element i in a literal.
    """
    head = costs[LITERAL_LINE]
    closed[n] = 0.0
    literal[n] = INF
    length[n] = 0
    open_run = INF
    step = 1000
    for i in range(n - 1, -1, -1):
        inside = min(literal[i + 1], closed[i + 1])
        literal[i] = inside + each[i]
        best = literal[i] + head
        if i + 1 < n:
            new_step = (text[i + 1]) - (text[i])
            if new_step != step:
                open_run = INF
                step = new_step
                length[i] = 2
            else:
                length[i] = length[i + 1] + 1
            tail = closed[i + 2] if i + 2 <= n else 0.0
            open_run = min(open_run, tail + costs[STEPS + 255 + step])
            best = min(best, open_run)
        else:
            length[i] = 1
        closed[i] = best
    return float(closed[0])
