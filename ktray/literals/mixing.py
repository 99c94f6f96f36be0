"""The parts that all mixing models share: adaptive probabilities and logistic mixing, in integers.

The loops of all models are compiled without reference counts (`_nrt=False`): they allocate nothing, and
counting the many arrays of a state at every call costs a third of the time.

An adaptive probability is one int32: 22 bits of probability, then 9 bits of how often it was used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ktray.literals.fixed import RECIPROCAL, Integer


@njit(cache=True, _nrt=False)
def adapt(table: Any, cell: Integer, bit: Integer, limit: Integer) -> None:
    """Average `bit` into a probability; one used `limit` times forgets at the rate 1 / limit
    (at most 511).
    """
    value = np.int64(table[cell])
    seen = value & 511
    p = value >> 9
    p += (((bit << 22) - p) * np.int64(RECIPROCAL[seen])) >> 16
    table[cell] = (p << 9) | (seen + 1 if seen < limit else limit)


@njit(cache=True, _nrt=False)
def dot(weights: Any, inputs: Any) -> Integer:
    """The sum of products of two int32 arrays."""
    total: Integer = np.int64(0)
    for i in range(inputs.shape[0]):
        total += np.int64(weights[i]) * np.int64(inputs[i])
    return total


@njit(cache=True, _nrt=False)
def train(weights: Any, inputs: Any, error: Integer) -> None:
    """weights += inputs * error / 2**14, for |inputs| < 2**11 and |error| < 2**20 (32-bit products
    vectorise).
    """
    step = np.int32(error)
    for i in range(inputs.shape[0]):
        weights[i] += np.int32(np.int32(np.int32(inputs[i] * step) + np.int32(0x2000)) >> np.int32(14))
