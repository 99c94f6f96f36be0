"""Walks one program line by line; the same walk encodes, decodes and prices it.

Every choice is coded under contexts and constraints read off the lines above it. A choice outside its
constraints takes an escape, so that any program within the machine's bounds can be coded.
"""

from __future__ import annotations

import numpy as np
from numba import boolean, float64, int64, njit, void
from numpy.typing import NDArray

from ktray.priors.adaptive.machine import (
    ADD_ITEM,
    BETWEEN,
    COLUMNS,
    CONCATENATE,
    FILTER,
    FIRST,
    INTERLEAVE,
    INTERVAL,
    JUMPS,
    MAX_N,
    MIN_N,
    MODULO_ITEM,
    NATIVE,
    OP,
    REPEAT_LIST,
    REPEAT_NUM,
    REVERSE,
    SCAN_ADD,
    SECOND,
    SET_LIST,
    SUBSTITUTE,
    SUBTRACT_ITEM,
    TAPE_TYPE,
    TAPES_TYPE,
    UP,
    Tape,
    X,
    Y,
    Z,
    is_merge,
    is_unary,
    run_line,
)
from ktray.priors.adaptive.model import (
    ARGUMENT,
    BYTES_TYPE,
    DECODE,
    FLAG,
    FUNCTION,
    LENGTH,
    LITERAL,
    MAX_LINES,
    MODEL_TYPE,
    MODELS_TYPE,
    QUOTE,
    REFERENCE,
    Bytes,
    Model,
    code_bit,
    code_bounded,
    code_final,
    code_gamma,
    mix_hash,
    set_context,
)

#: The operation "before the first" and the one that ends a program.
_NONE, END = NATIVE, NATIVE

_M, _T, _B, _I = MODEL_TYPE, TAPE_TYPE, BYTES_TYPE, int64
_MS, _TS = MODELS_TYPE, TAPES_TYPE
Models = Tapes = np.ndarray

# Numbers to code; each has two mixers (see `code_bounded`).
(
    _D_START,
    _D_STEP,
    _D_SPAN,
    _D_TIMES,
    _D_VALUE,
    _D_COPIES,
    _D_OLD,
    _D_NEW,
    _D_JUMP,
    _D_FROM,
    _D_TO,
    _D_COUNT,
    _D_ADD,
    _D_SUBTRACT,
    _D_MODULO,
    _D_PREDICATE,
    _D_LENGTH,
    _D_ITEM,
    _D_GAMMA,
    _D_SIZE,
    _D_LITERAL,
) = range(21)

# Other decisions; each has one mixer of the same number.
(
    _D_END,
    _D_MERGE,
    _D_WHICH_MERGE,
    _D_INITIATOR,
    _D_WHICH_INITIATOR,
    _D_AGAIN,
    _D_UPDATE,
    _D_FIRST,
    _D_SECOND,
    _D_UNARY,
    _D_PAIR,
    _D_ESCAPE,
    _D_KIND,
) = range(64, 77)


@njit(_I(_T, _I), cache=True)
def _op_at(t: Tape, i: int) -> int:
    return t.lines[i, OP] if i >= 0 else _NONE


@njit(void(_M, _T, _I, _I), cache=True)
def _function_contexts(m: Model, t: Tape, i: int, unused: int) -> None:
    """Set the contexts of the choice of line i's function."""
    last, before, third = _op_at(t, i - 1), _op_at(t, i - 2), _op_at(t, i - 3)
    seen = 0
    pool = 0
    merges = 0
    for j in range(i):
        op = t.lines[j, OP]
        seen |= 1 << op
        if is_merge(op):
            merges += 1
        else:
            pool += 1
    reach = i - 1 - t.lines[i - 1, FIRST] if i and is_unary(last) else 0
    extra = max(merges - pool + 1, 0)
    set_context(m, 0, 1, last * 22 + before)
    set_context(m, 1, 1, (last * 22 + before) * 22 + third)
    set_context(m, 2, 1, (last * 32 + min(unused, 31)) * 32 + min(i, 31))
    set_context(m, 3, 1, last * 32 + min(reach, 31))
    set_context(m, 4, 1, ((min(extra, 15) * 16 + min(pool, 15)) * 16 + min(unused, 15)) * 2 + is_merge(last))
    set_context(m, 5, 1, mix_hash(seen & 0xFFFFF, last))


