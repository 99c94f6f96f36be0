"""Codes integers, predicates and literal lists, each within what can be useful at that point.

What lies outside takes an escape.
"""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from numba import boolean, int64, void

from ktray.kernels import njit
from ktray.priors.adaptive.decisions import (
    D_ADD,
    D_COPIES,
    D_COUNT,
    D_ESCAPE,
    D_FROM,
    D_GAMMA,
    D_ITEM,
    D_JUMP,
    D_LENGTH,
    D_MODULO,
    D_NEW,
    D_OLD,
    D_PREDICATE,
    D_SPAN,
    D_START,
    D_STEP,
    D_SUBTRACT,
    D_TIMES,
    D_TO,
    D_VALUE,
    digits,
    divides,
    op_at,
    set_contexts,
    size_of,
)
from ktray.priors.adaptive.machine import (
    ADD_ITEM,
    BETWEEN,
    FILTER,
    FIRST,
    INTERVAL,
    JUMPS,
    MAX_N,
    MIN_N,
    MODULO_ITEM,
    OP,
    REPEAT_LIST,
    REPEAT_NUM,
    SET_LIST,
    SUBSTITUTE,
    SUBTRACT_ITEM,
    TAPE_TYPE,
    UP,
    Tape,
    X,
    Y,
    Z,
)
from ktray.priors.adaptive.model import (
    ARGUMENT,
    BYTES_TYPE,
    DECODE,
    LENGTH,
    LITERAL,
    MODEL_TYPE,
    Bytes,
    Model,
    code_bit,
    code_bounded,
    code_gamma,
)

_M, _T, _B, _I = MODEL_TYPE, TAPE_TYPE, BYTES_TYPE, int64


@njit(_I(_M, _B, _I, _I, _I, _I, _I), cache=True)
def _code_integer(m: Model, data: Bytes, k: int, kind: int, low: int, high: int, value: int) -> int:
    """Code an integer expected in low..high (0 <= low), any other after an escape."""
    if low <= high and code_bit(m, data, 1, 1 << 21, D_ESCAPE, 0, low <= value <= high):
        return code_bounded(m, data, k, kind, low, high, value)
    return code_gamma(m, data, D_GAMMA, value)


@njit(void(_M, _B, _T, _I, _I), cache=True)
def _code_range(m: Model, data: Bytes, t: Tape, i: int, step: int) -> None:
    """Code a range as start and length; its end is one past its last element (UP: at it)."""
    line = t.lines[i]
    op = line[OP]
    set_contexts(m, D_START, op, min(step, 255) * 2 + (op == UP))
    line[X] = _code_integer(m, data, 3, D_START, 0, 255, line[X])
    room = (255 - line[X]) // step + 1 if step > 0 and 0 <= line[X] <= 255 else 0
    included = op == UP
    length = (line[Y] + included - 1 - line[X]) // step + 1 if step > 0 else 0
    regular = length >= 1 and line[Y] == line[X] + (length - 1) * step + 1 - included
    set_contexts(
        m, D_SPAN, min(room, 31) * 2 + included, (min(room, 31) * 256 + min(step, 255)) * 2 + included
    )
    if room > 0 and code_bit(m, data, 1, 1 << 21, D_ESCAPE, 0, regular and length <= room):
        length = code_bounded(m, data, 3, D_SPAN, 1, room, length)
        line[Y] = line[X] + (length - 1) * step + 1 - included
    else:
        line[Y] = code_gamma(m, data, D_GAMMA, line[Y])


@njit(void(_M, _B, _T, _I, _I), cache=True)
def _code_items(m: Model, data: Bytes, t: Tape, begin: int, end: int) -> None:
    """Code the elements of a literal list in place."""
    wide = False
    if m.mode[0] != DECODE:
        for k in range(begin, end):
            wide = wide or t.items[k] < 0 or t.items[k] > 255
    set_contexts(m, D_ITEM, 0, 0)
    wide = code_bit(m, data, 1, 1 << 22, D_ESCAPE, 0, wide) == 1
    before = 256
    for k in range(begin, end):
        set_contexts(m, D_ITEM, before >> 4, 0)
        if wide:
            t.items[k] = code_gamma(m, data, D_GAMMA, t.items[k])
        else:
            before = code_bounded(m, data, 2, D_ITEM, 0, 255, t.items[k])
            t.items[k] = before


@njit(boolean(_M, _B, _T, _I), cache=True)
def _code_list(m: Model, data: Bytes, t: Tape, i: int) -> bool:
    """Code a literal list: its length, whether all elements are bytes, its elements."""
    line = t.lines[i]
    m.mode[2] = LENGTH
    set_contexts(m, D_LENGTH, op_at(t, i - 1), min(i, 15))
    size = _code_integer(m, data, 2, D_LENGTH, 0, 255, line[Y])
    at = line[X]
    if m.mode[0] == DECODE:
        at = 0
        for j in range(i):
            if t.lines[j, OP] == SET_LIST:
                at = t.lines[j, X] + t.lines[j, Y]
    if size < 0 or size > len(t.items) - at:
        return False
    line[X], line[Y] = at, size
    m.mode[2] = LITERAL
    _code_items(m, data, t, at, at + size)
    return True


