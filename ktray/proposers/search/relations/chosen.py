"""Parts that keep some elements of others: those that pass a predicate."""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import numpy as np

from ktray.kernels import njit
from ktray.proposers.search.arrays import Ints
from ktray.proposers.search.costs import FILTER, MERGE
from ktray.proposers.search.relations.kinds import R_FILTER
from ktray.proposers.search.relations.rows import Scene, put


@njit(cache=True)
def passes(predicate: int, value: int) -> bool:
    """Tell whether a value passes a predicate: 0 even, 1 odd, 2 not zero."""
    if predicate == 0:
        return value % 2 == 0
    if predicate == 1:
        return value % 2 == 1
    return value != 0


@njit(cache=True)
def _next_passing(scene: Scene) -> Ints:
    """Return for each predicate and place the next place whose element passes; n where there is none."""
    n = scene.n
    ahead = np.full((3, n + 1), n, np.int64)
    for predicate in range(3):
        for k in range(n - 1, -1, -1):
            ahead[predicate, k] = k if passes(predicate, scene.text[k]) else ahead[predicate, k + 1]
    return ahead


@njit(cache=True)
def _sifted(scene: Scene, predicate: int, k: int, i: int, reach: int, count: int) -> int:
    """Note the elements at i, all up to `reach` passing, as those from k on that pass."""
    text, stop, natural = scene.text, scene.stop, scene.natural
    bits = scene.costs[FILTER] + scene.costs[MERGE]
    q = 0
    dropped = 0
    last = k
    z = k
    best_end = -1
    best_q = 0
    while z < stop[k]:
        if passes(predicate, text[z]):
            if i + q >= reach or text[z] != text[i + q]:
                break
            q += 1
            last = z
        else:
            dropped += 1
            if q == 0 and z - k > 8:
                break
        z += 1
        if natural[z] and q >= 2 and dropped > 0:
            best_end = z
            best_q = q
    if q >= 2 and last + 1 - k > q:
        count = put(scene, count, bits, R_FILTER, k, last + 1, i, i + q, predicate, 0)
    far = min(z, i) if k < i else z
    if q >= 2 and far > last + 1 and far != best_end:
        count = put(scene, count, bits, R_FILTER, k, far, i, i + q, predicate, 0)
    if best_end > 0 and best_end != last + 1:
        count = put(scene, count, bits, R_FILTER, k, best_end, i, i + best_q, predicate, 0)
    return count


@njit(cache=True)
def chosen(scene: Scene, count: int) -> int:
    """Find parts that keep some elements of others: those that pass a predicate."""
    text, n, stop, closed = scene.text, scene.n, scene.stop, scene.closed
    bits = scene.costs[FILTER] + scene.costs[MERGE]
    ahead = _next_passing(scene)
    for i in range(n - 1):
        for predicate in range(3):
            reach = i
            while reach < stop[i] and passes(predicate, text[reach]):
                reach += 1
            if reach - i < 2 or closed[reach] - closed[i] + 2.0 <= bits:
                continue
            for k in range(n):
                z = ahead[predicate, k]
                if k == i or z >= stop[k] or text[z] != text[i] or (z > k and not scene.natural[k]):
                    continue
                count = _sifted(scene, predicate, k, i, reach, count)
    return count
