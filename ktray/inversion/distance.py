"""Edit distance and common prefix of two sequences of hashable elements."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import takewhile


def common_prefix(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Return how many leading elements two sequences share."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Return the Levenshtein distance: the fewest insertions, deletions and substitutions from a to b.

    Myers' bit-vector algorithm in Hyyrö's form (2003), one big integer a column, so that some hundred
    elements cost some hundred operations. Worked example: kitten, sitting: 3.
    """
    start = common_prefix(a, b)
    end = common_prefix(a[start:][::-1], b[start:][::-1])
    a, b = a[start : len(a) - end], b[start : len(b) - end]
    if not a or not b:
        return len(a) + len(b)
    positions: dict[Hashable, int] = {}
    for i, element in enumerate(a):
        positions[element] = positions.get(element, 0) | (1 << i)
    mask, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    rises, falls, distance = mask, 0, len(a)
    for element in b:
        match = positions.get(element, 0)
        diagonal = (((match & rises) + rises) ^ rises) | match | falls
        up = falls | ~(diagonal | rises)
        down = rises & diagonal
        distance += 1 if up & last else -1 if down & last else 0
        up = (up << 1) | 1
        rises = ((down << 1) | ~(diagonal | up)) & mask
        falls = up & diagonal & mask
    return distance
