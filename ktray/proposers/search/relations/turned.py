"""Parts that are others reversed, every jump-th element of others, or their running sums."""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from ktray.kernels import njit
from ktray.proposers.search.costs import JUMPS, MERGE, REVERSE, SCAN
from ktray.proposers.search.relations.kinds import R_JUMPS, R_REVERSE, R_SCAN
from ktray.proposers.search.relations.rows import Scene, put


@njit(cache=True)
def _goes_on(scene: Scene, k: int, i: int) -> bool:
    """Tell whether a reversal that ends at k and starts at i is part of a longer one."""
    text, n, stop = scene.text, scene.n, scene.stop
    if k + 1 >= n or i == 0 or k + 1 >= i - 1:
        return False
    return bool(stop[k + 1] == stop[k] and stop[i - 1] == stop[i] and text[k + 1] == text[i - 1])


@njit(cache=True)
def _reversed(scene: Scene, k: int, i: int, count: int) -> int:
    """Note the elements from i on as those from k back, and shorter versions to natural boundaries."""
    text, stop, natural = scene.text, scene.stop, scene.natural
    bits = scene.costs[REVERSE] + scene.costs[MERGE]
    q = 1
    while k - q >= 0 and stop[k - q] == stop[k] and i + q < stop[i] and text[k - q] == text[i + q]:
        q += 1
    if q < 2:
        return count
    count = put(scene, count, bits, R_REVERSE, k - q + 1, k + 1, i, i + q, 0, 0)
    for z in range(q - 1, max(1, q // 3), -1):
        if natural[k - z + 1] or natural[i + z]:
            count = put(scene, count, bits, R_REVERSE, k - z + 1, k + 1, i, i + z, 0, 0)
            break
    for z in range(1, q - q // 3 - 1):
        if natural[k - z + 1] or natural[i + z]:
            count = put(scene, count, bits, R_REVERSE, k - q + 1, k - z + 1, i + z, i + q, 0, 0)
            break
    return count


@njit(cache=True)
def _jumped(scene: Scene, k: int, i: int, jump: int, count: int) -> int:
    """Note the elements at i as every jump-th from k on; the source ends at natural boundaries where it can."""
    text, stop, natural = scene.text, scene.stop, scene.natural
    bits = scene.costs[JUMPS] + scene.costs[MERGE]
    q = 1
    while k + q * jump < stop[k] and i + q < stop[i] and text[k + q * jump] == text[i + q]:
        q += 1
    if q < 2:
        return count
    low = k + (q - 1) * jump + 1
    ended = False
    for end in range(low, min(k + q * jump, stop[k]) + 1):
        if natural[end]:
            ended = True
            count = put(scene, count, bits, R_JUMPS, k, end, i, i + q, jump, 0)
    if not ended:
        count = put(scene, count, bits, R_JUMPS, k, low, i, i + q, jump, 0)
    for end in range(low - 1, k + jump, -1):
        if natural[end]:
            z = (end - k + jump - 1) // jump
            count = put(scene, count, bits, R_JUMPS, k, end, i, i + z, jump, 0)
            break
    return count


@njit(cache=True)
def _summed(scene: Scene, k: int, i: int, count: int) -> int:
    """Note the elements at i as running sums of those at k."""
    text, stop, natural = scene.text, scene.stop, scene.natural
    bits = scene.costs[SCAN] + scene.costs[MERGE]
    q = 1
    while k + q < stop[k] and i + q < stop[i] and text[i + q] - text[i + q - 1] == text[k + q]:
        q += 1
    if q < 3:
        return count
    count = put(scene, count, bits, R_SCAN, k, k + q, i, i + q, 0, 0)
    for z in range(q - 1, 2, -1):
        if natural[k + z] or natural[i + z]:
            count = put(scene, count, bits, R_SCAN, k, k + z, i, i + z, 0, 0)
            break
    return count


@njit(cache=True)
def turned(scene: Scene, count: int) -> int:
    """Find parts that are others reversed, every jump-th element of others, or their running sums."""
    text = scene.text
    for k in range(scene.n):
        for i in range(scene.n):
            if i == k or text[k] != text[i]:
                continue
            if i > k and not _goes_on(scene, k, i):
                count = _reversed(scene, k, i, count)
            for jump in range(2, 6):
                count = _jumped(scene, k, i, jump, count)
            count = _summed(scene, k, i, count)
    return count
