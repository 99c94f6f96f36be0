"""Which operation makes one list from others: every way over the lists of a bank, found by trying all.

Lists stand one after another in `cells`; list i is cells[begin[i]:begin[i + 1]]. A way is a row of `WAY` integers:
operation (of `relations.kinds`), source, two parameters, second source or -1.
"""

# numba compiles loops, not generators.
# ruff: noqa: SIM110
# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import numpy as np

from ktray.kernels import njit
from ktray.proposers.search.arrays import Ints
from ktray.proposers.search.relations import modulo_run, passes
from ktray.proposers.search.relations.kinds import (
    R_ADD,
    R_ADD_LISTS,
    R_BETWEEN,
    R_FILTER,
    R_JUMPS,
    R_MAX,
    R_MIN,
    R_MODULO,
    R_REPEAT,
    R_REVERSE,
    R_SCAN,
    R_SUBSTITUTE,
)

#: Columns of a way.
WAY = 5

#: Longest jump that is tried.
LONGEST_JUMP = 9


@njit(cache=True)
def _put(ways: Ints, count: int, op: int, source: int, a: int, b: int) -> int:
    """Append a way while there is room; return the new number."""
    if count >= len(ways):
        return count
    ways[count, 0] = op
    ways[count, 1] = source
    ways[count, 2] = a
    ways[count, 3] = b
    ways[count, 4] = -1
    return count + 1


@njit(cache=True)
def _same_at(cells: Ints, s: int, t: int, n: int) -> bool:
    """Tell whether the n elements at s and at t are equal."""
    for k in range(n):
        if cells[s + k] != cells[t + k]:
            return False
    return True


@njit(cache=True)
def _shifted(cells: Ints, s: int, t: int, n: int) -> bool:
    """Tell whether the n elements at t are those at s plus one number."""
    delta = cells[t] - cells[s]
    for k in range(1, n):
        if cells[t + k] - cells[s + k] != delta:
            return False
    return True


@njit(cache=True)
def _turned(cells: Ints, s: int, t: int, n: int) -> bool:
    """Tell whether the n elements at t are those at s backwards."""
    for k in range(n):
        if cells[t + k] != cells[s + n - 1 - k]:
            return False
    return True


@njit(cache=True)
def _summed(cells: Ints, s: int, t: int, n: int) -> bool:
    """Tell whether the n elements at t are the running sums of those at s."""
    total = 0
    for k in range(n):
        total += cells[s + k]
        if cells[t + k] != total:
            return False
    return True


@njit(cache=True)
def _substituted(cells: Ints, s: int, t: int, n: int) -> int:
    """Return where the first element stands that one substitution makes those at t from; -1 where none does."""
    first = -1
    for k in range(n):
        old = cells[s + k]
        if first >= 0 and old == cells[s + first]:
            if cells[t + k] != cells[t + first]:
                return -1
        elif old != cells[t + k]:
            if first >= 0:
                return -1
            for before in range(k):
                if cells[s + before] == old:
                    return -1
            first = k
    return first


@njit(cache=True)
def _element_by_element(cells: Ints, s: int, t: int, n: int, source: int, ways: Ints, count: int) -> int:
    """Append the ways from a list at s to one at t, both of n elements (n >= 1)."""
    delta = cells[t] - cells[s]
    if delta != 0 and _shifted(cells, s, t, n):
        count = _put(ways, count, R_ADD, source, delta, 0)
    if cells[t] == cells[s + n - 1] and _turned(cells, s, t, n):
        count = _put(ways, count, R_REVERSE, source, 0, 0)
    if 0 <= cells[t] <= cells[s]:
        length, modulus = modulo_run(cells, s, t, n)
        if length == n and modulus > 1:
            count = _put(ways, count, R_MODULO, source, modulus, 0)
    if delta == 0 and _summed(cells, s, t, n):
        count = _put(ways, count, R_SCAN, source, 0, 0)
    first = _substituted(cells, s, t, n)
    if first >= 0:
        count = _put(ways, count, R_SUBSTITUTE, source, cells[s + first], cells[t + first])
    return count


@njit(cache=True)
def _sifted(cells: Ints, s: int, n: int, t: int, size: int, predicate: int) -> bool:
    """Tell whether the `size` elements at t are those of the n at s that pass a predicate."""
    k = 0
    for q in range(n):
        value = cells[s + q]
        if passes(predicate, value):
            if k == size or cells[t + k] != value:
                return False
            k += 1
    return k == size


@njit(cache=True)
def _jumped(cells: Ints, s: int, t: int, size: int, jump: int) -> bool:
    """Tell whether the `size` elements at t are every jump-th of those at s."""
    for k in range(size):
        if cells[t + k] != cells[s + k * jump]:
            return False
    return True