@njit(_I(_M, _B, _I, _I), cache=True)
def _code_update(m: Model, data: Bytes, last: int, op: int) -> int:
    """Code an operation that neither makes a list from nothing nor joins two: again the last, or which."""
    if REPEAT_LIST <= last < CONCATENATE and code_bit(m, data, 6, 8, _D_AGAIN, 0, op == last):
        return last
    node = 1
    for shift in range(3, -1, -1):
        node = node * 2 + code_bit(m, data, 6, 16 + node, _D_UPDATE, 0, (op - REPEAT_LIST) >> shift & 1)
    return REPEAT_LIST + node - 16


@njit(_I(_M, _B, _T, _I, _I), cache=True)
def _code_op(m: Model, data: Bytes, t: Tape, i: int, op: int) -> int:
    """Code the function of line i, or END; END only where every list but the newest is used."""
    m.mode[2] = FUNCTION
    unused = 0
    for j in range(i):
        unused += t.merged[j] + t.worked[j] == 0
    _function_contexts(m, t, i, unused)
    if i and unused == 1 and code_bit(m, data, 6, 1, _D_END, 0, op == END):
        return END
    if i:
        if code_bit(m, data, 6, 2, _D_MERGE, 0, op >= CONCATENATE):
            return CONCATENATE + code_bit(m, data, 6, 3, _D_WHICH_MERGE, 0, op == INTERLEAVE)
        if not code_bit(m, data, 6, 4, _D_INITIATOR, 0, op <= SET_LIST):
            return _code_update(m, data, _op_at(t, i - 1), op)
    high = code_bit(m, data, 6, 5, _D_WHICH_INITIATOR, 0, op >> 1 & 1)
    return high * 2 + code_bit(m, data, 6, 6 + high, _D_WHICH_INITIATOR, 0, op & 1)


@njit(void(_M, _I, _I, _I), cache=True)
def _contexts(m: Model, kind: int, a: int, b: int) -> None:
    """Set the three contexts of an argument: its kind alone, and with each of two others."""
    set_context(m, 0, 16 + kind, 0)
    set_context(m, 1, 16 + kind, a)
    set_context(m, 2, 16 + kind, b)


@njit(_I(_M, _B, _I, _I, _I, _I, _I), cache=True)
def _code_integer(m: Model, data: Bytes, k: int, kind: int, low: int, high: int, value: int) -> int:
    """Code an integer expected in low..high (0 <= low), any other after an escape."""
    if low <= high and code_bit(m, data, 1, 1 << 21, _D_ESCAPE, 0, low <= value <= high):
        return code_bounded(m, data, k, kind, low, high, value)
    return code_gamma(m, data, _D_GAMMA, value)


@njit(void(_M, _B, _T, _I, _I), cache=True)
def _code_range(m: Model, data: Bytes, t: Tape, i: int, step: int) -> None:
    """Code a range as start and length; its end is one past its last element (UP: at it)."""
    line = t.lines[i]
    op = line[OP]
    _contexts(m, _D_START, op, min(step, 255) * 2 + (op == UP))
    line[X] = _code_integer(m, data, 3, _D_START, 0, 255, line[X])
    room = (255 - line[X]) // step + 1 if step > 0 and 0 <= line[X] <= 255 else 0
    included = op == UP
    length = (line[Y] + included - 1 - line[X]) // step + 1 if step > 0 else 0
    regular = length >= 1 and line[Y] == line[X] + (length - 1) * step + 1 - included
    _contexts(m, _D_SPAN, min(room, 31) * 2 + included, (min(room, 31) * 256 + min(step, 255)) * 2 + included)
    if room > 0 and code_bit(m, data, 1, 1 << 21, _D_ESCAPE, 0, regular and length <= room):
        length = code_bounded(m, data, 3, _D_SPAN, 1, room, length)
        line[Y] = line[X] + (length - 1) * step + 1 - included
    else:
        line[Y] = code_gamma(m, data, _D_GAMMA, line[Y])


