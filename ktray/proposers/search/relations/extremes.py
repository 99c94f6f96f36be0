"""Parts that are the largest elements of others, falling, or the smallest, rising."""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import numpy as np

from ktray.kernels import njit
from ktray.proposers.search.arrays import Ints
from ktray.proposers.search.costs import EXTREME, MERGE
from ktray.proposers.search.relations.kinds import R_MAX, R_MIN
from ktray.proposers.search.relations.rows import Scene, put

#: Longest source, in elements, that is ranked.
_WINDOW = 30


@njit(cache=True)
def _insert(window: Ints, held: int, value: int) -> None:
    """Insert a value into a falling list of `held`."""
    at = held
    while at > 0 and window[at - 1] < value:
        window[at] = window[at - 1]
        at -= 1
    window[at] = value


@njit(cache=True)
def _holds_first(scene: Scene, k: int, i: int, sign: int) -> bool:
    """Tell whether the elements from k on hold the target's first, and nothing beyond it before."""
    text = scene.text
    z = k
    last = min(scene.stop[k], k + _WINDOW)
    while z < last and text[z] != text[i] and sign * text[z] <= sign * text[i]:
        z += 1
    return bool(z < last and text[z] == text[i])


@njit(cache=True)
def _ranked(scene: Scene, k: int, i: int, reach: int, sign: int, window: Ints, count: int) -> int:
    """Note the elements at i as the first of those from k on, ranked."""
    text, stop, natural = scene.text, scene.stop, scene.natural
    bits = scene.costs[EXTREME] + scene.costs[MERGE]
    op = R_MAX if sign == 1 else R_MIN
    best = 2
    best_end = -1
    for z in range(k, min(stop[k], k + _WINDOW)):
        _insert(window, z - k, sign * text[z])
        held = z - k + 1
        if window[0] > sign * text[i]:
            break
        q = 0
        while q < held and i + q < reach and window[q] == sign * text[i + q]:
            q += 1
        if q > best or (q == best and q > 2 and natural[z + 1]):
            best = q
            best_end = z + 1
            if natural[z + 1] or z + 1 == stop[k]:
                count = put(scene, count, bits, op, k, z + 1, i, i + q, q, 0)
    if best_end > 0:
        count = put(scene, count, bits, op, k, best_end, i, i + best, best, 0)
    return count


@njit(cache=True)
def extremes(scene: Scene, count: int) -> int:
    """Find parts that are the largest elements of others, falling, or the smallest, rising."""
    text, stop, closed = scene.text, scene.stop, scene.closed
    bits = scene.costs[EXTREME] + scene.costs[MERGE]
    window = np.empty(_WINDOW + 2, np.int64)
    for i in range(scene.n - 2):
        for sign in (1, -1):
            inside = i > 0 and not scene.natural[i] and stop[i - 1] == stop[i]
            if inside and sign * (text[i - 1] - text[i]) >= 0:
                continue
            reach = i + 1
            while reach < stop[i] and sign * (text[reach - 1] - text[reach]) >= 0:
                reach += 1
            if reach - i < 3 or closed[reach] - closed[i] <= bits:
                continue
            for k in range(scene.n):
                if _holds_first(scene, k, i, sign):
                    count = _ranked(scene, k, i, reach, sign, window, count)
    return count
