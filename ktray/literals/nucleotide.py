"""The model of nucleotides: each symbol is a case bit and a base of two bits.

Bases are predicted from the last 1 to 24 of them on both strands (every table learns each context's
reverse complement too, as GeCo's inverted repeats do), and by pointers into the past that survive
substitutions. Complements sum to 3.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ktray.literals.coding import DECODE, code_bit
from ktray.literals.fixed import INPUT_LIMIT, LOGIT_LIMIT, SQUASH, STRETCH, Integer
from ktray.literals.mixing import adapt, dot, train
from ktray.sequences import Values

State = tuple[NDArray[Any], ...]

#: How many bases each table's contexts have.
ORDERS = np.array([1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 24], dtype=np.int64)
_LONGEST = 24
_N = len(ORDERS)
_POINTERS = 3  # from 24 bases, from 12, and from 12 on the other strand
_INPUTS = (2 * _N + 2 * _POINTERS + 1 + 7) // 8 * 8
_CASE_CELLS = 1 << 16
_CASES = 6
# Rates of a cell that has seen so many bits, of 65536.
_CELL_RATES = np.array(
    [65536, 26000, 20000, 16000, 13000, 11000, 9400, 8200, 7200, 6500, 5800, 5200, 4600, 4100, 3600, 3200],
    dtype=np.int64,
)

(_FORWARD, _INVERSE, _CASE, _RUN, _RUN_BEFORE, _BITS, _RATE) = range(7)
# of a pointer
(_AT, _LENGTH, _MISSES, _BASE, _CELL, _EXPECTED) = range(6)


def new_state(log_rows: int) -> State:
    """The model before its first symbol, with at most 2**log_rows contexts of each order."""
    scalars = np.zeros(16, dtype=np.int64)
    scalars[[_BITS, _RATE]] = log_rows, 1000
    first = np.cumsum([0, *(1 << min(2 * int(k), log_rows) for k in ORDERS)]).astype(np.int64)
    cells = np.full((first[-1], 4), 32768, dtype=np.uint16)  # a check; 12 bits of probability, 4 of count
    cells[:, 0] = 0
    calibration = np.tile(((np.arange(64) * 65536 + 32768) << 9).astype(np.int32), (_N * 32, 1))
    ramp = SQUASH[np.clip((np.arange(33) - 16) * 128, -LOGIT_LIMIT, LOGIT_LIMIT) + LOGIT_LIMIT]
    return (
        scalars,
        first,
        cells,
        np.zeros(_N, dtype=np.int64),  # the row of each order
        calibration,
        np.zeros((_N, 2), dtype=np.int64),  # the cells used of it
        np.zeros(_INPUTS, dtype=np.int32),
        np.full((3 * 64 + 3 * 256 + 3 * 64, _INPUTS), 65536 // 8, dtype=np.int32),  # weights
        np.zeros((_POINTERS, 6), dtype=np.int64),
        np.zeros((2, 1 << log_rows), dtype=np.int32),  # where a hash of 24 and of 12 bases occurred last
        np.full((_POINTERS, 4096), 1 << 30, dtype=np.int32),  # probability that a pointer is right
        np.tile(ramp, (3 * 65536, 1)),  # correction of the result
        np.full((_CASES, _CASE_CELLS), 1 << 30, dtype=np.int32),  # probability of lower case
        np.zeros(_CASES, dtype=np.int64),  # the cells used of it
        np.zeros(8, dtype=np.int32),
        np.full((64, 8), 65536 // 3, dtype=np.int32),
    )


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


@njit(cache=True, _nrt=False)
def _hash(context: Integer) -> Integer:
    """A 63-bit hash of up to 24 bases."""
    h = (context ^ (context >> 23)) & 0x7FFFFFFF
    h = h * 0x5BD1E995 + ((context >> 31) & 0x7FFFFFFF) * 0x2545F491
    h ^= (h >> 29) & 0x7FFFFFFF
    return h & 0x7FFFFFFFFFFFFFFF


@njit(cache=True, _nrt=False)
def _find_row(cells: Any, first: Integer, context: Integer, bits: Integer, order: Integer) -> Integer:
    """The row of a context's cells, cleared where another context had it."""
    if 2 * order <= bits:
        return first + context
    h = _hash(context)
    row = first + ((h >> 5) & ((1 << bits) - 1))
    check = (h >> 30) & 0xFFFF
    if np.int64(cells[row, 0]) != check:
        cells[row, 0] = check
        for node in range(1, 4):
            cells[row, node] = 32768
    return row


