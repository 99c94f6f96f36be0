"""Whether elements are the remainders of others by one number."""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from ktray.kernels import njit
from ktray.proposers.search.arrays import Ints


@njit(cache=True)
def gcd(a: int, b: int) -> int:
    """Return the greatest common divisor of two nonnegative integers."""
    while b:
        a, b = b, a % b
    return a


@njit(cache=True)
def could_be_modulo(text: Ints, k: int, i: int) -> bool:
    """Tell, without divisions, whether the first four elements at i may be remainders of those at k.

    Four that are equal may be, if one that is not comes later.
    """
    if text[i + 1] > text[k + 1] or text[i + 2] > text[k + 2] or text[i + 3] > text[k + 3]:
        return False
    apart = 0
    low = 1 << 30
    high = 0
    for q in range(4):
        d = text[k + q] - text[i + q]
        if d > 0:
            low = min(low, d)
            apart += 1
        high = max(high, text[i + q])
    return apart == 0 or low > high


@njit(cache=True)
def modulo_run(text: Ints, k: int, i: int, room: int) -> tuple[int, int]:
    """Return how many elements at i are those at k modulo one number, and the largest such number."""
    g = 0
    high = -1
    q = 0
    while q < room:
        s = text[k + q]
        t = text[i + q]
        if t > s:
            break
        h = gcd(g, s - t) if s > t else g
        top = max(high, t)
        if h > 0 and h <= top:
            break
        g = h
        high = top
        q += 1
    return q, g