@njit(cache=True)
def _extreme(cells: Ints, s: int, n: int, t: int, size: int, sign: int) -> bool:
    """Tell whether the `size` elements at t are the largest (sign 1) of the n at s, falling, or the smallest."""
    for k in range(1, size):
        if sign * (cells[t + k - 1] - cells[t + k]) < 0:
            return False
    least = sign * cells[t + size - 1]
    above = 0
    for q in range(n):
        above += sign * cells[s + q] > least
    if above >= size:
        return False
    ranked = np.sort(cells[s : s + n])
    for k in range(size):
        if cells[t + k] != (ranked[n - 1 - k] if sign == 1 else ranked[k]):
            return False
    return True


@njit(cache=True)
def _selected(cells: Ints, s: int, n: int, t: int, size: int, source: int, ways: Ints, count: int) -> int:
    """Append the ways from the n elements at s to fewer at t (size >= 1)."""
    if cells[t] == cells[s]:
        for jump in range(2, LONGEST_JUMP + 1):
            if (n + jump - 1) // jump == size and _jumped(cells, s, t, size, jump):
                count = _put(ways, count, R_JUMPS, source, jump, 0)
    for begin in range(n - size + 1):
        if cells[s + begin] == cells[t] and _same_at(cells, s + begin, t, size):
            count = _put(ways, count, R_BETWEEN, source, begin, begin + size)
            break
    for predicate in range(3):
        if passes(predicate, cells[t]) and _sifted(cells, s, n, t, size, predicate):
            count = _put(ways, count, R_FILTER, source, predicate, 0)
    if _extreme(cells, s, n, t, size, 1):
        count = _put(ways, count, R_MAX, source, size, 0)
    if _extreme(cells, s, n, t, size, -1):
        count = _put(ways, count, R_MIN, source, size, 0)
    return count


@njit(cache=True)
def _repeated(cells: Ints, s: int, n: int, t: int, size: int) -> bool:
    """Tell whether the `size` elements at t are the n at s, over and over."""
    for k in range(size):
        if cells[t + k] != cells[s + k % n]:
            return False
    return True


@njit(cache=True)
def ways_from(cells: Ints, begin: Ints, source: int, t: int, size: int, ways: Ints, count: int) -> int:
    """Append the ways from one list to the `size` >= 1 elements at cells[t:]; return their new number."""
    s = begin[source]
    n = begin[source + 1] - s
    if n == 0 or s == t:
        return count
    if n == size:
        return _element_by_element(cells, s, t, n, source, ways, count)
    if n > size:
        return _selected(cells, s, n, t, size, source, ways, count)
    if size % n == 0 and _repeated(cells, s, n, t, size):
        return _put(ways, count, R_REPEAT, source, size // n, 0)
    return count


@njit(cache=True)
def _paired(cells: Ints, a: int, b: int, n: int, t: int, size: int, op: int) -> bool:
    """Tell whether sums (op 0), differences (1) or remainders (2) of the first n pairs are those at t."""
    k = 0
    for q in range(n):
        x, y = cells[a + q], cells[b + q]
        if op == 2:
            if y == 0:
                continue
            x = x % y
        else:
            x = x + y if op == 0 else x - y
        if k == size or cells[t + k] != x:
            return False
        k += 1
    return k == size


@njit(cache=True)
def ways_of_pairs(cells: Ints, begin: Ints, live: Ints, t: int, size: int, ways: Ints, count: int) -> int:
    """Append the ways from two of the `live` lists to the `size` >= 1 elements at cells[t:]."""
    for first in live:
        n = begin[first + 1] - begin[first]
        if n < size:
            continue
        for second in live:
            shorter = min(n, begin[second + 1] - begin[second])
            if shorter < size or begin[first] == t or begin[second] == t:
                continue
            for op in range(3):
                if (second < first and op == 0) or (second == first and op > 0):
                    continue
                if (op == 2 or shorter == size) and _paired(
                    cells, begin[first], begin[second], shorter, t, size, op
                ):
                    before = count
                    count = _put(ways, count, R_ADD_LISTS + op, first, 0, 0)
                    if count > before:
                        ways[before, 4] = second
    return count


@njit(cache=True)
def all_ways(cells: Ints, begin: Ints, live: Ints, t: int, size: int, ways: Ints) -> int:
    """Fill `ways` with those from the `live` lists to the `size` >= 1 elements at cells[t:]; return their number.

    A list that stands at t itself is no source.
    """
    count = 0
    for source in live:
        count = ways_from(cells, begin, source, t, size, ways, count)
    return ways_of_pairs(cells, begin, live, t, size, ways, count)
