"""Taking one woven list off a text, and laying out the streams that peels give."""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import numpy as np

from ktray.kernels import njit
from ktray.proposers.search.arrays import Ints

#: Sides: the shorter list holds the odd positions (the later operand), or the even ones.
ODD_SHORT = 1
EVEN_SHORT = 0

MAX_DEPTH = 8


@njit(cache=True)
def copy(source: Ints, begin: int, count: int, target: Ints, at: int) -> None:
    """Copy `count` elements; a loop compiles far faster than a slice assignment with its checks."""
    for k in range(count):
        target[at + k] = source[begin + k]


@njit(cache=True)
def peel(text: Ints, n: int, m: int, side: int, short: Ints, long: Ints) -> tuple[int, int]:
    """Write the two parts of text[:n] with m pairs peeled; return the lengths (short, long)."""
    for k in range(m):
        if side == ODD_SHORT:
            long[k] = text[2 * k]
            short[k] = text[2 * k + 1]
        else:
            short[k] = text[2 * k]
            long[k] = text[2 * k + 1]
    for k in range(2 * m, n):
        long[k - m] = text[k]
    return m, n - m


@njit(cache=True)
def lay(
    text: Ints,
    first: Ints,
    level: int,
    n: int,
    m: int,
    side: int,
    row: Ints,
    row_first: Ints,
    short: Ints,
    long: Ints,
) -> tuple[int, int]:
    """Lay out streams with one more peel in row; return the begin and end of the part peeled off."""
    begin = first[level]
    ns, nl = peel(text[begin:n], n - begin, m, side, short, long)
    copy(text, 0, begin, row, 0)
    copy(first, 0, level + 1, row_first, 0)
    if side == ODD_SHORT:
        copy(short, 0, ns, row, begin)
        copy(long, 0, nl, row, begin + ns)
        end = begin + ns
    else:
        copy(long, 0, nl, row, begin)
        copy(short, 0, ns, row, begin + nl)
        end = begin + nl
    row_first[level + 1] = end
    row_first[level + 2] = n
    return begin, end


@njit(cache=True)
def streams(text: Ints, n: int, depth: int, ms: Ints, sides: Ints, out: Ints, first: Ints) -> int:
    """Lay the parts of a structure out one after another in out[:n]; part d is out[first[d]:first[d + 1]].

    Parts 0 .. depth - 1 are those peeled off, from the outermost inwards; part `depth` is what remains.
    """
    acc = text[:n].copy()
    na = n
    short = np.empty(n + 1, np.int64)
    long = np.empty(n + 1, np.int64)
    at = 0
    for d in range(depth):
        first[d] = at
        ns, nl = peel(acc, na, ms[d], sides[d], short, long)
        if sides[d] == ODD_SHORT:
            copy(short, 0, ns, out, at)
            at += ns
            copy(long, 0, nl, acc, 0)
            na = nl
        else:
            copy(long, 0, nl, out, at)
            at += nl
            copy(short, 0, ns, acc, 0)
            na = ns
    first[depth] = at
    copy(acc, 0, na, out, at)
    first[depth + 1] = at + na
    return depth + 1