@njit(void(_M, _B, _T, _I, _I), cache=True)
def _code_items(m: Model, data: Bytes, t: Tape, begin: int, end: int) -> None:
    """Code the elements of a literal list in place."""
    wide = False
    if m.mode[0] != DECODE:
        for k in range(begin, end):
            wide = wide or t.items[k] < 0 or t.items[k] > 255
    _contexts(m, _D_ITEM, 0, 0)
    wide = code_bit(m, data, 1, 1 << 22, _D_ESCAPE, 0, wide) == 1
    before = 256
    for k in range(begin, end):
        _contexts(m, _D_ITEM, before >> 4, 0)
        if wide:
            t.items[k] = code_gamma(m, data, _D_GAMMA, t.items[k])
        else:
            before = code_bounded(m, data, 2, _D_ITEM, 0, 255, t.items[k])
            t.items[k] = before


@njit(boolean(_M, _B, _T, _I), cache=True)
def _code_list(m: Model, data: Bytes, t: Tape, i: int) -> bool:
    """Code a literal list: its length, whether all elements are bytes, its elements."""
    line = t.lines[i]
    m.mode[2] = LENGTH
    _contexts(m, _D_LENGTH, _op_at(t, i - 1), min(i, 15))
    size = _code_integer(m, data, 2, _D_LENGTH, 0, 255, line[Y])
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
def _code_initiator(m: Model, data: Bytes, t: Tape, i: int, op: int) -> bool:
    """Code the arguments of an operation without references; False where a list is too long."""
    m.mode[2] = ARGUMENT
    line = t.lines[i]
    if op == SET_LIST:
        return _code_list(m, data, t, i)
    if op == REPEAT_NUM:
        _contexts(m, _D_TIMES, _op_at(t, i - 1), 0)
        line[X] = _code_integer(m, data, 2, _D_TIMES, 1, 255, line[X])
        _contexts(m, _D_VALUE, min(line[X], 255), 0)
        line[Y] = _code_integer(m, data, 2, _D_VALUE, 0, 255, line[Y])
        return True
    step = 1
    if op == INTERVAL:
        _contexts(m, _D_STEP, 0, 0)
        line[Z] = _code_integer(m, data, 1, _D_STEP, 1, 255, line[Z])
        step = line[Z]
    _code_range(m, data, t, i, step)
    return True


@njit(_I(_T, _I), cache=True)
def _signature(t: Tape, j: int) -> int:
    """Return the class (below 32) of list j as an operand of a merge."""
    return (is_merge(t.lines[j, OP]) * 4 + min(t.merged[j], 3)) * 4 + min(t.worked[j], 3)


@njit(_I(_M, _B, _T, _I, _I, _I, _I, _I, _I), cache=True)
def _walk_pair(
    m: Model, data: Bytes, t: Tape, i: int, op: int, role: int, start: int, other: int, target: int
) -> int:
    """As `_walk_unary`, for the first (role 0, 2) or second (1, 3) operand of a merge (0, 1) or other pair."""
    t.scratch[:32] = 0
    for j in range(i):
        t.scratch[_signature(t, j)] += 1
    for step in range(i - 1):
        j = (start + step) % i
        kind = _signature(t, j)
        left = min(t.scratch[kind], 15)
        t.scratch[kind] -= 1
        place = (j >= start) * 4 + (j == i - 1) * 2 + (j == other)
        where = (role * 8 + place) * 32 + kind
        set_context(m, 0, 3, where)
        set_context(m, 1, 3, where * 32 + min(i - 1 - j, 31))
        set_context(m, 2, 3, where * 16 + left)
        set_context(m, 3, 3, (where * 22 + t.worker[j]) * 22 + t.lines[j, OP])
        set_context(m, 4, 3, where * 32 + min(i - step, 31))
        set_context(m, 5, 3, (role * 22 + op) * 256 + min(i, 15) * 16 + min(j, 15))
        if code_bit(m, data, 6, 1, _D_FIRST + (role & 1) if role < 2 else _D_PAIR, 0, j == target):
            return j
    return (start + i - 1) % i


@njit(_I(_I), cache=True)
def _bits(value: int) -> int:
    """Return the number of binary digits of a value (0 for 0 and below)."""
    size = 0
    while value > 0:
        value >>= 1
        size += 1
    return size


@njit(_I(_T, _I), cache=True)
def _divides(t: Tape, j: int) -> int:
    """Return which predicates some element of list j passes: 1 even, 2 odd, 4 zero."""
    found = 0
    for k in range(t.begin[j], t.begin[j + 1]):
        value = t.cells[k]
        found |= 2 if value % 2 else 1
        if value == 0:
            found |= 4
    return found


