"""Maps that correct the mixed prediction by what came at such predictions before."""

from __future__ import annotations

from typing import Any

import numpy as np

from ktray.kernels import njit
from ktray.literals.cells import C0, C4, WORD, hash2
from ktray.literals.fixed import LOGIT_LIMIT, SQUASH, Integer

STEPS = 33
APMS = 4
#: Weights of the maps' results, in eighths.
_SHARES = np.array([1, 1, 2, 2], dtype=np.int64)
APM_ROWS = 256 + 65536 * 3


def ramp() -> Any:
    """The identity of adaptive maps: the probability of each of 33 logits."""
    logits = (np.arange(STEPS) - 16) * 128
    return SQUASH[np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT) + LOGIT_LIMIT]


@njit(cache=True, _nrt=False)
def corrected(scalars: Any, logit: Integer, apm: Any, cells: Any, silent: Integer) -> Integer:
    """The mixed prediction, averaged with what came at such predictions in contexts of order 0, 1 and 3, and in the
    word."""
    c0, c4 = scalars[C0], scalars[C4]
    within = min(max(logit, -2047), 2047) + 2048
    low, weight = within >> 7, within & 127
    cells[0, 0] = c0
    cells[1, 0] = 256 + (c0 | (c4 & 255) << 8)
    cells[2, 0] = 256 + 65536 + (hash2(c4 & 0xFFFFFF, c0) & 0xFFFF)
    cells[3, 0] = 256 + 65536 * 2 + (hash2(scalars[WORD], c0) & 0xFFFF)
    total: Integer = 0
    for j in range(APMS):
        row = cells[j, 0]
        cells[j, 1] = low + (weight >> 6)
        p = np.int64(apm[row, low]) * (128 - weight) + np.int64(apm[row, low + 1]) * weight
        total += _SHARES[j] * (p >> 7)
    p = np.int64(SQUASH[logit + LOGIT_LIMIT])
    if -2000 < logit < 2000 and not silent:
        p = (2 * p + total) >> 3
    return min(max(p, 1), 65535)


@njit(cache=True, _nrt=False)
def learn_corrections(bit: Integer, apm: Any, cells: Any) -> None:
    """Move the cells used towards `bit`."""
    for j in range(APMS):
        apm[cells[j, 0], cells[j, 1]] += (
            bit * 65527 + (1 - bit) * 8 - np.int64(apm[cells[j, 0], cells[j, 1]])
        ) >> 6
