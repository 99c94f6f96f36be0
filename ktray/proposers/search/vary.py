"""Betters a structure under its quick price: peels put in, left out, made longer or shorter, or two at once.

Two nested peels of together as many pairs look much alike, which a beam that decides peel by peel often confuses.
"""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import numpy as np

from ktray.kernels import njit
from ktray.proposers.search.arrays import Floats, Ints
from ktray.proposers.search.costs import LITERAL_ELEMENT
from ktray.proposers.search.glance import glance
from ktray.proposers.search.weave import MAX_DEPTH, streams

#: Rounds of moves, each of which goes on from the best structure seen.
_ROUNDS = 6

#: Moves: one peel made otherwise; two neighbours, together as long; one peel more; one less.
_OTHERWISE, _SHARED, _MORE, _LESS = range(4)


@njit(cache=True)
def fitting(ms: Ints, sides: Ints, depth: int, n: int) -> bool:
    """Tell whether each of `depth` peels has two pairs at least and fits what those before leave of n elements."""
    if depth < 0:
        return False
    for d in range(depth):
        if ms[d] < 2 or 2 * ms[d] > n:
            return False
        n = n - ms[d] if sides[d] == 1 else ms[d]
    return True


@njit(cache=True)
def _known(ms: Ints, sides: Ints, depth: int, look: float, found: int, looks: Floats, paths: Ints) -> bool:
    """Tell whether a structure is among the best found."""
    for r in range(found):
        if looks[r] == look and paths[r, 0] == depth:
            same = True
            for d in range(depth):
                same = same and paths[r, 1 + 2 * d] == ms[d] and paths[r, 2 + 2 * d] == sides[d]
            if same:
                return True
    return False


@njit(cache=True)
def _keep(ms: Ints, sides: Ints, depth: int, look: float, found: int, looks: Floats, paths: Ints) -> int:
    """Insert a structure into the list of the best, where it is new and cheap; return the list's length."""
    most = len(looks)
    if found == most and look >= looks[found - 1]:
        return found
    if _known(ms, sides, depth, look, found, looks, paths):
        return found
    at = found if found < most else most - 1
    while at > 0 and looks[at - 1] > look:
        looks[at] = looks[at - 1]
        for c in range(1 + 2 * MAX_DEPTH):
            paths[at, c] = paths[at - 1, c]
        at -= 1
    looks[at] = look
    paths[at, 0] = depth
    for d in range(depth):
        paths[at, 1 + 2 * d] = ms[d]
        paths[at, 2 + 2 * d] = sides[d]
    return min(found + 1, most)


@njit(cache=True)
def _vary(path: Ints, move: int, d: int, m: int, turn: int, ms: Ints, sides: Ints) -> int:
    """Write the structure `path` with one move at peel d; return its depth."""
    depth = path[0]
    at = 0
    for e in range(depth):
        if move == _LESS and e == d:
            continue
        if move == _MORE and e == d:
            at += 1
        ms[at] = path[1 + 2 * e]
        sides[at] = path[2 + 2 * e]
        at += 1
    if move == _LESS:
        return depth - 1
    if move == _SHARED:
        ms[d + 1] += ms[d] - m
        sides[d + 1] = turn >> 1
    ms[d] = m
    sides[d] = turn & 1
    return depth + (move == _MORE)


@njit(cache=True)
def _places(path: Ints, move: int) -> int:
    """Return at how many peels a move can be made."""
    depth = path[0]
    if move == _MORE:
        return depth + 1 if depth < MAX_DEPTH - 2 else 0
    return max(depth - 1, 0) if move == _SHARED else depth


@njit(cache=True)
def _longest(path: Ints, move: int, d: int, n: int) -> int:
    """Return the most pairs, and one, that a move at peel d may give it."""
    if move == _SHARED:
        return path[1 + 2 * d] + path[3 + 2 * d]
    return n // 2 + 1 if move != _LESS else 3


@njit(cache=True)
def refine(
    text: Ints, n: int, costs: Floats, found: int, looks: Floats, paths: Ints, budget: int
) -> tuple[int, int]:
    """Better the first of `found` structures; fill `looks` and `paths` with the best seen, cheapest first.

    A row of `paths` holds a structure's depth, then pairs and side of each peel. At most `budget` structures are
    looked at. Return the number in the list and how many were looked at.
    """
    laid = np.zeros(n + 2, np.int64)
    first = np.zeros(MAX_DEPTH + 2, np.int64)
    room = np.zeros((3, n + 2), np.int64)
    closed = np.zeros(n + 2)
    each = np.full(n + 2, costs[LITERAL_ELEMENT])
    by_value = np.full(256, -1, np.int64)
    by_step = np.full(511, -1, np.int64)
    ms = np.zeros(MAX_DEPTH + 1, np.int64)
    sides = np.zeros(MAX_DEPTH + 1, np.int64)
    seen = 0
    for _ in range(_ROUNDS):
        best = looks[0]
        path = paths[0].copy()
        for move in range(4):
            for d in range(_places(path, move)):
                for m in range(2, _longest(path, move, d, n)):
                    for turn in range(1 if move == _LESS else 4 if move == _SHARED else 2):
                        depth = _vary(path, move, d, m, turn, ms, sides)
                        if seen >= budget or not fitting(ms, sides, depth, n):
                            continue
                        seen += 1
                        parts = streams(text, n, depth, ms, sides, laid, first)
                        look = glance(
                            laid, n, first, parts, ms, costs, closed, by_value, by_step,
                            room[0], room[1], room[2], each, 0.0,
                        )  # fmt: skip
                        found = _keep(ms, sides, depth, look, found, looks, paths)
        if looks[0] >= best - 1e-9 or seen >= budget:
            break
    return found, seen
