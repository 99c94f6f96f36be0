"""Codes which earlier lists a line works on: one list after another is asked whether it is the one.

A list that such a walk would hardly find is named by its number.
"""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from numba import int64, void

from ktray.kernels import njit
from ktray.priors.adaptive.decisions import (
    D_DIRECT,
    D_FIRST,
    D_INDEX,
    D_PAIR,
    D_UNARY,
    digits,
    divides,
    op_at,
    set_contexts,
    size_of,
)
from ktray.priors.adaptive.machine import (
    ADD_ITEM,
    FILTER,
    FIRST,
    MAX_N,
    MIN_N,
    MODULO_ITEM,
    OP,
    REVERSE,
    SCAN_ADD,
    SECOND,
    SUBTRACT_ITEM,
    TAPE_TYPE,
    Tape,
    is_merge,
    is_unary,
)
from ktray.priors.adaptive.model import (
    BYTES_TYPE,
    DECODE,
    MODEL_TYPE,
    QUOTE,
    REFERENCE,
    Bytes,
    Model,
    code_bit,
    code_bounded,
    set_context,
)

#: A walk this many bits dearer than the list's number is not taken.
_FAR = 8

_M, _T, _B, _I = MODEL_TYPE, TAPE_TYPE, BYTES_TYPE, int64


@njit(_I(_T, _I, _I), cache=True)
def _use(t: Tape, op: int, j: int) -> int:
    """Return a small number that hints at whether an operation could do anything on list j."""
    if op == ADD_ITEM:
        return (t.highest[j] < 255) + (t.lowest[j] < 0)
    if op == SUBTRACT_ITEM:
        return (t.lowest[j] > 0) + (t.lowest[j] < 0)
    if op == MODULO_ITEM:
        return t.highest[j] >= 2
    if op in (REVERSE, MAX_N, MIN_N):
        return t.lowest[j] != t.highest[j]
    if op == SCAN_ADD:
        return digits(size_of(t, j) * (t.lowest[j] + t.highest[j]) >> 7)
    if op == FILTER:
        return divides(t, j)
    return min(size_of(t, j), 7)


@njit(_I(_T, _I), cache=True)
def _signature(t: Tape, j: int) -> int:
    """Return the class (below 32) of list j as an operand of a merge."""
    return (is_merge(t.lines[j, OP]) * 4 + min(t.merged[j], 3)) * 4 + min(t.worked[j], 3)


@njit(_I(_M, _B, _T, _I, _I, _I, _I, _I), cache=True)
def _walk_unary(m: Model, data: Bytes, t: Tape, i: int, op: int, start: int, again: int, target: int) -> int:
    """Ask of one list after another, from `start` on and around, whether it is the one; return it."""
    for step in range(i - 1):
        j = (start + step) % i
        wrapped = j < start
        use = _use(t, op, j)
        made = t.lines[j, OP]
        left = min(i - step, 31)
        set_context(m, 0, 2, (op * 22 + made) * 16 + use)
        set_context(m, 1, 2, ((op * 32 + min(i - 1 - j, 31)) * 2 + again) * 2 + wrapped)
        set_context(m, 2, 2, ((min(t.merged[j], 3) * 4 + min(t.worked[j], 3)) * 22 + t.worker[j]) * 22 + op)
        set_context(m, 3, 2, ((left * 2 + wrapped) * 2 + again) * 16 + use)
        set_context(m, 4, 2, ((op * 12 + digits(size_of(t, j))) * 32 + left) * 2 + again)
        set_context(m, 5, 2, ((made * 32 + left) * 2 + wrapped) * 2 + again)
        if code_bit(m, data, 6, 1, D_UNARY, 0, j == target):
            return j
    return (start + i - 1) % i