@njit(cache=True, _nrt=False)
def _learn_cell(cells: Any, row: Integer, node: Integer, bit: Integer) -> None:
    value = np.int64(cells[row, node])
    seen = value & 15
    seen = seen + 1 if seen < 15 else seen
    p = value >> 4
    p += ((bit * 4095 - p) * _CELL_RATES[seen]) >> 16
    cells[row, node] = (p << 4) | seen


@njit(cache=True, _nrt=False)
def _run_bucket(run: Integer) -> Integer:
    """0..63: the length of a run, four steps an octave."""
    octave = 0
    while run > 7:
        run >>= 1
        octave += 4
    return min(octave + (run >> 1), 63)


@njit(cache=True, _nrt=False)
def _code_case(mode: Integer, coder: Any, buffer: Any, state: Any, symbols: Any, case: Integer) -> Integer:
    """Encode, decode or price the case of the next symbol; returns it."""
    (scalars, _, _, _, _, _, _, _, pointers, _, _, _, maps, cells, x, weights) = state
    before, forward = scalars[_CASE], scalars[_FORWARD]
    run = _run_bucket(scalars[_RUN])
    matched = np.int64(0)
    for m in range(_POINTERS):
        if pointers[m, _LENGTH] > 0 and matched == 0:
            there = np.int64(symbols[pointers[m, _AT]]) >> 2
            matched = 2 + there + 2 * min(pointers[m, _LENGTH] >> 3, 3)
    cells[0] = (run << 1) | before
    cells[1] = ((forward & 0x7FFF) << 1) | before
    cells[2] = (((_hash(forward & 0xFFFFFF) >> 7) & 0x7FFF) << 1) | before
    cells[3] = ((matched * 64 + run) << 1) | before
    cells[4] = (((_hash(forward & 0xFFFFFFFF) >> 7) & 0x7FFF) << 1) | before
    cells[5] = ((scalars[_RUN_BEFORE] * 64 + run) << 1) | before
    for i in range(_CASES):
        x[i] = STRETCH[np.int64(maps[i, cells[i]]) >> 19]
    x[_CASES] = 256
    row = weights[matched * 2 + before]
    logit = min(max(dot(row, x) >> 16, -LOGIT_LIMIT), LOGIT_LIMIT)
    p = np.int64(SQUASH[logit + LOGIT_LIMIT])
    bit = code_bit(mode, coder, buffer, p, case)
    train(row, x, (((bit << 16) - p) * 500) >> 14)
    for i in range(_CASES):
        adapt(maps[i], cells[i], bit, 500)
    scalars[_RUN] += 1
    if bit != before:
        scalars[_RUN_BEFORE], scalars[_RUN], scalars[_CASE] = run, 0, bit
    return bit


@njit(cache=True, _nrt=False)
def _pointer_inputs(pointers: Any, maps: Any, x: Any, node: Integer, half: Integer) -> Integer:
    """Two inputs a pointer: whether its base's next bit comes; returns a small context of the first
    pointer.
    """
    context: Integer = np.int64(0)
    for m in range(_POINTERS):
        j = 2 * _N + 2 * m
        x[j], x[j + 1] = 0, 0
        pointers[m, _CELL] = -1
        base, length, misses = pointers[m, _BASE], pointers[m, _LENGTH], pointers[m, _MISSES]
        if length > 0 and (half == 0 or (base >> 1) == (node & 1)):
            bit = (base >> (1 - half)) & 1
            bucket = length if length < 32 else min(32 + (length >> 5), 47)
            older = np.int64((misses & 0xF0) != 0)
            pointers[m, _CELL] = bucket * 64 + (misses & 15) * 4 + older * 2 + half
            pointers[m, _EXPECTED] = bit
            logit = np.int64(STRETCH[np.int64(maps[m, pointers[m, _CELL]]) >> 19]) * (2 * bit - 1)
            if context == 0:
                context = 1 + min(bucket >> 3, 5) + 7 * np.int64((misses & 3) != 0)
            x[j] = logit >> 1
            x[j + 1] = (logit * min(bucket, 32)) >> 5
    return context


