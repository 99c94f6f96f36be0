"""Beam search over nested peels, level by level from the outermost inwards: by split points, then a closer look."""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ktray.kernels import njit
from ktray.proposers.search.arrays import Bools, Floats, Ints
from ktray.proposers.search.costs import LITERAL_ELEMENT
from ktray.proposers.search.echoes import MAX_ECHOES, bonus, find_echoes
from ktray.proposers.search.glance import glance
from ktray.proposers.search.parse import INF, forward
from ktray.proposers.search.weave.peel import MAX_DEPTH, copy, lay
from ktray.proposers.search.weave.sweep import sweep


class Beam(NamedTuple):
    """Structures of one level, a row each: their streams laid out as in `streams`, the last one what is merged so
    far; the bits of those peeled off; whether they are looked at closely; their peels, the outermost first."""

    text: Ints
    first: Ints
    fixed: Floats
    close: Bools
    ms: Ints
    sides: Ints


class Found(NamedTuple):
    """The best structures of all levels, cheapest first."""

    scores: Floats
    depths: Ints
    ms: Ints
    sides: Ints


class Candidates(NamedTuple):
    """Peels of a level's structures: price, and (structure, pairs, side)."""

    score: Floats
    path: Ints


class Desk(NamedTuple):
    """Work space for a text of n elements: tables of `sweep`, those of `glance`, and echoes."""

    room: Floats
    lengths: Ints
    plain: Floats
    score: Floats
    closed: Floats
    each: Floats
    by_value: Ints
    by_step: Ints
    chains: Ints
    short: Ints
    long: Ints
    echoes: Ints
    worth: Floats
    price: Floats
    used: Ints


@njit(cache=True)
def _new_beam(most: int, n: int) -> Beam:
    """Return blank rows for `most` structures."""
    return Beam(
        np.empty((most, n + 1), np.int64),
        np.zeros((most, MAX_DEPTH + 2), np.int64),
        np.zeros(most),
        np.ones(most, np.bool_),
        np.zeros((most, MAX_DEPTH), np.int64),
        np.zeros((most, MAX_DEPTH), np.int64),
    )


