"""The model of nucleotides: each symbol is a case bit and a base of two bits.

Bases are predicted from the last 1 to 20 of them on both strands (every table learns each context's
reverse complement too, as GeCo's inverted repeats do: `strands`, and `lately` for what is near), by pointers into
the past that survive substitutions (`pointers`), and by the votes of many such copies (`copies`). Complements sum
to 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ktray.kernels import njit
from ktray.literals.coding import DECODE, code_bit
from ktray.literals.copies import (
    VOTES_INPUTS,
    find_copies,
    learn_votes,
    new_copies,
    vote,
    vote_inputs,
    votes_context,
)
from ktray.literals.fixed import INPUT_LIMIT, LOGIT_LIMIT, SQUASH, STRETCH, Integer, cost_of
from ktray.literals.lately import (
    N_LATELY,
    find_lately,
    lately_inputs,
    learn_lately,
    learn_lately_inverse,
    new_lately,
)
from ktray.literals.mixing import adapt, dot, dot32, train, train32
from ktray.literals.pointers import (
    AT,
    BASE,
    CELLS,
    COUNT,
    LENGTH,
    MISSES,
    SEEDS,
    STEPS,
    TABLES,
    find_pointers,
    learn_pointers,
    pointer_inputs,
)
from ktray.literals.strands import (
    CALIBRATED,
    FAST,
    LONGEST,
    N_INPUTS,
    N_SLOW,
    SLOW,
    ask,
    hash_bases,
    learn_calibration,
    learn_inverse,
    learn_node,
    new_tables,
    table_inputs,
    take,
)

State = tuple[Any, ...]

_FIRST_LATELY = N_INPUTS + 2 * COUNT + 1
_CASE_CELLS = 1 << 16
_CASES = 6
_COPIES = 12
#: What the model can have besides: copies that vote, further sets of weights, counters that forget fast.
COPIED, SETS, LATELY = 1, 2, 4
EXTRA_PARTS = {"copies": COPIED, "further sets": SETS, "fast counters": LATELY}
EXTRAS = {"fast": 0, "default": COPIED, "max": COPIED | SETS | LATELY}
#: Contexts of each set of weights; the smaller model has the first ones only.
_ROWS = np.array([64, 256, 64, 4096, 64, 256, 256, 32, 64, 1, 128, 64], dtype=np.int64)
_FIRST_ROW = np.concatenate([[0], np.cumsum(_ROWS)]).astype(np.int64)
_FINAL_ROWS = np.array([64, 64, 256], dtype=np.int64)
_FIRST_FINAL = np.concatenate([[0], np.cumsum(_FINAL_ROWS)]).astype(np.int64)
_RATE2 = 800  # of the second layer
_RATE_EXTRA = 600_000_000  # of the first at first

(_FORWARD, _INVERSE, _CASE, _RUN, _RUN_BEFORE, _BITS, _RATE, _LEARNT, _LEFT_OUT) = range(9)
(_COST, _FIRST_VOTES) = range(9, 11)

#: What `leave_out` can silence, by its bit.
PARTS = (
    *(f"order {k}" for k in (*SLOW, *FAST)),
    *(
        f"pointer from {k}, {'this' if step > 0 else 'other'} strand"
        for k, step in zip(SEEDS, STEPS, strict=True)
    ),
)
_N_TABLES = len(SLOW) + len(FAST)


def new_state(log_rows: int, extras: int = 0) -> State:
    """The model before its first symbol, with at most 2**log_rows contexts of each order; `extras`: the sum of
    COPIED, SETS and LATELY.
    """
    copied, more, recent = (bool(extras & extra) for extra in (COPIED, SETS, LATELY))
    first_votes = _FIRST_LATELY + N_LATELY * recent
    inputs = (first_votes + VOTES_INPUTS * copied + 15) // 16 * 16
    sets, finals = (len(_ROWS), 3) if more else (3, 1)
    scalars = np.zeros(16, dtype=np.int64)
    scalars[[_BITS, _RATE, _FIRST_VOTES]] = log_rows, 6000, first_votes
    ramp = SQUASH[np.clip((np.arange(33) - 16) * 128, -LOGIT_LIMIT, LOGIT_LIMIT) + LOGIT_LIMIT]
    return (
        scalars,
        new_tables(log_rows),
        np.zeros(inputs, dtype=np.int32),
        np.full((3 * int(_FIRST_ROW[sets]), inputs), 65536 // 8, dtype=np.int32),  # weights
        np.zeros((COUNT, 6), dtype=np.int64),
        np.zeros((TABLES, 1 << log_rows), dtype=np.int32),  # where a hash of so many bases occurred last
        np.zeros(TABLES, dtype=np.int64),
        np.full((COUNT, CELLS), 1 << 30, dtype=np.int32),  # probability that a pointer is right
        np.tile(ramp, (3 * 65536, 1)),  # correction of the result
        np.full((_CASES, _CASE_CELLS), 1 << 30, dtype=np.int32),  # probability of lower case
        np.zeros(_CASES, dtype=np.int64),  # the cells used of it
        np.zeros(8, dtype=np.int32),
        np.full((64, 8), 65536 // 3, dtype=np.int32),
        np.full((3 * int(_FIRST_FINAL[finals]), sets), 65536 // sets, dtype=np.int32),  # of the second layer
        np.zeros((2, sets), dtype=np.int64),  # rows and logits of the first
        np.zeros((2, finals), dtype=np.int64),  # and of the second
        new_copies(_COPIES * copied, log_rows),
        new_lately(recent),
    )


def leave_out(state: State, parts: int) -> None:
    """Silence the parts (bits as in `PARTS`) of a new state, to measure what they are worth."""
    state[0][_LEFT_OUT] = parts


@njit(cache=True, _nrt=False)
def _silence(x: Any, parts: Integer) -> None:
    """Clear the inputs of parts that are left out."""
    for i in range(_N_TABLES):
        if (parts >> i) & 1:
            x[i] = 0
            if i >= CALIBRATED:
                x[_N_TABLES + i - CALIBRATED] = 0
    for m in range(COUNT):
        if (parts >> (_N_TABLES + m)) & 1:
            x[N_INPUTS + 2 * m], x[N_INPUTS + 2 * m + 1] = 0, 0


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
    (scalars, _, _, _, pointers, _, _, _, _, maps, cells, x, weights, _, _, _, _, _) = state
    before, forward = scalars[_CASE], scalars[_FORWARD]
    run = _run_bucket(scalars[_RUN])
    matched = np.int64(0)
    for m in range(COUNT):
        if pointers[m, LENGTH] > 0 and matched == 0:
            there = np.int64(symbols[pointers[m, AT]]) >> 2
            matched = 2 + there + 2 * min(pointers[m, LENGTH] >> 3, 3)
    cells[0] = (run << 1) | before
    cells[1] = ((forward & 0x7FFF) << 1) | before
    cells[2] = (((hash_bases(forward & 0xFFFFFF) >> 7) & 0x7FFF) << 1) | before
    cells[3] = ((matched * 64 + run) << 1) | before
    cells[4] = (((hash_bases(forward & 0xFFFFFFFF) >> 7) & 0x7FFF) << 1) | before
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
def _mixed(x: Any, weights: Any, second: Any, net: Any, finals: Any) -> Integer:
    """The mixed logit; net[0] and finals[0]: rows, then logits of the sets."""
    for k in range(net.shape[1]):
        net[1, k] = min(max(dot32(weights[net[0, k]], x) >> 8, -INPUT_LIMIT), INPUT_LIMIT)
    mean: Integer = np.int64(0)
    for j in range(finals.shape[1]):
        total: Integer = np.int64(0)
        for k in range(net.shape[1]):
            total += net[1, k] * np.int64(second[finals[0, j], k])
        finals[1, j] = min(max(total >> 16, -INPUT_LIMIT), INPUT_LIMIT)
        mean += finals[1, j]
    return mean // finals.shape[1]


@njit(cache=True, _nrt=False)
def _learn_mixed(
    x: Any, weights: Any, second: Any, net: Any, finals: Any, bit: Integer, rate: Integer
) -> None:
    y = bit << 16
    for j in range(finals.shape[1]):
        error2 = ((y - np.int64(SQUASH[finals[1, j] + LOGIT_LIMIT])) * _RATE2) >> 10
        for k in range(net.shape[1]):
            second[finals[0, j], k] += (net[1, k] * error2 + 0x8000) >> 16
    for k in range(net.shape[1]):
        train32(weights[net[0, k]], x, ((y - np.int64(SQUASH[net[1, k] + LOGIT_LIMIT])) * rate) >> 14)


@njit(cache=True, _nrt=False)
def _choose_rows(scalars: Any, used: Any, pointers: Any, copies: Any, net: Any, finals: Any, node: Integer, context: Integer, known: Integer, case: Integer) -> None:  # fmt: skip  # noqa: E501
    """The row of weights of each set."""
    rows, forward = net[0], scalars[_FORWARD]
    rows[0] = context
    rows[1] = forward & 255
    rows[2] = known * 4 + case
    finals[0, 0] = context
    if rows.shape[0] > 3:
        cost = min((scalars[_COST] * 5) >> 16, 15)
        votes = votes_context(copies)
        rows[3] = forward & 4095
        rows[4] = votes
        rows[5] = ((used[N_SLOW - 1, 0] >> 1) & 15) * 16 + ((used[N_SLOW, 0] >> 1) & 15)
        rows[6] = ((used[N_SLOW + 1, 0] >> 1) & 15) * 16 + ((used[N_SLOW + 2, 0] >> 1) & 15)
        rows[7] = cost * 2 + case
        rows[8] = _pointer_level(pointers, 1) * 8 + _pointer_level(pointers, 2)
        rows[9] = 0
        best = np.int64(4)
        for m in range(COUNT):
            if best == 4 and pointers[m, LENGTH] > 0:
                best = pointers[m, BASE]
        rows[10] = (forward & 15) * 8 + best
        rows[11] = _run_bucket(scalars[_RUN])
        finals[0, 1] = votes
        finals[0, 2] = cost * 16 + (forward & 15)
    for k in range(rows.shape[0]):
        rows[k] += 3 * _FIRST_ROW[k] + (node - 1) * _ROWS[k]
    for j in range(finals.shape[1]):
        finals[0, j] += 3 * _FIRST_FINAL[j] + (node - 1) * _FINAL_ROWS[j]


@njit(cache=True, _nrt=False)
def _pointer_level(pointers: Any, m: Integer) -> Integer:
    """0..7: how long a pointer is, and whether it missed of late."""
    if pointers[m, LENGTH] == 0:
        return np.int64(0)
    missed = np.int64((pointers[m, MISSES] & 255) != 0)
    return 1 + missed * 3 + min(pointers[m, LENGTH] >> 4, 2)


@njit(cache=True, _nrt=False)
def _code_base(
    mode: Integer, coder: Any, buffer: Any, state: Any, base: Integer, case: Integer, t: Integer
) -> Integer:
    """Encode, decode or price the next base, high bit first; returns it."""
    (
        scalars,
        tables,
        x,
        weights,
        pointers,
        _,
        _,
        maps,
        apm,
        _,
        _,
        _,
        _,
        second,
        net,
        finals,
        copies,
        lately,
    ) = state
    forward = scalars[_FORWARD]
    rate = scalars[_RATE] + _RATE_EXTRA // (t + 100_000)
    copied = copies[0].shape[0] > 0
    if copied:
        vote(copies)
    cost = np.int64(0)
    node: Integer = np.int64(1)
    for half in range(2):
        known = table_inputs(tables, node, half, x)
        context = pointer_inputs(pointers, maps, x, N_INPUTS, node, half)
        x[N_INPUTS + 2 * COUNT] = 256
        lately_inputs(lately, node, x, _FIRST_LATELY)
        if copied:
            vote_inputs(copies, x, scalars[_FIRST_VOTES], node, half)
        if scalars[_LEFT_OUT]:
            _silence(x, scalars[_LEFT_OUT])
        _choose_rows(scalars, tables[5], pointers, copies, net, finals, node, context, known, case)
        logit = _mixed(x, weights, second, net, finals)
        at, within = (logit + 2048) >> 7, (logit + 2048) & 127
        one = apm[(node - 1) * 65536 + (forward & 0xFFFF)]
        guess = (np.int64(one[at]) * (128 - within) + np.int64(one[at + 1]) * within) >> 7
        p = min(max((3 * np.int64(SQUASH[logit + LOGIT_LIMIT]) + guess) >> 2, 32), 65504)
        bit = code_bit(mode, coder, buffer, p, (base >> (1 - half)) & 1)
        cost += cost_of(p if bit else 65536 - p)
        _learn_mixed(x, weights, second, net, finals, bit, rate)
        at += within >> 6
        target = bit * 65527 + (1 - bit) * 8
        one[at] += (target - np.int64(one[at])) >> 6
        learn_calibration(tables, bit)
        learn_node(tables, 0, node, bit)
        learn_pointers(pointers, maps, bit)
        learn_lately(lately, node, bit)
        if copied:
            learn_votes(copies, bit)
        node = node * 2 + bit
    scalars[_COST] += (cost - scalars[_COST]) >> 4
    return node & 3


@njit(cache=True, _nrt=False)
def _append(scalars: Any, base: Integer) -> None:
    scalars[_FORWARD] = ((scalars[_FORWARD] << 2) | base) & ((1 << (2 * LONGEST)) - 1)
    scalars[_INVERSE] = (scalars[_INVERSE] >> 2) | ((3 - base) << (2 * LONGEST - 2))


@njit(cache=True, _nrt=False)
def code_symbols(
    mode: Integer, coder: Any, buffer: Any, state: Any, symbols: Any, start: Integer, stop: Integer
) -> None:
    """Encode, decode or price symbols[start:stop] (uint8, base | case << 2), and learn them: see `coding`."""
    (scalars, tables, _, _, pointers, places, slots, _, _, _, _, _, _, _, _, _, copies, lately) = state
    copied = copies[0].shape[0] > 0
    log_rows = scalars[_BITS]
    for t in range(start, stop):
        symbol = np.int64(symbols[t]) if mode != DECODE else np.int64(0)
        case = _code_case(mode, coder, buffer, state, symbols, symbol >> 2)
        take(tables, 0)
        before = scalars[_FORWARD]
        base = _code_base(mode, coder, buffer, state, symbol & 3, case, t)
        symbols[t] = base | case << 2
        if t > LONGEST:
            take(tables, 1)
            learn_inverse(tables, scalars[_LEARNT])
            learn_lately_inverse(lately, scalars[_LEARNT])
        _append(scalars, base)
        scalars[_LEARNT] = before
        ask(tables, log_rows, scalars[_FORWARD], 0, 0)
        ask(tables, log_rows, scalars[_INVERSE], 1, 1)
        find_lately(lately, scalars[_FORWARD], scalars[_INVERSE])
        if copied:
            find_copies(copies, scalars[_FORWARD], scalars[_INVERSE], symbols, t)
        find_pointers(pointers, places, slots, scalars[_FORWARD], scalars[_INVERSE], log_rows, symbols, t)