@njit(_I(_T, _I), cache=True)
def _size(t: Tape, j: int) -> int:
    return t.begin[j + 1] - t.begin[j]


@njit(_I(_T, _I, _I), cache=True)
def _use(t: Tape, op: int, j: int) -> int:
    """Return a small number that hints at whether an operation could do anything on list j."""
    if op == ADD_ITEM:
        return (t.highest[j] < 255) + (t.lowest[j] < 0)
    if op == SUBTRACT_ITEM:
        return (t.lowest[j] > 0) + (t.lowest[j] < 0)
    if op == MODULO_ITEM:
        return t.highest[j] >= 2
    if op == REVERSE or op == MAX_N or op == MIN_N:
        return t.lowest[j] != t.highest[j]
    if op == SCAN_ADD:
        return _bits(_size(t, j) * (t.lowest[j] + t.highest[j]) >> 7)
    if op == FILTER:
        return _divides(t, j)
    return min(_size(t, j), 7)


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
        set_context(m, 4, 2, ((op * 12 + _bits(_size(t, j))) * 32 + left) * 2 + again)
        set_context(m, 5, 2, ((made * 32 + left) * 2 + wrapped) * 2 + again)
        if code_bit(m, data, 6, 1, _D_UNARY, 0, j == target):
            return j
    return (start + i - 1) % i


@njit(void(_M, _B, _T, _I, _I), cache=True)
def _code_references(m: Model, data: Bytes, t: Tape, i: int, op: int) -> None:
    """Code which earlier lists line i works on."""
    m.mode[2] = REFERENCE
    line = t.lines[i]
    last = _op_at(t, i - 1)
    if is_unary(op):
        start = t.lines[i - 1, FIRST] + 1 if last == op else 0
        line[FIRST] = _walk_unary(m, data, t, i, op, start, last == op, line[FIRST])
        return
    kind = 0 if is_merge(op) else 2
    start = i - 1 if is_merge(last) else 0
    line[FIRST] = _walk_pair(m, data, t, i, op, kind, start, start, line[FIRST])
    if is_merge(op) and is_merge(last):
        start = (t.lines[i - 1, SECOND] + 1) % i
    else:
        start = (line[FIRST] + 1) % i
    line[SECOND] = _walk_pair(m, data, t, i, op, kind + 1, start, line[FIRST], line[SECOND])


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
    _contexts(m, _D_OLD, t.lines[j, OP], min(ranks, 31))
    if ranks and code_bit(m, data, 1, 1 << 21, _D_ESCAPE, 0, rank >= 0):
        rank = code_bounded(m, data, 3, _D_OLD, 0, ranks - 1, rank)
        for value in range(256):
            if t.scratch[value] == rank:
                line[X] = value
    else:
        line[X] = code_gamma(m, data, _D_GAMMA, line[X])
    _contexts(m, _D_NEW, t.lines[j, OP], line[X] >> 4)
    line[Y] = _code_integer(m, data, 3, _D_NEW, 0, 255, line[Y])


@njit(void(_M, _B, _T, _I, _I), cache=True)
def _code_constants(m: Model, data: Bytes, t: Tape, i: int, op: int) -> None:
    """Code the integers (or the predicate) of an operation on earlier lists."""
    m.mode[2] = ARGUMENT
    line = t.lines[i]
    j = line[FIRST]
    size, low, high, made = _size(t, j), t.lowest[j], t.highest[j], t.lines[j, OP]
    if op == REPEAT_LIST:
        _contexts(m, _D_COPIES, made, min(size, 63))
        line[X] = _code_integer(m, data, 3, _D_COPIES, 2, 255, line[X])
    elif op == SUBSTITUTE:
        _code_substitution(m, data, t, i)
    elif op == JUMPS:
        _contexts(m, _D_JUMP, made, min(size, 63))
        line[X] = _code_integer(m, data, 3, _D_JUMP, 2, max(size - 1, 2), line[X])
    elif op == BETWEEN:
        _contexts(m, _D_FROM, made, size)
        line[X] = _code_integer(m, data, 3, _D_FROM, 0, size - 1, line[X])
        _contexts(m, _D_TO, made, size - line[X])
        line[Y] = line[X] + _code_integer(m, data, 3, _D_TO, 1, size - max(line[X], 0), line[Y] - line[X])
    elif op == MAX_N or op == MIN_N:
        _contexts(m, _D_COUNT, made, min(size, 63))
        line[X] = _code_integer(m, data, 3, _D_COUNT, 1, size, line[X])
    elif op == ADD_ITEM:
        _contexts(m, _D_ADD, made, _bits(255 - high))
        line[X] = _code_integer(m, data, 3, _D_ADD, 1, 255 - high, line[X])
    elif op == SUBTRACT_ITEM:
        _contexts(m, _D_SUBTRACT, made, _bits(low))
        line[X] = _code_integer(m, data, 3, _D_SUBTRACT, 1, low, line[X])
    elif op == MODULO_ITEM:
        _contexts(m, _D_MODULO, made, _bits(high))
        line[X] = _code_integer(m, data, 3, _D_MODULO, 1, high, line[X])
    elif op == FILTER:
        _contexts(m, _D_PREDICATE, made, _divides(t, j))
        line[X] = _code_integer(m, data, 3, _D_PREDICATE, 0, 2, line[X])