@njit(cache=True, _nrt=False)
def _code_base(mode: Integer, coder: Any, buffer: Any, state: Any, base: Integer, case: Integer) -> Integer:
    """Encode, decode or price the next base, high bit first; returns it."""
    (scalars, first, cells, rows, calibration, used, x, weights, pointers, _, maps, apm, _, _, _, _) = state
    forward, bits = scalars[_FORWARD], scalars[_BITS]
    for i in range(_N):
        rows[i] = _find_row(cells, first[i], forward & ((1 << (2 * ORDERS[i])) - 1), bits, ORDERS[i])
    node: Integer = np.int64(1)
    for half in range(2):
        known: Integer = 0
        for i in range(_N):
            value = np.int64(cells[rows[i], node])
            used[i, 0] = (i * 16 + (value & 15)) * 2 + half
            used[i, 1] = value >> 10
            x[2 * i] = STRETCH[value >> 4] >> 1
            x[2 * i + 1] = STRETCH[np.int64(calibration[used[i, 0], used[i, 1]]) >> 19] >> 1
            known += np.int64((value & 15) > 0 and i > 9)
        context = _pointer_inputs(pointers, maps, x, node, half)
        x[2 * _N + 2 * _POINTERS] = 256
        row0 = weights[(node - 1) * 64 + context]
        row1 = weights[192 + (node - 1) * 256 + (forward & 255)]
        row2 = weights[960 + (node - 1) * 64 + known * 4 + case]
        logit0 = min(max(dot(row0, x) >> 16, -INPUT_LIMIT), INPUT_LIMIT)
        logit1 = min(max(dot(row1, x) >> 16, -INPUT_LIMIT), INPUT_LIMIT)
        logit2 = min(max(dot(row2, x) >> 16, -INPUT_LIMIT), INPUT_LIMIT)
        logit = (logit0 + logit1 + logit2) // 3
        at, within = (logit + 2048) >> 7, (logit + 2048) & 127
        correction = apm[(node - 1) * 65536 + (forward & 0xFFFF)]
        guess = (np.int64(correction[at]) * (128 - within) + np.int64(correction[at + 1]) * within) >> 7
        p = min(max((3 * np.int64(SQUASH[logit + LOGIT_LIMIT]) + guess) >> 2, 32), 65504)
        bit = code_bit(mode, coder, buffer, p, (base >> (1 - half)) & 1)
        rate, y = scalars[_RATE], bit << 16
        train(row0, x, ((y - np.int64(SQUASH[logit0 + LOGIT_LIMIT])) * rate) >> 14)
        train(row1, x, ((y - np.int64(SQUASH[logit1 + LOGIT_LIMIT])) * rate) >> 14)
        train(row2, x, ((y - np.int64(SQUASH[logit2 + LOGIT_LIMIT])) * rate) >> 14)
        at += within >> 6
        correction[at] += (bit * 65527 + (1 - bit) * 8 - np.int64(correction[at])) >> 6
        for i in range(_N):
            adapt(calibration[used[i, 0]], used[i, 1], bit, 500)
            _learn_cell(cells, rows[i], node, bit)
        for m in range(_POINTERS):
            if pointers[m, _CELL] >= 0:
                adapt(maps[m], pointers[m, _CELL], np.int64(bit == pointers[m, _EXPECTED]), 500)
        node = node * 2 + bit
    return node & 3


