"""A quick price for a structure: split points and copies of earlier parts, as if sources cost nothing extra."""

from __future__ import annotations

from ktray.kernels import njit
from ktray.proposers.search.arrays import Floats, Ints
from ktray.proposers.search.costs import CONSTANT_OP, LITERAL_LINE, MERGE, REUSE, REVERSE, SPLIT, STEPS
from ktray.proposers.search.parse import INF

#: Earlier places of a value, or a step, that are looked at, the latest first.
RECENT = 32


@njit(cache=True)
def glance(
    text: Ints,
    n: int,
    first: Ints,
    parts: int,
    pairs: Ints,
    costs: Floats,
    closed: Floats,
    by_value: Ints,
    by_step: Ints,
    chain_value: Ints,
    chain_step: Ints,
    stop: Ints,
    each: Floats,
    extra: float,
) -> float:
    """Return a low estimate of the bits of the streams text[first[d]:first[d + 1]].

    pairs[d] elements at the head of stream d are woven in as one list: each border within them costs more.
    each[i] is the price of element i in a literal, `extra` what a copy costs more than its operation.
    by_value (256) and by_step (511) must hold -1 and hold it again afterwards; the rest is work space (n + 2).
    """
    for d in range(parts):
        for i in range(first[d], first[d + 1]):
            stop[i] = first[d + 1]
    stop[n] = n
    head = costs[LITERAL_LINE]
    merge = costs[MERGE]
    again = merge + costs[REUSE] + extra
    made = merge + extra
    closed[0] = 0.0
    for i in range(1, n + 1):
        closed[i] = INF
    literal = INF
    run = INF
    step = 1000
    part = 0
    for i in range(n):
        if i == first[part + 1]:
            part += 1
        if part < parts - 1 and first[part] < i < first[part] + pairs[part]:
            closed[i] += costs[SPLIT]
        here = closed[i]
        value = text[i]
        if i == 0 or stop[i - 1] != stop[i]:
            literal = INF
            run = INF
            step = 1000
        else:
            new_step = value - text[i - 1]
            if new_step != step:
                run = INF
                step = new_step
            run = min(run, closed[i - 1] + costs[STEPS + 255 + step])
        literal = min(literal, here + head) + each[i]
        closed[i + 1] = min(closed[i + 1], min(literal, run))
        # Copies that start here, of what stands before.
        top = stop[i] - i
        same = 1
        backwards = 1
        k = by_value[value]
        left = RECENT
        while k >= 0 and left > 0:
            left -= 1
            room = min(top, min(stop[k], i) - k)
            q = 1
            while q < room and text[k + q] == text[i + q]:
                q += 1
            same = max(same, q)
            q = 1
            while q < top and k >= q and stop[k - q] == stop[k] and text[k - q] == text[i + q]:
                q += 1
            backwards = max(backwards, q)
            k = chain_value[k]
        chain_value[i] = by_value[value]
        by_value[value] = i
        shifted = 1
        if top > 1:
            ahead = text[i + 1] - value + 255
            k = by_step[ahead]
            left = RECENT
            while k >= 0 and left > 0:
                left -= 1
                room = min(top, min(stop[k], i) - k)
                delta = value - text[k]
                q = 2
                while q < room and text[i + q] - text[k + q] == delta:
                    q += 1
                shifted = max(shifted, q)
                k = chain_step[k]
            chain_step[i] = by_step[ahead]
            by_step[ahead] = i
        for q in range(2, same + 1):
            closed[i + q] = min(closed[i + q], here + again)
        for q in range(3, backwards + 1):
            closed[i + q] = min(closed[i + q], here + made + costs[REVERSE])
        for q in range(4, shifted + 1):
            closed[i + q] = min(closed[i + q], here + made + costs[CONSTANT_OP])
    for i in range(n):
        by_value[text[i]] = -1
        if i + 1 < n:
            by_step[text[i + 1] - text[i] + 255] = -1
    return float(closed[n])
