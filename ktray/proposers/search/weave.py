"""Undoing interleavings: which prefixes of a sequence, split by parity, make it cheap to write.

interleave(a, b) followed by concatenations equals one interleave of a longer list, so one peel is a
number m of pairs and a side: which parity holds the shorter list. Peels nest in the part merged so far.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ktray.proposers.search.arrays import Floats, Ints
from ktray.proposers.search.costs import LITERAL_ELEMENT, SPLIT, STEPS
from ktray.proposers.search.echoes import MAX_ECHOES, bonus, find_echoes
from ktray.proposers.search.glance import glance
from ktray.proposers.search.parse import INF, backward, forward

#: Sides: the shorter list holds the odd positions (the later operand), or the even ones.
ODD_SHORT = 1
EVEN_SHORT = 0

MAX_DEPTH = 8


@njit(cache=True)
def _copy(source: Ints, begin: int, count: int, target: Ints, at: int) -> None:
    """Copy `count` elements; a loop compiles far faster than a slice assignment with its checks."""
    for k in range(count):
        target[at + k] = source[begin + k]


@njit(cache=True)
def _join(
    left: Ints,
    m: int,
    prefix_closed: Floats,
    prefix_literal: Floats,
    prefix_run: Floats,
    whole: Ints,
    q: int,
    n: int,
    suffix_closed: Floats,
    suffix_literal: Floats,
    length: Ints,
    costs: Floats,
) -> float:
    """Return the bits of left[:m] + whole[q:n], from the tables of both."""
    best = prefix_closed[m] + suffix_closed[q]
    if q >= n:
        return float(best)
    best = min(best, prefix_literal[m] + suffix_literal[q])
    step = int(whole[q]) - int(left[m - 1])
    reach = q + 1
    if q + 1 < n and int(whole[q + 1]) - int(whole[q]) == step:
        reach = q + length[q]
    best = min(best, prefix_closed[m - 1] + costs[STEPS + 255 + step] + suffix_closed[reach])
    if m >= 2 and int(left[m - 1]) - int(left[m - 2]) == step:
        best = min(best, prefix_run[m] + suffix_closed[reach])
    return float(best)


@njit(cache=True)
def hidden(text: Ints, n: int, costs: Floats, least: int, each: Floats) -> None:
    """Fill each[i] with what element i would cost at most if every progression at a stride of `least`, twice
    that, and so on up to 16, were laid bare."""
    for i in range(n):
        each[i] = costs[LITERAL_ELEMENT]
    stride = least
    while stride <= 16 and 3 * stride < n:
        for residue in range(stride):
            begin = residue
            i = residue + stride
            while i < n:
                step = text[i] - text[i - stride]
                begin = i - stride
                while i + stride < n and text[i + stride] - text[i] == step:
                    i += stride
                count = (i - begin) // stride + 1
                price = costs[STEPS + 255 + step] / count
                if price < each[i]:
                    for k in range(begin, i + 1, stride):
                        each[k] = min(each[k], price)
                i += stride
        stride *= 2


@njit(cache=True)
def sweep(text: Ints, n: int, costs: Floats, room: Floats, lengths: Ints, score: Floats) -> float:
    """Fill score[side, m] with the bits of peeling m pairs off text[:n], the part that goes on priced as if
    what is woven into it were laid bare."""
    half = n // 2
    even = text[0:n:2].copy()
    odd = text[1:n:2].copy()
    plain = room[8]
    plain[:n] = costs[LITERAL_ELEMENT]
    hidden(text, n, costs, 2, room[9])
    hidden(text, n, costs, 4, room[10])
    forward(even, half, plain, costs, 0.0, room[0], room[1], room[2])
    forward(odd, half, plain, costs, 0.0, room[3], room[4], room[5])
    forward(even, half, room[10, 0:n:2].copy(), costs, 0.0, room[11], room[12], room[13])
    forward(odd, half, plain, costs, costs[SPLIT], room[14], room[15], room[16])
    backward(text, n, plain, costs, room[17], room[18], lengths)
    backward(text, n, room[9], costs, room[6], room[7], lengths)
    for m in range(2, half + 1):
        score[1, m] = room[14, m] + _join(
            even, m, room[11], room[12], room[13], text, 2 * m, n, room[6], room[7], lengths, costs
        )
        score[0, m] = room[11, m] + _join(
            odd, m, room[14], room[15], room[16], text, 2 * m, n, room[17], room[18], lengths, costs
        )
    return float(room[6, 0])


@njit(cache=True)
def peel(text: Ints, n: int, m: int, side: int, short: Ints, long: Ints) -> tuple[int, int]:
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
def _offer(
    score: float,
    depth: int,
    path_m: Ints,
    path_side: Ints,
    found: int,
    keep: int,
    scores: Floats,
    depths: Ints,
    ms: Ints,
    sides: Ints,
) -> int:
    """Insert a structure into the list of the best; return the list's new length."""
    if found == keep and score >= scores[found - 1]:
        return found
    at = found if found < keep else keep - 1
    while at > 0 and scores[at - 1] > score:
        scores[at] = scores[at - 1]
        depths[at] = depths[at - 1]
        _copy(ms[at - 1], 0, MAX_DEPTH, ms[at], 0)
        _copy(sides[at - 1], 0, MAX_DEPTH, sides[at], 0)
        at -= 1
    scores[at] = score
    depths[at] = depth
    _copy(path_m, 0, MAX_DEPTH, ms[at], 0)
    _copy(path_side, 0, MAX_DEPTH, sides[at], 0)
    return min(found + 1, keep)


