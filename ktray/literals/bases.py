"""Which base each of eight symbols stands for: found from how often symbols follow each other.

Used by the encoder alone, which writes the map.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from ktray.sequences import Values


def find_bases(data: Values) -> bytes:
    """The map from values 0..7 to base | case << 2 under which strands and cases resemble each other most."""
    upper, lower = (_triples(data, case) for case in (0, 1))
    first, second = (_complements(counts) for counts in (upper, lower))
    own, other = _preferences(upper.sum(axis=2)), _preferences(lower.sum(axis=2))
    names = [
        order for order in permutations(range(4)) if all(order[second[v]] == 3 - order[v] for v in range(4))
    ]
    label = _labels(first)
    place = np.argsort(label)  # the value of each base
    fit = {
        order: int((own[np.ix_(place, place)] * other[np.ix_(np.argsort(order), np.argsort(order))]).sum())
        for order in names
    }
    best = max(names, key=lambda order: (fit[order], order))
    return bytes([*label, *(4 + b for b in best)])


def _triples(data: Values, case: int) -> NDArray[np.int64]:
    """How often each three symbols of one case follow each other, shape (4, 4, 4)."""
    base, same = (data & 3).astype(np.int64), data >> 2 == case
    keep = same[:-2] & same[1:-1] & same[2:]
    codes = (base[:-2] * 16 + base[1:-1] * 4 + base[2:])[keep]
    return np.bincount(codes, minlength=64).reshape(4, 4, 4)


def _complements(counts: NDArray[np.int64]) -> tuple[int, ...]:
    """The pairing under which triples are as frequent as their reverse complements."""
    pairings = [(3, 2, 1, 0), (2, 3, 0, 1), (1, 0, 3, 2)]
    return min(pairings, key=lambda p: int(np.abs(counts - counts.transpose(2, 1, 0)[np.ix_(p, p, p)]).sum()))


def _labels(pairing: tuple[int, ...]) -> list[int]:
    """Bases for symbols 0..3: 0 for the first and 3 for its complement, 1 and 2 for the others."""
    label = [0] * 4
    label[pairing[0]] = 3
    rest = [v for v in range(1, 4) if v != pairing[0]]
    label[rest[0]], label[rest[1]] = 1, 2
    return label


def _preferences(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """How much more often than by chance two symbols are neighbours, in thousandths, around their mean."""
    chance = np.outer(pairs.sum(axis=1), pairs.sum(axis=0)) // max(int(pairs.sum()), 1) + 1
    ratio: NDArray[np.int64] = 1000 * pairs // chance
    return ratio - int(ratio.sum()) // ratio.size
