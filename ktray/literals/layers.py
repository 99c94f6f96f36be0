"""The mixing network: sets of weights, each row chosen by a small context; a second layer over the sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from ktray.kernels import njit
from ktray.literals.cells import (
    BITS,
    BRACKETS,
    C0,
    C4,
    CLASSES,
    FIRST,
    KNOWN,
    LETTERS,
    LONGEST,
    POS,
    RATE,
    RATE2,
    RATE_EXTRA,
)
from ktray.literals.fixed import INPUT_LIMIT, LOGIT_LIMIT, SQUASH, Integer
from ktray.literals.mixing import dot32, train32

#: Rows of each set of weights; smaller presets have the first ones only.
ROWS = np.array([2048, 2048, 512, 256, 2048, 2048, 256, 2048, 4096, 256, 256, 2048], dtype=np.int64)
FIRST_ROW = np.concatenate([[0], np.cumsum(ROWS)]).astype(np.int64)
#: Mixers of the second layer, whose logits are averaged: chosen by the byte so far, the last byte, what is known.
FINALS = 3
_FINAL_ROW = np.array([0, 256, 512], dtype=np.int64)
FINAL_ROWS = 512 + 256


@njit(cache=True, _nrt=False)
def _reach(longest: Integer) -> Integer:
    """0..3: how long the longest match is, by the bucket of its length."""
    return 0 if longest == 0 else (1 if longest < 15 else (2 if longest < 22 else 3))


@njit(cache=True, _nrt=False)
def choose_rows(scalars: Any, used: Any, matches: Any, rows: Any) -> None:
    """The row of weights of each set."""
    bits, c4, reach = scalars[BITS], scalars[C4], _reach(scalars[LONGEST])
    rows[0] = (c4 & 255) * 8 + bits
    rows[1] = (scalars[CLASSES] & 255) * 8 + bits
    rows[2] = (scalars[KNOWN] * 8 + bits) * 4 + reach
    rows[3] = min(scalars[LETTERS], 15) * 16 + bits * 2
    rows[4] = (matches[0, 2] & 255) * 8 + reach * 2 + (matches[0, 2] >> 8)
    rows[5] = ((c4 >> 8) & 255) * 8 + bits
    if rows.shape[0] > 6:
        rows[6] = scalars[C0]
        rows[7] = (scalars[BRACKETS] & 255) * 8 + bits
        rows[8] = scalars[CLASSES] & 0xFFF
        rows[9] = used[6]
        rows[10] = used[3]
        rows[11] = scalars[FIRST] * 8 + bits
    for k in range(rows.shape[0]):
        rows[k] += FIRST_ROW[k]


@njit(cache=True, _nrt=False)
def mix(scalars: Any, x: Any, weights: Any, rows: Any, logits: Any, second: Any, finals: Any) -> Integer:
    """The mixed logit."""
    sets = rows.shape[0]
    for k in range(sets):
        logits[k] = min(max(dot32(weights[rows[k]], x) >> 8, -INPUT_LIMIT), INPUT_LIMIT)
    finals[0, 0] = scalars[C0]
    finals[1, 0] = scalars[C4] & 255
    finals[2, 0] = (scalars[KNOWN] * 8 + scalars[BITS]) * 4 + _reach(scalars[LONGEST])
    mean: Integer = np.int64(0)
    for j in range(FINALS):
        total: Integer = np.int64(0)
        finals[j, 0] += _FINAL_ROW[j]
        row = finals[j, 0]
        for k in range(sets):
            total += logits[k] * np.int64(second[row, k])
        finals[j, 1] = min(max(total >> 16, -LOGIT_LIMIT), LOGIT_LIMIT)
        mean += finals[j, 1]
    return mean // FINALS


@njit(cache=True, _nrt=False)
def learn_weights(
    scalars: Any, bit: Integer, x: Any, weights: Any, rows: Any, logits: Any, second: Any, finals: Any
) -> None:
    """Move the weights of both layers down the gradient of the coding cost; fast at first."""
    y = bit << 16
    rate = scalars[RATE] + scalars[RATE_EXTRA] // (1024 + scalars[POS])
    for j in range(FINALS):
        error = ((y - np.int64(SQUASH[finals[j, 1] + LOGIT_LIMIT])) * scalars[RATE2]) >> 10
        row = finals[j, 0]
        for k in range(rows.shape[0]):
            second[row, k] += (logits[k] * error + 0x8000) >> 16
    for k in range(rows.shape[0]):
        error = ((y - np.int64(SQUASH[logits[k] + LOGIT_LIMIT])) * rate) >> 14
        train32(weights[rows[k]], x, error)
