"""Parts that are sums, differences or remainders of two natural pieces."""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import numpy as np

from ktray.kernels import njit
from ktray.proposers.search.arrays import Ints
from ktray.proposers.search.costs import MERGE, PAIRWISE
from ktray.proposers.search.relations.kinds import R_ADD_LISTS, U0, U1
from ktray.proposers.search.relations.rows import Scene, put

#: Most pieces that are paired, and the fewest elements of one.
_PIECES = 64
_LEAST = 4


@njit(cache=True)
def _pieces(scene: Scene, starts: Ints, ends: Ints) -> int:
    """Fill in where the natural pieces begin and end; return their number."""
    count = 0
    begin = 0
    for i in range(1, scene.n + 1):
        if scene.natural[i]:
            if i - begin >= _LEAST and count < _PIECES:
                starts[count] = begin
                ends[count] = i
                count += 1
            begin = i
    return count


@njit(cache=True)
def _combined(scene: Scene, a: int, b: int, n: int, op: int, made: Ints) -> int:
    """Fill `made` with sums (0), differences (1) or remainders (2) of n pairs; return how many, 0 where one is no
    byte."""
    m = 0
    for q in range(n):
        x, y = scene.text[a + q], scene.text[b + q]
        if op == 2 and y == 0:
            continue
        value = x + y if op == 0 else x - y if op == 1 else x % y
        if value < 0 or value > 255:
            return 0
        made[m] = value
        m += 1
    return m


@njit(cache=True)
def _found(scene: Scene, made: Ints, m: int, op: int, a0: int, a1: int, b0: int, b1: int, count: int) -> int:
    """Note every place where the m elements made stand, as made from the pieces a and b."""
    text = scene.text
    bits = scene.costs[PAIRWISE] + scene.costs[MERGE]
    for i in range(scene.n - m + 1):
        if text[i] != made[0] or scene.stop[i] - i < m:
            continue
        z = 0
        while z < m and text[i + z] == made[z]:
            z += 1
        if z < m or (i < b1 and b0 < i + m):
            continue
        before = count
        count = put(scene, count, bits, R_ADD_LISTS + op, a0, a1, i, i + m, 0, 0)
        if count > before:
            scene.rows[before, U0] = b0
            scene.rows[before, U1] = b1
    return count


@njit(cache=True)
def pairwise(scene: Scene, count: int) -> int:
    """Find parts that are sums, differences or remainders of two natural pieces."""
    starts = np.empty(_PIECES, np.int64)
    ends = np.empty(_PIECES, np.int64)
    made = np.empty(scene.n + 1, np.int64)
    pieces = _pieces(scene, starts, ends)
    for a in range(pieces):
        for b in range(pieces):
            for op in range(3):
                if a == b or (op == 0 and b < a):
                    continue
                n = min(ends[a] - starts[a], ends[b] - starts[b])
                m = _combined(scene, starts[a], starts[b], n, op, made)
                if m >= 3:
                    count = _found(scene, made, m, op, starts[a], ends[a], starts[b], ends[b], count)
    return count
