"""Parts that equal others, element by element: as they are, up to a constant, a modulus or one substitution."""

# numba compiles loops, not generators.
# ruff: noqa: SIM110
# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from ktray.kernels import njit
from ktray.proposers.search.costs import BETWEEN, CONSTANT_OP, MERGE, MODULO, REUSE, SPLIT, SUBSTITUTE
from ktray.proposers.search.relations.kinds import R_ADD, R_BETWEEN, R_MODULO, R_SUBSTITUTE, SAME
from ktray.proposers.search.relations.remainders import could_be_modulo, modulo_run
from ktray.proposers.search.relations.rows import Scene, continues, put, put_trimmed


@njit(cache=True)
def _equal_run(scene: Scene, k: int, i: int, room: int) -> int:
    """Return how many of `room` >= 1 elements at i, the first of them equal, are those at k."""
    q = 1
    while q < room and scene.text[k + q] == scene.text[i + q]:
        q += 1
    return q


@njit(cache=True)
def _within(scene: Scene, k: int, i: int, room: int, count: int) -> int:
    """Note the elements at i as a stretch of the natural pieces around those at k."""
    q = _equal_run(scene, k, i, room)
    low = k
    while not scene.natural[low]:
        low -= 1
    high = k + q
    while not scene.natural[high]:
        high += 1
    if high - low <= q:
        return count
    bits = scene.costs[BETWEEN] + scene.costs[MERGE]
    return put(scene, count, bits, R_BETWEEN, low, high, i, i + q, k - low, k - low + q)


@njit(cache=True)
def _equal(scene: Scene, k: int, i: int, room: int, longer: bool, count: int) -> int:
    """Note equal parts; `longer` tells that the elements before them are equal too."""
    if longer:
        return count
    if scene.costs[SPLIT] > 0.0:
        count = _within(scene, k, i, room, count)
    if k < i:
        q = _equal_run(scene, k, i, room)
        if q >= 2:
            bits = scene.costs[MERGE] + scene.costs[REUSE]
            count = put_trimmed(scene, count, bits, SAME, k, i, q, 0, 0)
    return count


@njit(cache=True)
def _offset(scene: Scene, k: int, i: int, room: int, count: int) -> int:
    """Note parts that differ by a constant."""
    text = scene.text
    delta = text[i] - text[k]
    q = 1
    while q < room and text[i + q] - text[k + q] == delta:
        q += 1
    if q < 3:
        return count
    bits = scene.costs[CONSTANT_OP] + scene.costs[MERGE]
    return put_trimmed(scene, count, bits, R_ADD, k, i, q, delta, 0)


@njit(cache=True)
def _remainder(scene: Scene, k: int, i: int, room: int, inside: bool, count: int) -> int:
    """Note parts that are others modulo a number."""
    text = scene.text
    q, g = modulo_run(text, k, i, room)
    if q < 3 or g <= 1:
        return count
    if inside and not scene.natural[k] and not scene.natural[i]:
        before, reduced = text[k - 1], text[i - 1]
        if reduced < g and (reduced == before or (before > reduced and (before - reduced) % g == 0)):
            return count
    bits = scene.costs[MODULO] + scene.costs[MERGE]
    return put_trimmed(scene, count, bits, R_MODULO, k, i, q, g, 0)


@njit(cache=True)
def _stands_in(scene: Scene, k: int, q: int) -> bool:
    """Tell whether element k + q is one of the q before it."""
    for z in range(q):
        if scene.text[k + z] == scene.text[k + q]:
            return True
    return False


@njit(cache=True)
def _substituted(scene: Scene, k: int, i: int, room: int, count: int) -> int:
    """Note parts that are others with one value substituted."""
    text = scene.text
    old = -1
    new = -1
    q = 0
    while q < room:
        if text[k + q] == old:
            if text[i + q] != new:
                break
        elif text[k + q] != text[i + q]:
            if old >= 0 or _stands_in(scene, k, q):
                break
            old = text[k + q]
            new = text[i + q]
        q += 1
    if q < 4 or old < 0:
        return count
    bits = scene.costs[SUBSTITUTE] + scene.costs[MERGE]
    return put_trimmed(scene, count, bits, R_SUBSTITUTE, k, i, q, old, new)


@njit(cache=True)
def aligned(scene: Scene, count: int) -> int:
    """Find equal parts, and parts that differ by a constant, a modulus or one substituted value."""
    text, n, stop, natural = scene.text, scene.n, scene.stop, scene.natural
    for k in range(n - 1):
        s = text[k]
        s1 = text[k + 1]
        s2 = text[k + 2] if k + 2 < n else -1000
        for i in range(n - 1):
            if i == k:
                continue
            t = text[i]
            t1 = text[i + 1]
            t2 = text[i + 2] if i + 2 < n else 1000
            steady = t1 - s1 == t - s
            reduced = t <= s and t1 <= s1 and t2 <= s2
            changed = (t == s) + (t1 == s1) + (t2 == s2) >= 2
            if not (steady or reduced or changed):
                continue
            room = min(stop[k] - k, stop[i] - i, abs(k - i))
            if room < 2:
                continue
            inside = continues(scene, k, i)
            longer = inside and text[k - 1] == text[i - 1]
            if steady and t == s:
                count = _equal(scene, k, i, room, longer, count)
            elif steady and not (inside and text[i - 1] - text[k - 1] == t - s):
                count = _offset(scene, k, i, room, count)
            fresh = room >= 4 and (natural[k] or natural[i] or not longer)
            if reduced and fresh and could_be_modulo(text, k, i):
                count = _remainder(scene, k, i, room, inside, count)
            if changed and fresh:
                count = _substituted(scene, k, i, room, count)
    return count
