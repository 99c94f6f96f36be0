"""Inputs of the mixing network: what each context's history, run and counter say of the next bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from ktray.kernels import njit
from ktray.literals.buckets import spread
from ktray.literals.cells import C4
from ktray.literals.fixed import STATE_COUNTS, STRETCH, Integer

#: Counters of the contexts that have their own: rows of 16 for half a byte, and how many rows in bits.
DIRECT_BITS = 18

#: Rates of a counter of a bucket that has seen so many bits, of 65536.
COUNTER_RATES = np.array([65536 * 2 // (2 * n + 3) for n in range(15)] + [65536 // 20], dtype=np.int64)

#: 1 where a history knows bits of one kind only.
_SURE = np.array([int((a == 0) != (b == 0)) for a, b in STATE_COUNTS], dtype=np.int64)


@njit(cache=True, _nrt=False)
def history_inputs(node: Integer, buckets: Any, places: Any, maps: Any, used: Any, x: Any) -> Integer:
    """An input a context from its bit history; returns how many of the first six contexts know something."""
    for i in range(places.shape[0]):
        history = np.int64(buckets[places[i] + node])
        used[i] = history
        x[i] = (np.int64(STRETCH[np.int64(maps[i, history]) >> 19]) * np.int64(history != 0)) >> 1
    known: Integer = 0
    for i in range(6):
        known += np.int64(used[i] != 0)
    return known


@njit(cache=True, _nrt=False)
def counter_inputs(node: Integer, counters: Any, places: Any, used: Any, maps: Any, x: Any, first: Integer, silent: Integer) -> None:  # fmt: skip  # noqa: E501
    """Two inputs a context: what its own counter says, and the distance from one half of what its history says;
    `silent`: the former (1) or the latter (2) left out.
    """
    n, counted, distant = places.shape[0], 1 - (silent & 1), 1 - (silent >> 1)
    for i in range(n):
        known = np.int64(used[i] != 0)
        p = np.int64(counters[places[i] + node]) >> 4
        x[first + i] = (np.int64(STRETCH[p]) * known * counted) >> 1
        x[first + n + i] = (((np.int64(maps[i, used[i]]) >> 19) - 2048) * known * distant) >> 2


@njit(cache=True, _nrt=False)
def learn_counters(node: Integer, counters: Any, places: Any, bit: Integer) -> None:
    """Move the contexts' own counters towards `bit`, fast while they are new."""
    for i in range(places.shape[0]):
        value = np.int64(counters[places[i] + node])
        seen, p = value & 15, value >> 4
        p += ((bit * 4095 - p) * COUNTER_RATES[seen]) >> 16
        counters[places[i] + node] = (p << 4) | min(seen + 1, 15)


@njit(cache=True, _nrt=False)
def doubt_inputs(used: Any, x: Any, first: Integer) -> None:
    """Another input a context: the same, where only bits of one kind were seen."""
    for i in range(used.shape[0]):
        x[first + i] = np.int64(x[i]) * _SURE[used[i]]


@njit(cache=True, _nrt=False)
def run_inputs(c0: Integer, bits: Integer, found: Any, maps: Any, used: Any, x: Any, first: Integer) -> None:
    """One input a context: whether the byte that followed last comes again."""
    for i in range(found.shape[0]):
        run = found[i]
        fits = np.int64(((run & 511) >> (8 - bits)) == c0)
        cell = (((run >> 9) << 4) | (((run >> (7 - bits)) & 1) << 3) | bits) * fits
        used[i] = cell
        x[first + i] = (np.int64(STRETCH[np.int64(maps[i, cell]) >> 19]) * fits) >> 1


@njit(cache=True, _nrt=False)
def direct_inputs(node: Integer, tables: Any, at: Any, x: Any, first: Integer) -> None:
    """Two inputs a counter, whose cells are noted: its logit, and its distance from one half."""
    for i in range(at.shape[0]):
        cell = at[i, 0] + node
        at[i, 1] = cell
        p = np.int64(tables[i, cell]) >> 19
        x[first + 2 * i] = STRETCH[p] >> 1
        x[first + 2 * i + 1] = (p - 2048) >> 2


@njit(cache=True, _nrt=False)
def find_directs(scalars: Any, half: Integer, hashes: Any, at: Any) -> None:
    """Where the counters of orders 1, 2 and 3 and of the word begin, for a byte's half."""
    mask = (1 << DIRECT_BITS) - 1
    if at.shape[0] > 0:
        at[0, 0] = ((scalars[C4] & 255) << 8 | half) << 4
        at[1, 0] = ((spread(hashes[3], half) >> 22) & mask) << 4
        at[2, 0] = ((spread(hashes[0], half) >> 22) & mask) << 4
        at[3, 0] = ((spread(hashes[1], half) >> 22) & mask) << 4