@njit(_I(_M, _B, _T, _I, _I, _I, _I, _I, _I), cache=True)
def _walk_pair(
    m: Model, data: Bytes, t: Tape, i: int, op: int, role: int, start: int, other: int, target: int
) -> int:
    """As `_walk_unary`, for the first (role 0, 2) or second (1, 3) list of a merge (0, 1) or other pair."""
    t.scratch[:32] = 0
    for j in range(i):
        t.scratch[_signature(t, j)] += 1
    passed = 0
    for step in range(i - 1):
        j = (start + step) % i
        kind = _signature(t, j)
        left = min(t.scratch[kind], 15)
        t.scratch[kind] -= 1
        place = (j >= start) * 4 + (j == i - 1) * 2 + (j == other)
        where = ((role * 4 + min(passed, 3)) * 8 + place) * 32 + kind
        passed += t.merged[j] + t.worked[j] == 0
        set_context(m, 0, 3, where)
        set_context(m, 1, 3, where * 32 + min(i - 1 - j, 31))
        set_context(m, 2, 3, where * 16 + left)
        set_context(m, 3, 3, (where * 22 + t.worker[j]) * 22 + t.lines[j, OP])
        set_context(m, 4, 3, where * 32 + min(i - step, 31))
        set_context(m, 5, 3, (role * 22 + op) * 256 + min(i, 15) * 16 + min(j, 15))
        if code_bit(m, data, 6, 1, D_FIRST + (role & 1) if role < 2 else D_PAIR, 0, j == target):
            return j
    return (start + i - 1) % i


@njit(_I(_M, _B, _T, _I, _I, _I, _I, _I, _I), cache=True)
def _walk(
    m: Model, data: Bytes, t: Tape, i: int, op: int, role: int, start: int, other: int, target: int
) -> int:
    """Walk to the list that line i works on (role 0: alone; else 1 + the role of `_walk_pair`); return it."""
    if role == 0:
        return _walk_unary(m, data, t, i, op, start, other, target)
    return _walk_pair(m, data, t, i, op, role - 1, start, other, target)


@njit(_I(_M, _B, _T, _I, _I, _I, _I, _I, _I), cache=True)
def _is_far(
    m: Model, data: Bytes, t: Tape, i: int, op: int, role: int, start: int, other: int, target: int
) -> int:
    """Return whether walking to the list would cost far more than naming it. Only the encoder asks."""
    mode, events, row = m.mode[0], m.mode[3], m.mode[1]
    bits, ledger = m.bits[REFERENCE], m.ledger[row, REFERENCE]
    m.mode[0] = QUOTE
    _walk(m, data, t, i, op, role, start, other, target)
    cost = m.bits[REFERENCE] - bits
    m.mode[0], m.mode[3] = mode, events
    m.bits[REFERENCE], m.ledger[row, REFERENCE] = bits, ledger
    return cost > digits(i) + _FAR


@njit(_I(_M, _B, _T, _I, _I, _I, _I, _I, _I), cache=True)
def _reach(
    m: Model, data: Bytes, t: Tape, i: int, op: int, role: int, start: int, other: int, target: int
) -> int:
    """Code one list of line i: by a walk, or by its number where that is far cheaper; return it."""
    if i == 1:
        return 0
    far = 0
    if m.mode[0] != DECODE:
        far = _is_far(m, data, t, i, op, role, start, other, target)
    set_context(m, 0, 5, role)
    set_context(m, 1, 5, role * 32 + min(i, 31))
    if code_bit(m, data, 2, 1, D_DIRECT, 0, far):
        set_contexts(m, D_INDEX, role, i)
        return code_bounded(m, data, 2, D_INDEX, 0, i - 1, target)
    return _walk(m, data, t, i, op, role, start, other, target)


@njit(void(_M, _B, _T, _I, _I), cache=True)
def code_references(m: Model, data: Bytes, t: Tape, i: int, op: int) -> None:
    """Code which earlier lists line i works on."""
    m.mode[2] = REFERENCE
    line = t.lines[i]
    last = op_at(t, i - 1)
    if is_unary(op):
        start = t.lines[i - 1, FIRST] + 1 if last == op else 0
        line[FIRST] = _reach(m, data, t, i, op, 0, start, last == op, line[FIRST])
        return
    kind = 1 if is_merge(op) else 3
    start = i - 1 if is_merge(last) else 0
    line[FIRST] = _reach(m, data, t, i, op, kind, start, start, line[FIRST])
    before = t.lines[i - 1, SECOND] if is_merge(op) and is_merge(last) else line[FIRST]
    start = (before + 1) % i
    line[SECOND] = _reach(m, data, t, i, op, kind + 1, start, line[FIRST], line[SECOND])
