"""Echoes: runs of elements that come twice, at stride 1 or 2, forwards, reversed or shifted by a constant.

They tell the structure search what a peel would expose before any parse does. Estimates only.
"""

from __future__ import annotations

from ktray.kernels import njit
from ktray.proposers.search.arrays import Floats, Ints
from ktray.proposers.search.costs import CONSTANT_OP, MERGE, REVERSE

MAX_ECHOES = 32

# Columns of an echo: first place, second place, length, stride of each (the second may be negative).
PLACE_A, PLACE_B, LENGTH, STRIDE_A, STRIDE_B = range(5)


@njit(cache=True)
def _keep(
    echoes: Ints,
    worth: Floats,
    price: Floats,
    count: int,
    a: int,
    b: int,
    length: int,
    stride_a: int,
    stride_b: int,
    element: float,
    bits: float,
) -> int:
    """Insert an echo into the list sorted by worth, dropping the least; return the new count."""
    value = element * length - bits
    if value <= 0.0 or (count == MAX_ECHOES and value <= worth[count - 1]):
        return count
    at = count if count < MAX_ECHOES else MAX_ECHOES - 1
    while at > 0 and worth[at - 1] < value:
        worth[at] = worth[at - 1]
        for c in range(2):
            price[at, c] = price[at - 1, c]
        for c in range(5):
            echoes[at, c] = echoes[at - 1, c]
        at -= 1
    worth[at] = value
    price[at, 0] = element
    price[at, 1] = bits
    echoes[at, PLACE_A] = a
    echoes[at, PLACE_B] = b
    echoes[at, LENGTH] = length
    echoes[at, STRIDE_A] = stride_a
    echoes[at, STRIDE_B] = stride_b
    return min(count + 1, MAX_ECHOES)


@njit(cache=True)
def _element_bits(tables: Floats, n: int, place: int, length: int, stride: int) -> float:
    """Return the average bits of the elements of an echo where no echo is used."""
    if stride == 1 or stride == -1:
        low = place if stride == 1 else place - length + 1
        return float((tables[6, low] - tables[6, low + length]) / length)
    low = place if stride == 2 else place - 2 * (length - 1)
    row = 0 if low % 2 == 0 else 3
    half = n // 2
    first = min(low // 2, half)
    last = min(first + length, half)
    if last <= first:
        return 8.0
    return float((tables[row, last] - tables[row, first]) / (last - first))


@njit(cache=True)
def _extend(text: Ints, n: int, a: int, b: int, stride_a: int, stride_b: int, delta: int) -> int:
    """Return how many elements from a and b on, at their strides, differ by delta; 0 if one more stands before."""
    before_a = a - stride_a
    before_b = b - stride_b
    if before_a >= 0 and 0 <= before_b < n and text[before_b] - text[before_a] == delta:
        return 0
    q = 1
    while True:
        pa = a + q * stride_a
        pb = b + q * stride_b
        if pa >= n or pb >= n or pb < 0 or (stride_b < 0 and pa >= pb):
            return q
        if text[pb] - text[pa] != delta:
            return q
        q += 1


@njit(cache=True)
def find_echoes(
    text: Ints, n: int, costs: Floats, tables: Floats, echoes: Ints, worth: Floats, price: Floats
) -> int:
    """Fill the list of the most valuable echoes of text[:n]; return their number.

    `tables` are those of the sweep over text: prefixes of the even and the odd part, suffixes of the whole.
    """
    count = 0
    merge = costs[MERGE]
    for a in range(n - 2):
        one = text[a + 1] - text[a]
        two = text[a + 2] - text[a]
        for b in range(a + 1, n):
            delta = text[b] - text[a]
            for kind in range(6 if delta == 0 else 3):
                stride_a = 1 if kind == 2 or kind == 5 else 2
                stride_b = 2 if kind == 1 else -2 if kind == 4 else 1 if kind < 3 else -1
                next_b = b + stride_b
                if next_b >= n or next_b < 0:
                    continue
                # Two elements must agree before anything else is looked at.
                if text[next_b] - text[b] != (one if stride_a == 1 else two):
                    continue
                if (kind == 1 or kind == 4) and b - a < 2:
                    continue
                q = _extend(text, n, a, b, stride_a, stride_b, delta)
                if q < 3 or (delta != 0 and q < 4):
                    continue
                bits = merge
                if delta != 0:
                    bits += costs[CONSTANT_OP]
                elif kind >= 3:
                    bits += costs[REVERSE]
                element = min(
                    _element_bits(tables, n, a, q, stride_a), _element_bits(tables, n, b, q, stride_b)
                )
                count = _keep(echoes, worth, price, count, a, b, q, stride_a, stride_b, element, bits)
    return count


@njit(cache=True)
def bonus(m: int, echoes: Ints, worth: Floats, price: Floats, count: int, used: Ints, mark: int) -> float:
    """Return the bits that echoes save once m pairs are peeled."""
    edge = 2 * m
    total = 0.0
    for e in range(count):
        a = echoes[e, PLACE_A]
        b = echoes[e, PLACE_B]
        length = echoes[e, LENGTH]
        stride_a = echoes[e, STRIDE_A]
        stride_b = echoes[e, STRIDE_B]
        low = 0
        high = length
        if stride_a == 2:
            high = min(high, (edge - a + 1) // 2)
        else:
            low = max(low, edge - a)
        if stride_b == 2:
            high = min(high, (edge - b + 1) // 2)
        elif stride_b == 1:
            low = max(low, edge - b)
        elif stride_b == -2:
            low = max(low, (b - edge + 2) // 2)
        else:
            high = min(high, b - edge + 1)
        if high - low < 2:
            continue
        value = price[e, 0] * (high - low) - price[e, 1]
        if value <= 0.0:
            continue
        clear = True
        for q in range(low, high):
            if used[b + q * stride_b] == mark:
                clear = False
                break
        if not clear:
            continue
        for q in range(low, high):
            used[b + q * stride_b] = mark
        total += value
    return total
