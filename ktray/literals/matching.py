"""Matches: places of the history where the last bytes occurred before, and what followed there."""

from __future__ import annotations

from typing import Any

import numpy as np

from ktray.kernels import njit
from ktray.literals.cells import C4, C8, C12, HISTORY, POS, hash2
from ktray.literals.fixed import STRETCH, Integer

MATCHES = 2
_SHORTEST = np.array([5, 12], dtype=np.int64)  # lengths that begin a match
_LONGEST_CHECKED = 400


@njit(cache=True, _nrt=False)
def find_matches(scalars: Any, history: Any, matches: Any, last: Any, silent: Integer) -> None:
    """Follow each match by a byte, or look for a new one where the last bytes occurred before."""
    pos, mask = scalars[POS], scalars[HISTORY]
    for m in range(MATCHES):
        pointer, length = matches[m, 0], matches[m, 1]
        if length > 0 and np.int64(history[pointer & mask]) == (scalars[C4] & 255):
            length = min(length + 1, 65535)
            pointer += 1
        else:
            length = 0
        h = hash2(scalars[C4], scalars[C8] & 0xFF)
        if m == 1:
            h = hash2(hash2(scalars[C4], scalars[C8]), scalars[C12])
        h &= last.shape[1] - 1
        if length == 0:
            pointer = np.int64(last[m, h])
            most = min(_LONGEST_CHECKED, pointer) if pos - pointer < mask - _LONGEST_CHECKED else 0
            while (
                length < most and history[(pointer - 1 - length) & mask] == history[(pos - 1 - length) & mask]
            ):
                length += 1
            if length < _SHORTEST[m]:
                length = 0
        if silent:
            length = 0
        last[m, h] = pos
        matches[m, 0] = pointer
        matches[m, 1] = length
        matches[m, 2] = (np.int64(history[pointer & mask]) | 256) if length > 0 else 0


@njit(cache=True, _nrt=False)
def _length_bucket(length: Integer) -> Integer:
    """0..28: exact below 16, coarser above."""
    if length < 16:
        return length
    if length < 32:
        return 16 + ((length - 16) >> 2)
    bucket = 20
    while length >= 64 and bucket < 28:
        length >>= 1
        bucket += 1
    return bucket


@njit(cache=True, _nrt=False)
def match_inputs(c0: Integer, bits: Integer, matches: Any, maps: Any, x: Any, first: Integer) -> Integer:
    """Two inputs a match; returns the bucket of the longest match's length."""
    longest = 0
    for m in range(MATCHES):
        x[first + 2 * m] = 0
        x[first + 2 * m + 1] = 0
        matches[m, 3] = -1
        if matches[m, 1] > 0:
            if (matches[m, 2] >> (8 - bits)) == c0:
                bucket = _length_bucket(matches[m, 1])
                cell = ((m * 32 + bucket) << 1) | ((matches[m, 2] >> (7 - bits)) & 1)
                matches[m, 3] = cell
                p = np.int64(maps[cell]) >> 19
                x[first + 2 * m] = np.int64(STRETCH[p]) >> 1
                x[first + 2 * m + 1] = (p - 2048) >> 2
                longest = bucket
            else:
                matches[m, 1] = 0
    return longest
