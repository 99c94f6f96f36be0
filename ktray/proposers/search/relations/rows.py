"""The text that is looked at, and how rows are noted."""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from typing import NamedTuple

from ktray.kernels import njit
from ktray.proposers.search.arrays import Bools, Floats, Ints
from ktray.proposers.search.relations.kinds import OP, S0, S1, T0, T1, U0, U1, A, B


class Scene(NamedTuple):
    """A text of `n` elements and the parse at hand, with room for rows and their prices (bits).

    stop[i] is where the stream of element i ends; natural[i] tells whether a piece begins or ends at i; closed[i]
    are the bits of the parse up to i.
    """

    text: Ints
    n: int
    stop: Ints
    natural: Bools
    closed: Floats
    costs: Floats
    rows: Ints
    price: Floats


@njit(cache=True)
def put(
    scene: Scene, count: int, bits: float, op: int, s0: int, s1: int, t0: int, t1: int, a: int, b: int
) -> int:
    """Append a relation if its target could cost more than `bits` and does not overlap its source."""
    rows = scene.rows
    if count >= len(rows) or t1 - t0 < 2 or s1 <= s0:
        return count
    if s0 < t1 and t0 < s1:
        return count
    if scene.closed[t1] - scene.closed[t0] + 2.0 <= bits:
        return count
    rows[count, OP] = op
    rows[count, S0] = s0
    rows[count, S1] = s1
    rows[count, T0] = t0
    rows[count, T1] = t1
    rows[count, A] = a
    rows[count, B] = b
    rows[count, U0] = -1
    rows[count, U1] = -1
    scene.price[count] = bits
    return count + 1


@njit(cache=True)
def put_trimmed(
    scene: Scene, count: int, bits: float, op: int, s: int, t: int, length: int, a: int, b: int
) -> int:
    """Append a relation of aligned parts, and the versions that end, or start, at a natural boundary."""
    natural = scene.natural
    count = put(scene, count, bits, op, s, s + length, t, t + length, a, b)
    for q in range(length - 1, max(1, length // 3), -1):
        if natural[s + q] or natural[t + q]:
            count = put(scene, count, bits, op, s, s + q, t, t + q, a, b)
            break
    for q in range(1, length - length // 3 - 1):
        if natural[s + q] or natural[t + q]:
            count = put(scene, count, bits, op, s + q, s + length, t + q, t + length, a, b)
            break
    return count


@njit(cache=True)
def continues(scene: Scene, k: int, i: int) -> bool:
    """Tell whether both places have an element before them in their streams."""
    stop = scene.stop
    return bool(k > 0 and i > 0 and stop[k - 1] == stop[k] and stop[i - 1] == stop[i])
