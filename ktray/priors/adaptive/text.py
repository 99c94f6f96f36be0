"""Reads canonical texts straight into flat lines, and tells which are in canonical form: the quick way in.

What is refused here goes by way of parser, `canonical.variants` and `flatten`, which give the same lines.
"""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, int64, types
from numpy.typing import NDArray

from ktray.dsl.ops import OPERATIONS, PREDICATES, Param
from ktray.dsl.parser import MAX_SOURCE
from ktray.kernels import njit
from ktray.priors.adaptive.flat import COLUMN_OF
from ktray.priors.adaptive.machine import (
    ADD_ITEM,
    ADD_LISTS,
    COLUMNS,
    CONCATENATE,
    FIRST,
    INTERVAL,
    JUMPS,
    MAGNITUDE,
    NATIVE,
    OP,
    REPEAT_LIST,
    SECOND,
    SET_LIST,
    SUBTRACT_ITEM,
    TAPES_TYPE,
    X,
    Y,
    Z,
    is_merge,
    is_unary,
)
from ktray.priors.adaptive.model import BYTES_TYPE, MAX_LINES, Bytes
from ktray.priors.canonical import stage

_B, _I, _TS = BYTES_TYPE, int64, TAPES_TYPE
Tapes = NDArray[Any]


def _letters(names: list[str]) -> NDArray[np.uint8]:
    """Return the names as rows of bytes, each ended by zeros."""
    rows = np.zeros((len(names), max(map(len, names)) + 1), dtype=np.uint8)
    for row, name in zip(rows, names, strict=True):
        row[: len(name)] = np.frombuffer(name.encode(), dtype=np.uint8)
    return rows


_NAMES = _letters([f"{op.name}(" for op in OPERATIONS[:NATIVE]])
_PREDICATES = _letters([predicate.name for predicate in PREDICATES])
_FIXED = _letters(["sequence_", " = ", "output = sequence_", ", "])
_SEQUENCE, _EQUALS, _OUTPUT, _COMMA = range(4)

_REF, _LIST, _PREDICATE, _INTEGER, _NONE = range(5)
_KINDS = {Param.REF: _REF, Param.LIST: _LIST, Param.PREDICATE: _PREDICATE}
_MOST = 3
_PARAMS = np.full((NATIVE, _MOST), _NONE, dtype=np.int64)
_COLUMNS = np.zeros((NATIVE, _MOST), dtype=np.int64)
_STAGES = np.array([stage(op.name) for op in OPERATIONS[:NATIVE]], dtype=np.int64)
for _op in OPERATIONS[:NATIVE]:
    for _k, (_param, _column) in enumerate(zip(_op.params, COLUMN_OF[_op.name], strict=True)):
        _PARAMS[_op.code, _k] = _KINDS.get(_param, _INTEGER)
        _COLUMNS[_op.code, _k] = _column


@njit(_I(_B, _I, types.Array(types.uint8, 2, "C", readonly=True), _I), cache=True)
def _after(text: Bytes, at: int, names: NDArray[np.uint8], row: int) -> int:
    """Return where a name ends that stands at `at`, or -1 where it does not (or `at` is negative)."""
    k = 0
    while names[row, k]:
        if at < 0 or at + k >= len(text) or text[at + k] != names[row, k]:
            return -1
        k += 1
    return at + k


@njit(types.UniTuple(_I, 2)(_B, _I), cache=True)
def _number(text: Bytes, at: int) -> tuple[int, int]:
    """Return the plain integer at `at` and where it ends, -1 where there is none within the bounds."""
    if at < 0:
        return 0, -1
    first = at + (at < len(text) and text[at] == 45)
    end = first
    value = 0
    while end < len(text) and 48 <= text[end] <= 57 and end - first < 13:
        value = value * 10 + int(text[end]) - 48
        end += 1
    if end == first or value >= MAGNITUDE or (text[first] == 48 and end - at > 1):
        return 0, -1
    return (value if first == at else -value), end


