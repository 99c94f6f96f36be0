"""Pointers of the nucleotide model: places that went on as the present one does, on either strand.

A pointer survives substitutions: a miss shortens its length, many in the last sixteen bases end it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ktray.kernels import njit
from ktray.literals.fixed import STRETCH, Integer
from ktray.literals.mixing import adapt
from ktray.literals.strands import LONGEST, hash_bases

#: Bases that must agree before a pointer is set, strand (+1: this one), length below which a better one is sought.
SEEDS = np.array([24, 12, 12, 16, 20], dtype=np.int64)
STEPS = np.array([1, 1, -1, 1, -1], dtype=np.int64)
_PATIENCE = np.array([16, 8, 8, 16, 16], dtype=np.int64)
_TABLE = np.array([0, 1, 1, 2, 3], dtype=np.int64)
_LENGTHS = np.array([24, 12, 16, 20], dtype=np.int64)
COUNT, TABLES = len(SEEDS), len(_LENGTHS)
CELLS = 4096
(AT, LENGTH, MISSES, BASE, CELL, EXPECTED) = range(6)


@njit(cache=True, _nrt=False)
def pointer_inputs(pointers: Any, maps: Any, x: Any, first: Integer, node: Integer, half: Integer) -> Integer:
    """Two inputs a pointer: whether its base's next bit comes; returns a small context of the first
    pointer.
    """
    context: Integer = np.int64(0)
    for m in range(COUNT):
        j = first + 2 * m
        x[j], x[j + 1] = 0, 0
        pointers[m, CELL] = -1
        base, length, misses = pointers[m, BASE], pointers[m, LENGTH], pointers[m, MISSES]
        if length > 0 and (half == 0 or (base >> 1) == (node & 1)):
            bit = (base >> (1 - half)) & 1
            bucket = length if length < 32 else min(32 + (length >> 5), 47)
            older = np.int64((misses & 0xF0) != 0)
            pointers[m, CELL] = bucket * 64 + (misses & 15) * 4 + older * 2 + half
            pointers[m, EXPECTED] = bit
            logit = np.int64(STRETCH[np.int64(maps[m, pointers[m, CELL]]) >> 19]) * (2 * bit - 1)
            if context == 0:
                context = 1 + min(bucket >> 3, 5) + 7 * np.int64((misses & 3) != 0)
            x[j] = logit >> 1
            x[j + 1] = (logit * min(bucket, 32)) >> 6
    return context


@njit(cache=True, _nrt=False)
def learn_pointers(pointers: Any, maps: Any, bit: Integer) -> None:
    """Whether the pointers' bits came."""
    for m in range(COUNT):
        if pointers[m, CELL] >= 0:
            adapt(maps[m], pointers[m, CELL], np.int64(bit == pointers[m, EXPECTED]), 500)


@njit(cache=True, _nrt=False)
def _follow(pointer: Any, base: Integer, step: Integer) -> None:
    """Move a pointer on."""
    missed = np.int64(pointer[BASE] != base)
    pointer[MISSES] = ((pointer[MISSES] << 1) | missed) & 0xFFFF
    pointer[LENGTH] = pointer[LENGTH] >> 2 if missed else pointer[LENGTH] + 1
    count, misses = 0, pointer[MISSES]
    while misses > 0:
        count += misses & 1
        misses >>= 1
    pointer[AT] += step
    if count > 8 or pointer[AT] < 0:
        pointer[LENGTH] = 0


@njit(cache=True, _nrt=False)
def _common(symbols: Any, at: Integer, step: Integer, t: Integer) -> Integer:
    """How many bases before and with t agree with those from `at` on in direction `step` (+1:
    complements).
    """
    length = 0
    while length < 32 and t - length >= 0 and 0 <= at < t:
        there = np.int64(symbols[at]) & 3
        if (3 - there if step > 0 else there) != (np.int64(symbols[t - length]) & 3):
            break
        length += 1
        at += step
    return length


@njit(cache=True, _nrt=False)
def _seek(
    pointer: Any,
    m: Integer,
    places: Any,
    inverse: Integer,
    log_rows: Integer,
    slots: Any,
    symbols: Any,
    t: Integer,
) -> None:
    """Set a pointer where the last bases, or their complements, occurred last, if that is better."""
    seed: Integer = SEEDS[m]
    table: Integer = _TABLE[m]
    begin: Integer
    after: Integer
    if STEPS[m] > 0:
        place = np.int64(places[table, slots[table]])
        begin, after = place - 1, place
    else:
        slot = (hash_bases(inverse >> (2 * (LONGEST - seed))) >> 5) & ((1 << log_rows) - 1)
        place = np.int64(places[table, slot])
        begin, after = place - seed, place - seed - 1
    if place > seed and after >= 0:
        length = _common(symbols, begin, -STEPS[m], t)
        if length >= min(seed, 20) and length > pointer[LENGTH]:
            pointer[AT], pointer[LENGTH], pointer[MISSES] = after, length, 0


@njit(cache=True, _nrt=False)
def find_pointers(pointers: Any, places: Any, slots: Any, forward: Integer, inverse: Integer, log_rows: Integer, symbols: Any, t: Integer) -> None:  # fmt: skip  # noqa: E501
    """Follow the pointers past symbol t, look for better ones, and note what each expects next."""
    base = np.int64(symbols[t]) & 3
    for m in range(COUNT):
        if pointers[m, LENGTH] > 0:
            _follow(pointers[m], base, STEPS[m])
    if t >= LONGEST:
        for k in range(TABLES):
            h = hash_bases(forward & ((1 << (2 * _LENGTHS[k])) - 1))
            slots[k] = (h >> 5) & ((1 << log_rows) - 1)
        for m in range(COUNT):
            if pointers[m, LENGTH] < _PATIENCE[m]:
                _seek(pointers[m], m, places, inverse, log_rows, slots, symbols, t)
        for k in range(TABLES):
            places[k, slots[k]] = t + 1
    for m in range(COUNT):
        if pointers[m, LENGTH] > 0:
            there = np.int64(symbols[pointers[m, AT]]) & 3
            pointers[m, BASE] = there if STEPS[m] > 0 else 3 - there