@njit(cache=True, _nrt=False)
def _learn_other_strand(state: Any, t: Integer, base: Integer) -> None:
    """What the same bases say read backwards on the other strand; then append the base."""
    (scalars, first, cells, _, _, _, _, _, _, _, _, _, _, _, _, _) = state
    forward, inverse = scalars[_FORWARD], (scalars[_INVERSE] >> 2) | ((3 - base) << (2 * _LONGEST - 2))
    for i in range(_N):
        order = ORDERS[i]
        if t >= order:
            row = _find_row(cells, first[i], inverse >> (2 * (_LONGEST - order)), scalars[_BITS], order)
            other = 3 - ((forward >> (2 * (order - 1))) & 3)
            _learn_cell(cells, row, 1, other >> 1)
            _learn_cell(cells, row, 2 + (other >> 1), other & 1)
    scalars[_FORWARD] = ((forward << 2) | base) & ((1 << (2 * _LONGEST)) - 1)
    scalars[_INVERSE] = inverse


@njit(cache=True, _nrt=False)
def _follow_pointer(pointer: Any, base: Integer, step: Integer) -> None:
    """Move a pointer on; a miss shortens its length, many in the last sixteen end it."""
    missed = np.int64(pointer[_BASE] != base)
    pointer[_MISSES] = ((pointer[_MISSES] << 1) | missed) & 0xFFFF
    pointer[_LENGTH] = pointer[_LENGTH] >> 2 if missed else pointer[_LENGTH] + 1
    count, misses = 0, pointer[_MISSES]
    while misses > 0:
        count += misses & 1
        misses >>= 1
    pointer[_AT] += step
    if count > 8 or pointer[_AT] < 0:
        pointer[_LENGTH] = 0


@njit(cache=True, _nrt=False)
def _set_pointer(pointer: Any, at: Integer, length: Integer) -> None:
    pointer[_AT], pointer[_LENGTH], pointer[_MISSES] = at, length, 0


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
def _find_pointers(state: Any, symbols: Any, t: Integer) -> None:
    """Follow the pointers past symbol t, look for better ones, and note what each expects next."""
    (scalars, _, _, _, _, _, _, _, pointers, places, _, _, _, _, _, _) = state
    base = np.int64(symbols[t]) & 3
    for m in range(_POINTERS):
        if pointers[m, _LENGTH] > 0:
            _follow_pointer(pointers[m], base, 1 if m < 2 else -1)
    if t >= 32:
        mask = (1 << scalars[_BITS]) - 1
        long = (_hash(scalars[_FORWARD]) >> 5) & mask
        short = (_hash(scalars[_FORWARD] & 0xFFFFFF) >> 5) & mask
        other = (_hash(scalars[_INVERSE] >> 24) >> 5) & mask
        if pointers[0, _LENGTH] < 16 and places[0, long] > 0:
            length = _common(symbols, np.int64(places[0, long]) - 1, -1, t)
            if length >= 20:
                _set_pointer(pointers[0], np.int64(places[0, long]), length)
        if pointers[1, _LENGTH] < 8 and places[1, short] > 0:
            length = _common(symbols, np.int64(places[1, short]) - 1, -1, t)
            if length >= 11 and length > pointers[1, _LENGTH]:
                _set_pointer(pointers[1], np.int64(places[1, short]), length)
        if pointers[2, _LENGTH] < 8 and places[1, other] > 12:
            begin = np.int64(places[1, other]) - 12
            length = _common(symbols, begin, 1, t)
            if length >= 12 and length > pointers[2, _LENGTH]:
                _set_pointer(pointers[2], begin - 1, length)
        places[0, long] = t + 1
        places[1, short] = t + 1
    for m in range(_POINTERS):
        if pointers[m, _LENGTH] > 0:
            there = np.int64(symbols[pointers[m, _AT]]) & 3
            pointers[m, _BASE] = there if m < 2 else 3 - there


@njit(cache=True, _nrt=False)
def code_symbols(
    mode: Integer, coder: Any, buffer: Any, state: Any, symbols: Any, start: Integer, stop: Integer
) -> None:
    """Encode, decode or price symbols[start:stop] (uint8, base | case << 2), and learn them: see `coding`."""
    for t in range(start, stop):
        symbol = np.int64(symbols[t]) if mode != DECODE else np.int64(0)
        case = _code_case(mode, coder, buffer, state, symbols, symbol >> 2)
        base = _code_base(mode, coder, buffer, state, symbol & 3, case)
        symbols[t] = base | case << 2
        _learn_other_strand(state, t, base)
        _find_pointers(state, symbols, t)