@njit(_I(_TS, _B), cache=True)
def read_text(tapes: Tapes, text: Bytes) -> int:
    """Put the program that a canonical text spells on the tape; return its lines, or -1 for a closer look.

    Its names count up from sequence_1, its last line is its output, and each list has an element at least.
    """
    t = tapes[0]
    at, items, i = 0, 0, 0
    while i < MAX_LINES and _after(text, at, _FIXED, _OUTPUT) < 0:
        number, at = _number(text, _after(text, at, _FIXED, _SEQUENCE))
        at = _after(text, at, _FIXED, _EQUALS)
        op = 0
        while op < NATIVE and _after(text, at, _NAMES, op) < 0:
            op += 1
        if number != i + 1 or at < 0 or op == NATIVE:
            return -1
        at = _after(text, at, _NAMES, op)
        line = t.lines[i]
        line[:] = 0
        line[OP] = op
        for k in range(_MOST):
            kind, column = _PARAMS[op, k], _COLUMNS[op, k]
            if kind == _NONE:
                break
            if k:
                at = _after(text, at, _FIXED, _COMMA)
            if kind == _REF:
                number, at = _number(text, _after(text, at, _FIXED, _SEQUENCE))
                line[column] = number - 1
                if not 0 < number <= i:
                    return -1
            elif kind == _PREDICATE:
                number = 0
                while number < len(_PREDICATES) and _after(text, at, _PREDICATES, number) < 0:
                    number += 1
                if number == len(_PREDICATES):
                    return -1
                line[column] = number
                at = _after(text, at, _PREDICATES, number)
            elif kind == _INTEGER:
                line[column], at = _number(text, at)
            else:
                line[X] = items
                more = 0 <= at < len(text) and text[at] == 91
                at += 1
                while more:
                    t.items[items], at = _number(text, at)
                    items += 1
                    more = _after(text, at, _FIXED, _COMMA) > 0
                    at = _after(text, at, _FIXED, _COMMA) if more else at
                line[Y] = items - line[X]
                if not 0 <= at < len(text) or text[at] != 93:
                    return -1
                at += 1
        if not 0 <= at < len(text) - 1 or text[at] != 41 or text[at + 1] != 10:
            return -1
        at += 2
        i += 1
    number, at = _number(text, _after(text, at, _FIXED, _OUTPUT))
    return i if i > 0 and number == i and at == len(text) else -1


@njit(boolean(_TS, _I), cache=True)
def _is_respelled(tapes: Tapes, i: int) -> bool:
    """Return whether line i has another usual spelling, or only copies a list."""
    line = tapes[0].lines[i]
    op, x, y, z = line[OP], line[X], line[Y], line[Z]
    if op == INTERVAL:
        return z >= 1 and y > x and (z == 1 or (y - 1 - x) % z != 0)
    if op in (ADD_ITEM, SUBTRACT_ITEM):
        return x <= 0
    if op in (JUMPS, REPEAT_LIST):
        return x == 1
    return op == ADD_LISTS and line[FIRST] > line[SECOND]


@njit(boolean(_TS, _I, _I), cache=True)
def _is_same(tapes: Tapes, i: int, j: int) -> bool:
    """Return whether lines i and j are the same call."""
    t = tapes[0]
    a, b = t.lines[i], t.lines[j]
    for column in range(COLUMNS):
        if a[column] != b[column] and not (a[OP] == SET_LIST and column == X):
            return False
    if a[OP] == SET_LIST:
        for k in range(a[Y]):
            if t.items[a[X] + k] != t.items[b[X] + k]:
                return False
    return True


@njit(boolean(_TS, _I), cache=True)
def is_settled(tapes: Tapes, n: int) -> bool:
    """Return whether `canonical.variants` would give the program on the tape back, and nothing else."""
    t = tapes[0]
    t.scratch[:n] = 0
    before = 0
    newest = -1
    for i in range(n):
        line = t.lines[i]
        op = line[OP]
        if _STAGES[op] < before or _is_respelled(tapes, i):
            return False
        before = _STAGES[op]
        for j in range(i):
            if t.lines[j, OP] == op and _is_same(tapes, i, j):
                return False
        if is_unary(op):
            t.scratch[line[FIRST]] |= 1
        elif op > SET_LIST:
            if op == CONCATENATE and t.lines[line[SECOND], OP] == CONCATENATE:
                return False
            for column in (FIRST, SECOND):
                j = line[column]
                if is_merge(op) and not is_merge(t.lines[j, OP]) and t.scratch[j] < 2:
                    if j < newest:
                        return False
                    newest = j
                    t.scratch[j] |= 2
                t.scratch[j] |= 1
    unused = 0
    for i in range(n - 1):
        unused += t.scratch[i] == 0
    return unused == 0


@njit(_I(_TS, _B), cache=True)
def _read_settled(tapes: Tapes, text: Bytes) -> int:
    """Put the program of a text on the tape where it is in canonical form; return its lines, or -1."""
    n = read_text(tapes, text)
    return n if n > 0 and is_settled(tapes, n) else -1


def read_settled(tapes: Tapes, text: str) -> int:
    """Put the program of a canonical text on the tape where it is in canonical form, the only one worth
    pricing; return its number of lines, or -1 where that takes a closer look."""
    if len(text) > MAX_SOURCE or not text.isascii():
        return -1
    return int(_read_settled(tapes, np.frombuffer(text.encode(), dtype=np.uint8)))
