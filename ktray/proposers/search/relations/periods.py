"""Parts that repeat, and other places where their period stands alone."""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from ktray.kernels import njit
from ktray.proposers.search.costs import MERGE, REPEAT, SHORT
from ktray.proposers.search.relations.kinds import R_EXTEND, R_REPEAT
from ktray.proposers.search.relations.rows import Scene, put


@njit(cache=True)
def _extended(scene: Scene, start: int, q: int, times: int, count: int) -> int:
    """Note a repetition, and the one that is shorter by one period, as going on from its first period."""
    for t in range(max(2, times - 1), times + 1):
        bits = scene.costs[REPEAT] + (scene.costs[SHORT] if t > 5 else 0.0)
        count = put(scene, count, bits, R_EXTEND, start, start + q, start + q, start + t * q, t, 0)
    return count


@njit(cache=True)
def _elsewhere(scene: Scene, start: int, q: int, times: int, count: int) -> int:
    """Note a repetition as that of an equal part at another place."""
    text, stop = scene.text, scene.stop
    bits = scene.costs[REPEAT] + scene.costs[MERGE] + (scene.costs[SHORT] if times > 4 else 0.0)
    for k in range(scene.n - q + 1):
        if stop[k] - k < q or (k + q > start and k < start + times * q):
            continue
        z = 0
        while z < q and text[k + z] == text[start + z]:
            z += 1
        if z == q:
            count = put(scene, count, bits, R_REPEAT, k, k + q, start, start + times * q, times, 0)
    return count


@njit(cache=True)
def periods(scene: Scene, count: int) -> int:
    """Find parts that repeat, and other places where their period stands alone."""
    text, stop, natural = scene.text, scene.stop, scene.natural
    for i in range(scene.n):
        for q in range(2, (stop[i] - i) // 2 + 1):
            if i > 0 and stop[i - 1] == stop[i] and text[i - 1] == text[i + q - 1] and not natural[i]:
                continue
            if text[i] != text[i + q]:
                continue
            reach = i + q
            while reach < stop[i] and text[reach] == text[reach - q]:
                reach += 1
            for start in range(i, min(i + q, reach - 2 * q + 1)):
                times = (reach - start) // q
                if start == i or natural[start]:
                    count = _extended(scene, start, q, times, count)
                count = _elsewhere(scene, start, q, times, count)
    return count