@njit(boolean(_M, _B, _T, _I, _I), cache=True)
def code_initiator(m: Model, data: Bytes, t: Tape, i: int, op: int) -> bool:
    """Code the arguments of an operation without references; False where a list is too long."""
    m.mode[2] = ARGUMENT
    line = t.lines[i]
    if op == SET_LIST:
        return _code_list(m, data, t, i)
    if op == REPEAT_NUM:
        set_contexts(m, D_TIMES, op_at(t, i - 1), 0)
        line[X] = _code_integer(m, data, 2, D_TIMES, 1, 255, line[X])
        set_contexts(m, D_VALUE, min(line[X], 255), 0)
        line[Y] = _code_integer(m, data, 2, D_VALUE, 0, 255, line[Y])
        return True
    step = 1
    if op == INTERVAL:
        set_contexts(m, D_STEP, 0, 0)
        line[Z] = _code_integer(m, data, 1, D_STEP, 1, 255, line[Z])
        step = line[Z]
    _code_range(m, data, t, i, step)
    return True


@njit(void(_M, _B, _T, _I), cache=True)
def _code_substitution(m: Model, data: Bytes, t: Tape, i: int) -> None:
    """Code the old value by its rank among the list's bytes in order of appearance, and the new one."""
    line = t.lines[i]
    t.scratch[:] = -1
    ranks = 0
    j = line[FIRST]
    for k in range(t.begin[j], t.begin[j + 1]):
        value = t.cells[k]
        if 0 <= value <= 255 and t.scratch[value] < 0:
            t.scratch[value] = ranks
            ranks += 1
    rank = t.scratch[line[X]] if 0 <= line[X] <= 255 else -1
    set_contexts(m, D_OLD, t.lines[j, OP], min(ranks, 31))
    if ranks and code_bit(m, data, 1, 1 << 21, D_ESCAPE, 0, rank >= 0):
        rank = code_bounded(m, data, 3, D_OLD, 0, ranks - 1, rank)
        for value in range(256):
            if t.scratch[value] == rank:
                line[X] = value
    else:
        line[X] = code_gamma(m, data, D_GAMMA, line[X])
    set_contexts(m, D_NEW, t.lines[j, OP], line[X] >> 4)
    line[Y] = _code_integer(m, data, 3, D_NEW, 0, 255, line[Y])


@njit(void(_M, _B, _T, _I, _I), cache=True)
def code_constants(m: Model, data: Bytes, t: Tape, i: int, op: int) -> None:
    """Code the integers (or the predicate) of an operation on earlier lists."""
    m.mode[2] = ARGUMENT
    line = t.lines[i]
    j = line[FIRST]
    size, low, high, made = size_of(t, j), t.lowest[j], t.highest[j], t.lines[j, OP]
    if op == REPEAT_LIST:
        set_contexts(m, D_COPIES, made, min(size, 63))
        line[X] = _code_integer(m, data, 3, D_COPIES, 2, 255, line[X])
    elif op == SUBSTITUTE:
        _code_substitution(m, data, t, i)
    elif op == JUMPS:
        set_contexts(m, D_JUMP, made, min(size, 63))
        line[X] = _code_integer(m, data, 3, D_JUMP, 2, max(size - 1, 2), line[X])
    elif op == BETWEEN:
        set_contexts(m, D_FROM, made, size)
        line[X] = _code_integer(m, data, 3, D_FROM, 0, size - 1, line[X])
        set_contexts(m, D_TO, made, size - line[X])
        line[Y] = line[X] + _code_integer(m, data, 3, D_TO, 1, size - max(line[X], 0), line[Y] - line[X])
    elif op in (MAX_N, MIN_N):
        set_contexts(m, D_COUNT, made, min(size, 63))
        line[X] = _code_integer(m, data, 3, D_COUNT, 1, size, line[X])
    elif op == ADD_ITEM:
        set_contexts(m, D_ADD, made, digits(255 - high))
        line[X] = _code_integer(m, data, 3, D_ADD, 1, 255 - high, line[X])
    elif op == SUBTRACT_ITEM:
        set_contexts(m, D_SUBTRACT, made, digits(low))
        line[X] = _code_integer(m, data, 3, D_SUBTRACT, 1, low, line[X])
    elif op == MODULO_ITEM:
        set_contexts(m, D_MODULO, made, digits(high))
        line[X] = _code_integer(m, data, 3, D_MODULO, 1, high, line[X])
    elif op == FILTER:
        set_contexts(m, D_PREDICATE, made, divides(t, j))
        line[X] = _code_integer(m, data, 3, D_PREDICATE, 0, 2, line[X])
