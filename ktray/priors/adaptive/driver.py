"""Walks one program line by line; the same walk encodes, decodes and prices it.

Every choice is coded under contexts and constraints read off the lines above it. A choice outside its
constraints takes an escape, so that any program within the machine's bounds can be coded.
"""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from typing import Any

import numpy as np
from numba import float64, int64, void
from numpy.typing import NDArray

from ktray.kernels import njit
from ktray.priors.adaptive.arguments import code_constants, code_initiator
from ktray.priors.adaptive.decisions import D_KIND, D_LITERAL, D_SIZE, END, set_contexts
from ktray.priors.adaptive.functions import code_function
from ktray.priors.adaptive.machine import (
    COLUMNS,
    FIRST,
    OP,
    SET_LIST,
    TAPE_TYPE,
    TAPES_TYPE,
    X,
    Y,
    run_line,
)
from ktray.priors.adaptive.model import (
    BYTES_TYPE,
    DECODE,
    FLAG,
    LITERAL,
    MAX_LINES,
    MODEL_TYPE,
    MODELS_TYPE,
    QUOTE,
    Bytes,
    code_bit,
    code_bounded,
    code_final,
    code_gamma,
    set_context,
)
from ktray.priors.adaptive.references import code_references

_M, _T, _B, _I, _MS, _TS = MODEL_TYPE, TAPE_TYPE, BYTES_TYPE, int64, MODELS_TYPE, TAPES_TYPE
Models = NDArray[Any]
Tapes = NDArray[Any]


@njit(_I(_MS, _B, _TS, _I), cache=True)
def code_program(models: Models, data: Bytes, tapes: Tapes, n: int) -> int:
    """Code the program on the tape (of n lines when not decoding) and run it; return its number of lines, or
    -1 where a line fails or leaves the machine's bounds (only then is nothing usable coded)."""
    m, t = models[0], tapes[0]
    i = 0
    t.begin[0] = 0
    while True:
        m.mode[1] = i
        op = code_function(m, data, t, i, t.lines[i, OP] if i < n else END)
        if op == END:
            return i
        if i == MAX_LINES:
            return -1
        t.lines[i, OP] = op
        if m.mode[0] == DECODE:
            t.lines[i, FIRST:COLUMNS] = 0
        if op <= SET_LIST:
            done = code_initiator(m, data, t, i, op)
        else:
            code_references(m, data, t, i, op)
            code_constants(m, data, t, i, op)
            done = True
        if not (done and run_line(t, i)):
            return -1
        i += 1


@njit(_I(_MS, _B, _I, _I), cache=True)
def code_kind(models: Models, data: Bytes, history: int, kind: int) -> int:
    """Code what an entry is, 0..3; `history` holds the kinds before it, two bits each."""
    m = models[0]
    m.mode[1], m.mode[2] = 0, FLAG
    set_context(m, 0, 4, history & 3)
    set_context(m, 1, 4, history & 15)
    set_context(m, 2, 4, history & 255)
    high = code_bit(m, data, 3, 1, D_KIND, 0, kind >> 1)
    return high * 2 + code_bit(m, data, 3, 2 + high, D_KIND, 0, kind & 1)


@njit(float64(_MS, _I, _I), cache=True)
def kind_cost(models: Models, history: int, kind: int) -> float:
    """Return the bits of `code_kind` as the model stands, which it leaves as it is."""
    m = models[0]
    mode, events, bits = m.mode[0], m.mode[3], m.bits[FLAG]
    m.mode[0] = QUOTE
    code_kind(models, np.zeros(0, dtype=np.uint8), history, kind)
    cost = m.bits[FLAG] - bits
    m.mode[0], m.mode[3], m.bits[FLAG] = mode, events, bits
    return cost


@njit(_I(_MS, _B, _I), cache=True)
def code_size(models: Models, data: Bytes, size: int) -> int:
    """Code the length of a literal; a damaged stream may give a negative one."""
    m = models[0]
    m.mode[1], m.mode[2] = 0, LITERAL
    set_contexts(m, D_SIZE, 0, 0)
    return code_gamma(m, data, D_SIZE, size)


@njit(void(_MS, _B, _TS, _I, _I), cache=True)
def code_literal(models: Models, data: Bytes, tapes: Tapes, n: int, learned: int) -> None:
    """Code n bytes that stand in `items`: each by itself, under the model learned so far or 8 bits each."""
    m, t = models[0], tapes[0]
    m.mode[1], m.mode[2] = 0, LITERAL
    set_contexts(m, D_LITERAL, 0, 0)
    for k in range(n):
        if learned:
            t.items[k] = code_bounded(m, data, 1, D_LITERAL, 0, 255, t.items[k])
        else:
            value = 0
            for shift in range(7, -1, -1):
                value = value * 2 + code_final(m, data, 32768, (t.items[k] >> shift) & 1)
            t.items[k] = value


@njit(void(_MS, float64[::1]), cache=True)
def literal_costs(models: Models, costs: NDArray[np.float64]) -> None:
    """Fill in the bits of each byte as a learned literal by now; the model stays as it is."""
    m = models[0]
    mode = m.mode[0]
    m.mode[0], m.mode[1], m.mode[2] = QUOTE, 0, LITERAL
    set_contexts(m, D_LITERAL, 0, 0)
    before = m.bits[LITERAL]
    for value in range(256):
        m.bits[LITERAL] = 0.0
        code_bounded(m, np.zeros(0, dtype=np.uint8), 1, D_LITERAL, 0, 255, value)
        costs[value] = m.bits[LITERAL]
    m.bits[LITERAL] = before
    m.mode[0], m.mode[3] = mode, 0


@njit(_I(_TS, _I, _B), cache=True)
def plain_bound(tapes: Tapes, n: int, values: Bytes) -> int:
    """Return more bits than the program on the tape should cost, or -1 where nothing simple can be said.

    Something can be said of programs of byte-sized integers that run and give `values`.
    """
    t = tapes[0]
    bits = 24
    for i in range(n):
        line = t.lines[i]
        if not run_line(t, i):
            return -1
        bits += 8 + i
        if line[OP] == SET_LIST:
            bits += 9 * line[Y]
            if t.lowest[i] < 0 or t.highest[i] > 255:
                return -1
        else:
            for column in range(X, COLUMNS):
                if line[column] < 0 or line[column] > 256:
                    return -1
                bits += 9 if line[column] else 0
    begin = t.begin[n - 1]
    if t.begin[n] - begin != len(values):
        return -1
    for k in range(len(values)):
        if t.cells[begin + k] != values[k]:
            return -1
    return bits