@njit(cache=True)
def _gather(
    score: Floats, fixed: float, half: int, node: int, into_score: Floats, into_path: Ints, count: int
) -> int:
    """Append the local minima of score over m, both sides, with (node, m, side); return the new count."""
    for side in range(2):
        for m in range(2, half + 1):
            s = score[side, m]
            if s < INF and s <= score[side, m - 1] and s <= score[side, m + 1]:
                into_score[count] = s + fixed
                into_path[count, 0] = node
                into_path[count, 1] = m
                into_path[count, 2] = side
                count += 1
    return count


@njit(cache=True)
def _pick(cand_score: Floats, cand_path: Ints, count: int, most: int, picked: Ints, held: int) -> int:
    """Append the `most` cheapest candidates not picked yet; return the new number picked."""
    order = np.argsort(cand_score[:count], kind="mergesort")
    for o in range(min(count, most)):
        path = cand_path[order[o]]
        known = False
        for h in range(held):
            if picked[h, 0] == path[0] and picked[h, 1] == path[1] and picked[h, 2] == path[2]:
                known = True
                break
        if not known:
            _copy(path, 0, 3, picked[held], 0)
            held += 1
    return held


@njit(cache=True)
def _lay(
    text: Ints,
    first: Ints,
    level: int,
    n: int,
    m: int,
    side: int,
    row: Ints,
    row_first: Ints,
    short: Ints,
    long: Ints,
) -> tuple[int, int]:
    """Lay out streams with one more peel in row; return the begin and end of the part peeled off."""
    begin = first[level]
    ns, nl = peel(text[begin:n], n - begin, m, side, short, long)
    _copy(text, 0, begin, row, 0)
    _copy(first, 0, level + 1, row_first, 0)
    if side == 1:
        _copy(short, 0, ns, row, begin)
        _copy(long, 0, nl, row, begin + ns)
        end = begin + ns
    else:
        _copy(long, 0, nl, row, begin)
        _copy(short, 0, ns, row, begin + nl)
        end = begin + nl
    row_first[level + 1] = end
    row_first[level + 2] = n
    return begin, end


