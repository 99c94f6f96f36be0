"""Tables of the nucleotide model: what followed the last bases, on both strands.

Contexts of few bases keep slow probabilities of 22 bits in rows of their own; those of many share rows that
are checked and forget fast. Rows are asked for a symbol before they are read, so that no miss is waited for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ktray.kernels import njit
from ktray.literals.fixed import STRETCH, Integer
from ktray.literals.mixing import adapt, prefetch

#: How many bases the contexts have: of slow tables, and of hashed ones.
SLOW = np.array([1, 2, 3, 4, 6, 8, 10, 11], dtype=np.int64)
FAST = np.array([12, 16, 20], dtype=np.int64)
LONGEST = 24
N_SLOW, N_FAST = len(SLOW), len(FAST)
CALIBRATED = 5  # the first slow table whose probabilities are calibrated too
N_INPUTS = N_SLOW + N_SLOW - CALIBRATED + 2 * N_FAST
FIRST_SLOW = np.concatenate([[0], np.cumsum(4**SLOW)]).astype(np.int64)
_LIMITS = np.array([511, 511, 511, 511, 511, 511, 400, 250], dtype=np.int64)
_FADE = 500
# Rates of a cell that has seen so many bits, of 65536.
_CELL_RATES = np.array(
    [65536, 26000, 20000, 16000, 13000, 11000, 9400, 8200, 7200, 6500, 5800, 5200, 4600, 4100, 3600, 3200],
    dtype=np.int64,
)


def _count_bucket(n: int) -> int:
    """0..15: how often a slow probability was used, two steps an octave."""
    octave = max(n.bit_length() - 1, 0)
    return min(2 * octave + (n >> max(octave - 1, 0) & 1) if n else 0, 15)


_COUNT_BUCKET = np.array([_count_bucket(n) for n in range(512)], dtype=np.int64)


def new_tables(log_rows: int) -> Any:
    """Slow rows, hashed rows; the rows in use, those of the other strand; calibration, its cells in use."""
    cells = np.full(
        (N_FAST << log_rows, 4), 32768, dtype=np.uint16
    )  # a check; 12 bits of probability, 4 of count
    cells[:, 0] = 0
    centre = ((np.arange(64) * 65536 + 32768) << 9).astype(np.int32)
    return (
        np.full((FIRST_SLOW[-1], 4), 1 << 30, dtype=np.int32),
        cells,
        np.zeros((3, N_SLOW + N_FAST), dtype=np.int64),
        np.zeros((2, N_FAST), dtype=np.int64),
        np.tile(centre, ((N_SLOW + N_FAST) * 32, 1)),
        np.zeros((N_SLOW + N_FAST, 2), dtype=np.int64),
    )


@njit(cache=True, _nrt=False)
def hash_bases(context: Integer) -> Integer:
    """A 63-bit hash of up to 24 bases."""
    h = (context ^ (context >> 23)) & 0x7FFFFFFF
    h = h * 0x5BD1E995 + ((context >> 31) & 0x7FFFFFFF) * 0x2545F491
    h ^= (h >> 29) & 0x7FFFFFFF
    return h & 0x7FFFFFFFFFFFFFFF


@njit(cache=True, _nrt=False)
def ask(tables: Any, log_rows: Integer, bases: Integer, shift: Integer, k: Integer) -> None:
    """Note the rows of all contexts, and have them fetched. A context of n bases is the low 2n bits of `bases`,
    or its bits from 2 (LONGEST - n) on where `shift` is 1.
    """
    slow, cells, rows, checks, _, _ = tables
    for i in range(N_SLOW):
        at = (bases >> (2 * (LONGEST - SLOW[i]) * shift)) & ((1 << (2 * SLOW[i])) - 1)
        rows[k, i] = FIRST_SLOW[i] + at
    for i in range(5, N_SLOW):
        prefetch(slow, rows[k, i])
    for i in range(N_FAST):
        h = hash_bases((bases >> (2 * (LONGEST - FAST[i]) * shift)) & ((1 << (2 * FAST[i])) - 1))
        row = (i << log_rows) + ((h >> 5) & ((1 << log_rows) - 1))
        rows[k, N_SLOW + i] = row
        checks[k, i] = (h >> 30) & 0xFFFF
        prefetch(cells, row)


@njit(cache=True, _nrt=False)
def take(tables: Any, k: Integer) -> None:
    """Clear hashed rows asked for that another context had."""
    _, cells, rows, checks, _, _ = tables
    for i in range(N_FAST):
        row = rows[k, N_SLOW + i]
        if np.int64(cells[row, 0]) != checks[k, i]:
            cells[row, 0] = checks[k, i]
            for node in range(1, 4):
                cells[row, node] = 32768


@njit(cache=True, _nrt=False)
def table_inputs(tables: Any, node: Integer, half: Integer, x: Any) -> Integer:
    """Two inputs a table, one where it is slow and small; returns how many of the long contexts are known."""
    slow, cells, rows, _, calibration, used = tables
    at = N_SLOW + N_FAST
    for i in range(N_SLOW):
        value = np.int64(slow[rows[0, i], node])
        x[i] = STRETCH[value >> 19] >> 1
        if i >= CALIBRATED:
            used[i, 0] = (i * 16 + _COUNT_BUCKET[value & 511]) * 2 + half
            used[i, 1] = value >> 25
            x[at] = STRETCH[np.int64(calibration[used[i, 0], used[i, 1]]) >> 19] >> 1
            at += 1
    known: Integer = 0
    for i in range(N_FAST):
        value = np.int64(cells[rows[0, N_SLOW + i], node])
        j = N_SLOW + i
        used[j, 0] = (j * 16 + (value & 15)) * 2 + half
        used[j, 1] = value >> 10
        x[j] = STRETCH[value >> 4] >> 1
        x[at + i] = STRETCH[np.int64(calibration[used[j, 0], used[j, 1]]) >> 19] >> 1
        known += np.int64((value & 15) > 0)
    return known


@njit(cache=True, _nrt=False)
def _learn_cell(cells: Any, row: Integer, node: Integer, bit: Integer) -> None:
    value = np.int64(cells[row, node])
    seen = value & 15
    p = value >> 4
    seen = seen + 1 if seen < 15 else seen
    p += ((bit * 4095 - p) * _CELL_RATES[seen]) >> 16
    cells[row, node] = (p << 4) | seen


@njit(cache=True, _nrt=False)
def learn_calibration(tables: Any, bit: Integer) -> None:
    """How the tables' probabilities in use are borne out."""
    _, _, _, _, calibration, used = tables
    for i in range(CALIBRATED, N_SLOW + N_FAST):
        adapt(calibration[used[i, 0]], used[i, 1], bit, _FADE)


