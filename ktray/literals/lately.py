"""Counters of the nucleotide model that forget fast: what followed the last one to eight bases, on both strands.

The slow rows of `strands` know what is common in the block; a stretch can differ from that in its composition.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ktray.kernels import njit
from ktray.literals.fixed import STRETCH, Integer
from ktray.literals.mixing import adapt
from ktray.literals.strands import LONGEST

#: How many bases the contexts have, and how many bits each remembers.
LENGTHS = np.array([1, 2, 3, 4, 6, 8], dtype=np.int64)
_LIMITS = np.array([200, 120, 80, 50, 30, 16], dtype=np.int64)
_FIRST = np.concatenate([[0], np.cumsum(4**LENGTHS)]).astype(np.int64)
N_LATELY = len(LENGTHS)


def new_lately(present: bool) -> Any:
    """Rows of probabilities, and those in use on both strands; all empty where not `present`."""
    rows = int(_FIRST[-1]) * present
    return np.full((rows, 4), 1 << 30, dtype=np.int32), np.zeros((2, N_LATELY * present), dtype=np.int64)


@njit(cache=True, _nrt=False)
def find_lately(lately: Any, forward: Integer, inverse: Integer) -> None:
    """Note the rows of both strands' contexts."""
    at = lately[1]
    for i in range(at.shape[1]):
        at[0, i] = _FIRST[i] + (forward & ((1 << (2 * LENGTHS[i])) - 1))
        at[1, i] = _FIRST[i] + (inverse >> (2 * (LONGEST - LENGTHS[i])))


@njit(cache=True, _nrt=False)
def lately_inputs(lately: Any, node: Integer, x: Any, first: Integer) -> None:
    """One input a context."""
    table, at = lately
    for i in range(at.shape[1]):
        x[first + i] = STRETCH[np.int64(table[at[0, i], node]) >> 19] >> 1


@njit(cache=True, _nrt=False)
def learn_lately(lately: Any, node: Integer, bit: Integer) -> None:
    """Learn one bit of the next base."""
    table, at = lately
    for i in range(at.shape[1]):
        adapt(table[at[0, i]], node, bit, _LIMITS[i])


@njit(cache=True, _nrt=False)
def learn_lately_inverse(lately: Any, forward: Integer) -> None:
    """Learn what follows on the other strand; see `strands.learn_inverse`."""
    table, at = lately
    for i in range(at.shape[1]):
        other = 3 - ((forward >> (2 * (LENGTHS[i] - 1))) & 3)
        adapt(table[at[1, i]], 1, other >> 1, _LIMITS[i])
        adapt(table[at[1, i]], 2 + (other >> 1), other & 1, _LIMITS[i])