@njit(cache=True)
def weaves(
    text: Ints,
    n: int,
    costs: Floats,
    width: int,
    closely: int,
    depth: int,
    keep: int,
    scores: Floats,
    depths: Ints,
    ms: Ints,
    sides: Ints,
    budget: int,
) -> tuple[int, int]:
    """Beam search over nested peels; fill the `keep` best, cheapest first; return their number and the work done.

    Structure r has depths[r] peels, ms[r, d] and sides[r, d] from the outermost inwards. Each level keeps the
    `width` best by split points alone and the `closely` best by `glance`; echoes are looked for in the first
    `closely` of both.
    """
    room = np.empty((19, n + 2))
    lengths = np.empty(n + 2, np.int64)
    plain = np.full((2, n // 2 + 2), INF)
    score = np.full((2, n // 2 + 2), INF)
    short = np.empty(n + 1, np.int64)
    long = np.empty(n + 1, np.int64)
    closed = np.empty(n + 2)
    by_value = np.full(256, -1, np.int64)
    by_step = np.full(511, -1, np.int64)
    chain_value = np.empty(n + 2, np.int64)
    chain_step = np.empty(n + 2, np.int64)
    stop = np.empty(n + 2, np.int64)
    each = np.full(n + 2, costs[LITERAL_ELEMENT])
    echoes = np.zeros((MAX_ECHOES, 5), np.int64)
    worth = np.zeros(MAX_ECHOES)
    price = np.zeros((MAX_ECHOES, 2))
    used = np.zeros(n + 2, np.int64)
    mark = 0
    # The beam: streams laid out as in `streams`, the last one what is merged so far.
    most = width + closely
    beam_text = np.empty((most, n + 1), np.int64)
    beam_first = np.zeros((most, MAX_DEPTH + 2), np.int64)
    beam_fixed = np.zeros(most)
    beam_close = np.ones(most, np.bool_)
    beam_ms = np.zeros((most, MAX_DEPTH), np.int64)
    beam_sides = np.zeros((most, MAX_DEPTH), np.int64)
    _copy(text, 0, n, beam_text[0], 0)
    beam_first[0, 1] = n
    beam = 1
    start = glance(
        text,
        n,
        beam_first[0],
        1,
        beam_ms[0],
        costs,
        closed,
        by_value,
        by_step,
        chain_value,
        chain_step,
        stop,
        each,
        0.0,
    )
    found = _offer(start, 0, beam_ms[0], beam_sides[0], 0, keep, scores, depths, ms, sides)
    picked = np.zeros((2 * width, 3), np.int64)
    pool_text = np.empty((2 * width, n + 1), np.int64)
    pool_first = np.zeros((2 * width, MAX_DEPTH + 2), np.int64)
    pool_ms = np.zeros(MAX_DEPTH, np.int64)
    pool_score = np.empty(2 * width)
    pool_fixed = np.empty(2 * width)
    work = 0
    idle = 0
    for level in range(min(depth, MAX_DEPTH)):
        plain_score = np.empty(beam * (n + 2))
        plain_path = np.empty((beam * (n + 2), 3), np.int64)
        echo_score = np.empty(beam * (n + 2))
        echo_path = np.empty((beam * (n + 2), 3), np.int64)
        plain_count = 0
        echo_count = 0
        for b in range(beam):
            begin = beam_first[b, level]
            nb = n - begin
            if nb < 4 or work >= budget:
                continue
            work += 4 * nb
            acc = beam_text[b, begin:n]
            half = nb // 2
            plain.fill(INF)
            sweep(acc, nb, costs, room, lengths, plain)
            plain_count = _gather(plain, beam_fixed[b], half, b, plain_score, plain_path, plain_count)
            if not beam_close[b]:
                continue
            work += nb * nb
            number = find_echoes(acc, nb, costs, room, echoes, worth, price)
            if number > 0:
                score.fill(INF)
                for m in range(2, half + 1):
                    mark += 1
                    saved = bonus(m, echoes, worth, price, number, used, mark)
                    score[0, m] = plain[0, m] - saved
                    score[1, m] = plain[1, m] - saved
                echo_count = _gather(score, beam_fixed[b], half, b, echo_score, echo_path, echo_count)
        held = _pick(plain_score, plain_path, plain_count, width, picked, 0)
        by_plain = held
        held = _pick(echo_score, echo_path, echo_count, width, picked, held)
        if held == 0:
            break
        work += 10 * held * n
        for h in range(held):
            b = picked[h, 0]
            begin, end = _lay(
                beam_text[b],
                beam_first[b],
                level,
                n,
                picked[h, 1],
                picked[h, 2],
                pool_text[h],
                pool_first[h],
                short,
                long,
            )
            part = pool_text[h, begin:end]
            _copy(beam_ms[b], 0, level, pool_ms, 0)
            pool_ms[level] = picked[h, 1]
            pool_fixed[h] = beam_fixed[b] + forward(
                part, end - begin, room[8], costs, 0.0, room[0], room[1], room[2]
            )
            pool_score[h] = glance(
                pool_text[h],
                n,
                pool_first[h],
                level + 2,
                pool_ms,
                costs,
                closed,
                by_value,
                by_step,
                chain_value,
                chain_step,
                stop,
                each,
                0.0,
            )
        if min(pool_score[:held]) >= scores[0]:
            idle += 1
            if idle == 2:
                break
        else:
            idle = 0
        # The next beam: the best by glance, then the best by split points.
        order = np.argsort(pool_score[:held], kind="mergesort")
        taken = np.zeros(held, np.bool_)
        next_ms = np.zeros((most, MAX_DEPTH), np.int64)
        next_sides = np.zeros((most, MAX_DEPTH), np.int64)
        next_text = np.empty((most, n + 1), np.int64)
        next_first = np.zeros((most, MAX_DEPTH + 2), np.int64)
        next_fixed = np.zeros(most)
        kept = 0
        for turn in range(2):
            for o in range(min(held, closely) if turn == 0 else by_plain):
                h = order[o] if turn == 0 else o
                if taken[h]:
                    continue
                taken[h] = True
                b = picked[h, 0]
                _copy(pool_text[h], 0, n, next_text[kept], 0)
                _copy(pool_first[h], 0, MAX_DEPTH + 2, next_first[kept], 0)
                next_fixed[kept] = pool_fixed[h]
                _copy(beam_ms[b], 0, MAX_DEPTH, next_ms[kept], 0)
                _copy(beam_sides[b], 0, MAX_DEPTH, next_sides[kept], 0)
                next_ms[kept, level] = picked[h, 1]
                next_sides[kept, level] = picked[h, 2]
                beam_close[kept] = turn == 0 or o < closely
                found = _offer(
                    pool_score[h],
                    level + 1,
                    next_ms[kept],
                    next_sides[kept],
                    found,
                    keep,
                    scores,
                    depths,
                    ms,
                    sides,
                )
                kept += 1
        beam = kept
        beam_ms = next_ms
        beam_sides = next_sides
        beam_text = next_text
        beam_first = next_first
        beam_fixed = next_fixed
    return found, work


@njit(cache=True)
def streams(text: Ints, n: int, depth: int, ms: Ints, sides: Ints, out: Ints, first: Ints) -> int:
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
            _copy(short, 0, ns, out, at)
            at += ns
            _copy(long, 0, nl, acc, 0)
            na = nl
        else:
            _copy(long, 0, nl, out, at)
            at += nl
            _copy(short, 0, ns, acc, 0)
            na = ns
    first[depth] = at
    _copy(acc, 0, na, out, at)
    first[depth + 1] = at + na
    return depth + 1