@njit(cache=True)
def _new_desk(n: int, costs: Floats) -> Desk:
    """Return work space for n elements."""
    return Desk(
        np.empty((19, n + 2)),
        np.empty(n + 2, np.int64),
        np.full((2, n // 2 + 2), INF),
        np.full((2, n // 2 + 2), INF),
        np.empty(n + 2),
        np.full(n + 2, costs[LITERAL_ELEMENT]),
        np.full(256, -1, np.int64),
        np.full(511, -1, np.int64),
        np.empty((3, n + 2), np.int64),
        np.empty(n + 1, np.int64),
        np.empty(n + 1, np.int64),
        np.zeros((MAX_ECHOES, 5), np.int64),
        np.zeros(MAX_ECHOES),
        np.zeros((MAX_ECHOES, 2)),
        np.zeros(n + 2, np.int64),
    )


@njit(cache=True)
def _look(text: Ints, n: int, first: Ints, parts: int, ms: Ints, costs: Floats, desk: Desk) -> float:
    """Return the quick price of a structure."""
    return glance(
        text, n, first, parts, ms, costs, desk.closed, desk.by_value, desk.by_step,
        desk.chains[0], desk.chains[1], desk.chains[2], desk.each, 0.0,
    )  # fmt: skip


@njit(cache=True)
def _offer(score: float, depth: int, ms: Ints, sides: Ints, count: int, found: Found) -> int:
    """Insert a structure into the list of the best; return the list's new length."""
    keep = len(found.scores)
    if count == keep and score >= found.scores[count - 1]:
        return count
    at = count if count < keep else keep - 1
    while at > 0 and found.scores[at - 1] > score:
        found.scores[at] = found.scores[at - 1]
        found.depths[at] = found.depths[at - 1]
        copy(found.ms[at - 1], 0, MAX_DEPTH, found.ms[at], 0)
        copy(found.sides[at - 1], 0, MAX_DEPTH, found.sides[at], 0)
        at -= 1
    found.scores[at] = score
    found.depths[at] = depth
    copy(ms, 0, MAX_DEPTH, found.ms[at], 0)
    copy(sides, 0, MAX_DEPTH, found.sides[at], 0)
    return min(count + 1, keep)


@njit(cache=True)
def _gather(score: Floats, fixed: float, half: int, node: int, into: Candidates, count: int) -> int:
    """Append the local minima of score over m, both sides, with (node, m, side); return the new count."""
    for side in range(2):
        for m in range(2, half + 1):
            s = score[side, m]
            if s < INF and s <= score[side, m - 1] and s <= score[side, m + 1]:
                into.score[count] = s + fixed
                into.path[count, 0] = node
                into.path[count, 1] = m
                into.path[count, 2] = side
                count += 1
    return count


@njit(cache=True)
def _pick(candidates: Candidates, count: int, most: int, picked: Ints, held: int) -> int:
    """Append the `most` cheapest candidates not picked yet; return the new number picked."""
    order = np.argsort(candidates.score[:count], kind="mergesort")
    for o in range(min(count, most)):
        path = candidates.path[order[o]]
        known = False
        for h in range(held):
            if picked[h, 0] == path[0] and picked[h, 1] == path[1] and picked[h, 2] == path[2]:
                known = True
                break
        if not known:
            copy(path, 0, 3, picked[held], 0)
            held += 1
    return held


@njit(cache=True)
def _with_echoes(acc: Ints, costs: Floats, desk: Desk, mark: int) -> int:
    """Fill desk.score with the prices of peels of `acc` less what echoes save; return the next free mark, or the
    same one where there are no echoes."""
    n = len(acc)
    number = find_echoes(acc, n, costs, desk.room, desk.echoes, desk.worth, desk.price)
    if number == 0:
        return mark
    desk.score.fill(INF)
    for m in range(2, n // 2 + 1):
        mark += 1
        saved = bonus(m, desk.echoes, desk.worth, desk.price, number, desk.used, mark)
        desk.score[0, m] = desk.plain[0, m] - saved
        desk.score[1, m] = desk.plain[1, m] - saved
    return mark


@njit(cache=True)
def _survey(
    beam: Beam, held: int, level: int, n: int, costs: Floats, desk: Desk, width: int,
    picked: Ints, work: int, budget: int, mark: int,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Pick peels of the beam's structures: the `width` best by split points, and as many with echoes.

    Return how many were picked, how many of them by split points, the work done and the next free mark.
    """
    plain = Candidates(np.empty(held * (n + 2)), np.empty((held * (n + 2), 3), np.int64))
    echo = Candidates(np.empty(held * (n + 2)), np.empty((held * (n + 2), 3), np.int64))
    plain_count = 0
    echo_count = 0
    for b in range(held):
        begin = beam.first[b, level]
        size = n - begin
        if size < 4 or work >= budget:
            continue
        work += 4 * size
        acc = beam.text[b, begin:n]
        desk.plain.fill(INF)
        sweep(acc, size, costs, desk.room, desk.lengths, desk.plain)
        plain_count = _gather(desk.plain, beam.fixed[b], size // 2, b, plain, plain_count)
        if not beam.close[b]:
            continue
        work += size * size
        was = mark
        mark = _with_echoes(acc, costs, desk, mark)
        if mark > was:
            echo_count = _gather(desk.score, beam.fixed[b], size // 2, b, echo, echo_count)
    by_plain = _pick(plain, plain_count, width, picked, 0)
    return _pick(echo, echo_count, width, picked, by_plain), by_plain, work, mark


@njit(cache=True)
def _lay_out(
    beam: Beam, picked: Ints, held: int, level: int, n: int, costs: Floats, desk: Desk, pool: Beam,
    looks: Floats,
) -> None:  # fmt: skip
    """Lay out the beam's structures with the picked peels in `pool`, and fill in their quick prices."""
    for h in range(held):
        b = picked[h, 0]
        begin, end = lay(
            beam.text[b], beam.first[b], level, n, picked[h, 1], picked[h, 2],
            pool.text[h], pool.first[h], desk.short, desk.long,
        )  # fmt: skip
        copy(beam.ms[b], 0, MAX_DEPTH, pool.ms[h], 0)
        copy(beam.sides[b], 0, MAX_DEPTH, pool.sides[h], 0)
        pool.ms[h, level] = picked[h, 1]
        pool.sides[h, level] = picked[h, 2]
        part = pool.text[h, begin:end]
        room = desk.room
        pool.fixed[h] = beam.fixed[b] + forward(
            part, end - begin, room[8], costs, 0.0, room[0], room[1], room[2]
        )
        looks[h] = _look(pool.text[h], n, pool.first[h], level + 2, pool.ms[h], costs, desk)


@njit(cache=True)
def _follow(
    pool: Beam, looks: Floats, held: int, by_plain: int, closely: int, into: Beam, order: Ints
) -> int:
    """Fill the next beam, and `order` with where its rows came from: the best by look, then those by split points;
    return its size."""
    n = pool.text.shape[1] - 1
    ranked = np.argsort(looks[:held], kind="mergesort")
    taken = np.zeros(held, np.bool_)
    kept = 0
    for turn in range(2):
        for o in range(min(held, closely) if turn == 0 else by_plain):
            h = ranked[o] if turn == 0 else o
            if taken[h]:
                continue
            taken[h] = True
            copy(pool.text[h], 0, n, into.text[kept], 0)
            copy(pool.first[h], 0, MAX_DEPTH + 2, into.first[kept], 0)
            copy(pool.ms[h], 0, MAX_DEPTH, into.ms[kept], 0)
            copy(pool.sides[h], 0, MAX_DEPTH, into.sides[kept], 0)
            into.fixed[kept] = pool.fixed[h]
            into.close[kept] = turn == 0 or o < closely
            order[kept] = h
            kept += 1
    return kept


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
    found = Found(scores[:keep], depths, ms, sides)
    desk = _new_desk(n, costs)
    most = width + closely
    beam = _new_beam(most, n)
    other = _new_beam(most, n)
    pool = _new_beam(2 * width, n)
    looks = np.empty(2 * width)
    order = np.empty(most, np.int64)
    picked = np.zeros((2 * width, 3), np.int64)
    copy(text, 0, n, beam.text[0], 0)
    beam.first[0, 1] = n
    held = 1
    start = _look(text, n, beam.first[0], 1, beam.ms[0], costs, desk)
    count = _offer(start, 0, beam.ms[0], beam.sides[0], 0, found)
    work = 0
    idle = 0
    mark = 0
    for level in range(min(depth, MAX_DEPTH)):
        number, by_plain, work, mark = _survey(
            beam, held, level, n, costs, desk, width, picked, work, budget, mark
        )
        if number == 0:
            break
        work += 10 * number * n
        _lay_out(beam, picked, number, level, n, costs, desk, pool, looks)
        idle = idle + 1 if min(looks[:number]) >= scores[0] else 0
        if idle == 2:
            break
        held = _follow(pool, looks, number, by_plain, closely, other, order)
        for row in range(held):
            count = _offer(looks[order[row]], level + 1, other.ms[row], other.sides[row], count, found)
        beam, other = other, beam
    return count, work