@njit(_I(_M, _B, _T, _I), cache=True)
def _code_program(m: Model, data: Bytes, t: Tape, n: int) -> int:
    """Code the program on the tape (of n lines when not decoding) and run it; return its number of lines, or
    -1 where a line fails or leaves the machine's bounds (only then is nothing usable coded)."""
    i = 0
    t.begin[0] = 0
    while True:
        m.mode[1] = i
        op = _code_op(m, data, t, i, t.lines[i, OP] if i < n else END)
        if op == END:
            return i
        if i == MAX_LINES:
            return -1
        t.lines[i, OP] = op
        if m.mode[0] == DECODE:
            t.lines[i, FIRST:COLUMNS] = 0
        if op <= SET_LIST:
            done = _code_initiator(m, data, t, i, op)
        else:
            _code_references(m, data, t, i, op)
            _code_constants(m, data, t, i, op)
            done = True
        if not (done and run_line(t, i)):
            return -1
        i += 1


@njit(_I(_MS, _B, _TS, _I), cache=True)
def code_program(models: Models, data: Bytes, tapes: Tapes, n: int) -> int:
    """Code the program on the tape (of n lines when not decoding) and run it; return its number of lines, or
    -1 where a line fails or leaves the machine's bounds."""
    return _code_program(models[0], data, tapes[0], n)


@njit(_I(_MS, _B, _I, _I), cache=True)
def code_kind(models: Models, data: Bytes, history: int, kind: int) -> int:
    """Code what an entry is, 0..3; `history` holds the kinds before it, two bits each."""
    m = models[0]
    m.mode[1], m.mode[2] = 0, FLAG
    set_context(m, 0, 4, history & 3)
    set_context(m, 1, 4, history & 15)
    set_context(m, 2, 4, history & 255)
    high = code_bit(m, data, 3, 1, _D_KIND, 0, kind >> 1)
    return high * 2 + code_bit(m, data, 3, 2 + high, _D_KIND, 0, kind & 1)


@njit(_I(_MS, _B, _I), cache=True)
def code_size(models: Models, data: Bytes, size: int) -> int:
    """Code the length of a literal; a damaged stream may give a negative one."""
    m = models[0]
    m.mode[1], m.mode[2] = 0, LITERAL
    _contexts(m, _D_SIZE, 0, 0)
    return code_gamma(m, data, _D_SIZE, size)


@njit(void(_MS, _B, _TS, _I, _I), cache=True)
def code_literal(models: Models, data: Bytes, tapes: Tapes, n: int, learned: int) -> None:
    """Code n bytes that stand in `items`: each by itself, under the model learned so far or 8 bits each."""
    m, t = models[0], tapes[0]
    m.mode[1], m.mode[2] = 0, LITERAL
    _contexts(m, _D_LITERAL, 0, 0)
    for k in range(n):
        if learned:
            t.items[k] = code_bounded(m, data, 1, _D_LITERAL, 0, 255, t.items[k])
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
    _contexts(m, _D_LITERAL, 0, 0)
    before = m.bits[LITERAL]
    for value in range(256):
        m.bits[LITERAL] = 0.0
        code_bounded(m, np.zeros(0, dtype=np.uint8), 1, _D_LITERAL, 0, 255, value)
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
