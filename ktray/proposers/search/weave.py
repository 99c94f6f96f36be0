"""Undoing interleavings: which prefixes of a sequence, split by parity, make it cheap to write.

interleave(a, b) followed by concatenations equals one interleave of a longer list, so one peel is a
number m of pairs and a side: which parity holds the shorter list. Peels nest in the part merged so far.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ktray.proposers.search.costs import STEPS
from ktray.proposers.search.echoes import MAX_ECHOES, bonus, find_echoes
from ktray.proposers.search.parse import INF, backward, forward

#: Sides: the shorter list holds the odd positions (the later operand), or the even ones.
ODD_SHORT = 1
EVEN_SHORT = 0

MAX_DEPTH = 8


@njit(cache=True)
def _join(
    left,
    m,
    prefix_closed,
    prefix_literal,
    prefix_run,
    whole,
    q,
    n,
    suffix_closed,
    suffix_literal,
    length,
    costs,
):
    """Return the bits of left[:m] + whole[q:n], from the tables of both."""
    best = prefix_closed[m] + suffix_closed[q]
    if q >= n:
        return best
    best = min(best, prefix_literal[m] + suffix_literal[q])
    step = int(whole[q]) - int(left[m - 1])
    reach = q + 1
    if q + 1 < n and int(whole[q + 1]) - int(whole[q]) == step:
        reach = q + length[q]
    best = min(best, prefix_closed[m - 1] + costs[STEPS + 255 + step] + suffix_closed[reach])
    if m >= 2 and int(left[m - 1]) - int(left[m - 2]) == step:
        best = min(best, prefix_run[m] + suffix_closed[reach])
    return best


@njit(cache=True)
def sweep(text, n, costs, room, lengths, score):
    """Fill score[side, m] with the bits of peeling m pairs off text[:n], each part parsed without peels."""
    half = n // 2
    even = text[0:n:2].copy()
    odd = text[1:n:2].copy()
    forward(even, half, costs, room[0], room[1], room[2])
    forward(odd, half, costs, room[3], room[4], room[5])
    backward(text, n, costs, room[6], room[7], lengths)
    for m in range(2, half + 1):
        score[1, m] = room[3, m] + _join(
            even, m, room[0], room[1], room[2], text, 2 * m, n, room[6], room[7], lengths, costs
        )
        score[0, m] = room[0, m] + _join(
            odd, m, room[3], room[4], room[5], text, 2 * m, n, room[6], room[7], lengths, costs
        )
    return room[6, 0]


@njit(cache=True)
def peel(text, n, m, side, short, long):
    """Write the two parts of text[:n] with m pairs peeled; return the lengths (short, long)."""
    for k in range(m):
        if side == 1:
            long[k] = text[2 * k]
            short[k] = text[2 * k + 1]
        else:
            short[k] = text[2 * k]
            long[k] = text[2 * k + 1]
    for k in range(2 * m, n):
        long[k - m] = text[k]
    return m, n - m


@njit(cache=True)
def weaves(text, n, costs, width, depth, keep, scores, depths, ms, sides):
    """Beam search over nested peels; fill the `keep` best structures, cheapest first; return their number.

    Structure r has depths[r] peels, ms[r, d] and sides[r, d] from the outermost inwards.
    """
    room = np.empty((8, n + 2))
    lengths = np.empty(n + 2, np.int64)
    score = np.full((2, n // 2 + 2), INF)
    short = np.empty(n + 1, np.int64)
    long = np.empty(n + 1, np.int64)
    # The beam: what is merged so far, the bits of what was peeled off, and the path.
    beam_text = np.empty((width, n), np.int64)
    beam_n = np.zeros(width, np.int64)
    beam_fixed = np.zeros(width)
    beam_ms = np.zeros((width, MAX_DEPTH), np.int64)
    beam_sides = np.zeros((width, MAX_DEPTH), np.int64)
    beam_text[0, :n] = text[:n]
    beam_n[0] = n
    beam = 1
    found = 1
    scores[0] = forward(text, n, costs, room[0], room[1], room[2])
    depths[0] = 0
    echoes = np.zeros((MAX_ECHOES, 5), np.int64)
    worth = np.zeros(MAX_ECHOES)
    price = np.zeros((MAX_ECHOES, 2))
    used = np.zeros(n + 2, np.int64)
    mark = 0
    for level in range(min(depth, MAX_DEPTH)):
        cand_score = np.empty(beam * 2 * (n // 2 + 1))
        cand_from = np.empty(len(cand_score), np.int64)
        cand_m = np.empty(len(cand_score), np.int64)
        cand_side = np.empty(len(cand_score), np.int64)
        cand_credit = np.empty(len(cand_score))
        count = 0
        for b in range(beam):
            nb = beam_n[b]
            if nb < 4:
                continue
            half = nb // 2
            score[:, :] = INF
            sweep(beam_text[b], nb, costs, room, lengths, score)
            echo_count = find_echoes(beam_text[b], nb, costs, room, echoes, worth, price)
            if level == 0:
                mark += 1
                scores[0] -= bonus(0, -1, echoes, worth, price, echo_count, used, mark)
            if echo_count > 0:
                for m in range(2, half + 1):
                    mark += 1
                    saved = bonus(m, -1, echoes, worth, price, echo_count, used, mark)
                    score[0, m] -= saved
                    score[1, m] -= saved
            for side in range(2):
                for m in range(2, half + 1):
                    s = score[side, m]
                    # Keep only what is no worse than its neighbours; near misses are repaired later.
                    if s <= score[side, m - 1] and s <= score[side, m + 1]:
                        cand_score[count] = s + beam_fixed[b]
                        cand_from[count] = b
                        cand_m[count] = m
                        cand_side[count] = side
                        cand_credit[count] = 0.0
                        if echo_count > 0:
                            mark += 1
                            short_parity = 1
                            cand_credit[count] = bonus(
                                m, short_parity, echoes, worth, price, echo_count, used, mark
                            )
                        count += 1
        if count == 0:
            break
        order = np.argsort(cand_score[:count], kind="mergesort")
        new = min(count, width)
        next_text = np.empty((width, n), np.int64)
        next_n = np.zeros(width, np.int64)
        next_fixed = np.zeros(width)
        next_ms = np.zeros((width, MAX_DEPTH), np.int64)
        next_sides = np.zeros((width, MAX_DEPTH), np.int64)
        for r in range(new):
            c = order[r]
            b = cand_from[c]
            m = cand_m[c]
            side = cand_side[c]
            ns, nl = peel(beam_text[b], beam_n[b], m, side, short, long)
            if side == 1:
                next_text[r, :nl] = long[:nl]
                next_n[r] = nl
                rest = forward(short, ns, costs, room[0], room[1], room[2])
            else:
                next_text[r, :ns] = short[:ns]
                next_n[r] = ns
                rest = forward(long, nl, costs, room[0], room[1], room[2])
            next_fixed[r] = beam_fixed[b] + rest - cand_credit[c]
            next_ms[r] = beam_ms[b]
            next_sides[r] = beam_sides[b]
            next_ms[r, level] = m
            next_sides[r, level] = side
            # Offer the structure to the list of the best.
            s = cand_score[c]
            if found < keep or s < scores[found - 1]:
                at = found if found < keep else keep - 1
                while at > 0 and scores[at - 1] > s:
                    scores[at] = scores[at - 1]
                    depths[at] = depths[at - 1]
                    ms[at] = ms[at - 1]
                    sides[at] = sides[at - 1]
                    at -= 1
                scores[at] = s
                depths[at] = level + 1
                ms[at] = next_ms[r]
                sides[at] = next_sides[r]
                if found < keep:
                    found += 1
        beam = new
        beam_text = next_text
        beam_n = next_n
        beam_fixed = next_fixed
        beam_ms = next_ms
        beam_sides = next_sides
    return found


@njit(cache=True)
def streams(text, n, depth, ms, sides, out, first):
    """Lay the parts of a structure out one after another in out[:n]; part d is out[first[d]:first[d + 1]].

    Parts 0 .. depth - 1 are those peeled off, from the outermost inwards; part `depth` is what remains.
    """
    acc = text[:n].copy()
    na = n
    short = np.empty(n + 1, np.int64)
    long = np.empty(n + 1, np.int64)
    at = 0
    for d in range(depth):
        first[d] = at
        ns, nl = peel(acc, na, ms[d], sides[d], short, long)
        if sides[d] == 1:
            out[at : at + ns] = short[:ns]
            at += ns
            acc[:nl] = long[:nl]
            na = nl
        else:
            out[at : at + nl] = long[:nl]
            at += nl
            acc[:ns] = short[:ns]
            na = ns
    first[depth] = at
    out[at : at + na] = acc[:na]
    first[depth + 1] = at + na
    return depth + 1