@njit(cache=True, _nrt=False)
def learn_node(tables: Any, k: Integer, node: Integer, bit: Integer) -> None:
    """Learn one bit of a base in the rows k."""
    slow, cells, rows, _, _, _ = tables
    for i in range(N_SLOW):
        adapt(slow[rows[k, i]], node, bit, _LIMITS[i])
    for i in range(N_FAST):
        _learn_cell(cells, rows[k, N_SLOW + i], node, bit)


@njit(cache=True, _nrt=False)
def learn_inverse(tables: Any, forward: Integer) -> None:
    """What the rows asked for on the other strand are followed by there: the complement of the base before
    each context.
    """
    slow, cells, rows, _, _, _ = tables
    for i in range(N_SLOW):
        other = 3 - ((forward >> (2 * (SLOW[i] - 1))) & 3)
        row = slow[rows[1, i]]
        adapt(row, 1, other >> 1, _LIMITS[i])
        adapt(row, 2 + (other >> 1), other & 1, _LIMITS[i])
    for i in range(N_FAST):
        other = 3 - ((forward >> (2 * (FAST[i] - 1))) & 3)
        row = rows[1, N_SLOW + i]
        _learn_cell(cells, row, 1, other >> 1)
        _learn_cell(cells, row, 2 + (other >> 1), other & 1)
