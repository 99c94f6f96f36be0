"""Runs the lines of one program in compiled code, within fixed bounds: the constraints on what comes next are
read off the lists made so far.

It agrees with `ktray.dsl.interpreter` on every program that it does not refuse.
"""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import numpy as np
from numba import boolean, from_dtype, int64, types, void
from numpy.typing import NDArray

from ktray.dsl.ops import BY_NAME
from ktray.kernels import njit
from ktray.priors.adaptive.model import MAX_LINES

#: Elements that all lists of a program may hold together, and the largest magnitude of one.
CELLS = 1 << 17
MAGNITUDE = 1 << 40

UP = BY_NAME["range_func_up"].code
INTERVAL = BY_NAME["range_func_interval"].code
REPEAT_NUM = BY_NAME["repeat_num"].code
SET_LIST = BY_NAME["set_list"].code
REPEAT_LIST = BY_NAME["repeat_list"].code
REVERSE = BY_NAME["reverse_list"].code
SUBSTITUTE = BY_NAME["substitute"].code
JUMPS = BY_NAME["get_subsequence_with_jumps"].code
BETWEEN = BY_NAME["get_subsequence_between_indices"].code
MAX_N = BY_NAME["max_n"].code
MIN_N = BY_NAME["min_n"].code
ADD_ITEM = BY_NAME["add_item_list"].code
SUBTRACT_ITEM = BY_NAME["subtract_item_list"].code
MODULO_ITEM = BY_NAME["modulo_item_list"].code
FILTER = BY_NAME["filter"].code
SCAN_ADD = BY_NAME["scan_add"].code
ADD_LISTS = BY_NAME["add_two_lists"].code
SUBTRACT_LISTS = BY_NAME["subtract_two_lists"].code
MODULO_LISTS = BY_NAME["modulo_two_lists"].code
CONCATENATE = BY_NAME["concatenate"].code
INTERLEAVE = BY_NAME["interleave"].code
#: Operations that the model codes: those of the published language.
NATIVE = INTERLEAVE + 1

#: Columns of a flat line: operation, up to two earlier lines, up to three integers.
OP, FIRST, SECOND, X, Y, Z = range(6)
COLUMNS = 6


_ROWS = MAX_LINES + 1

#: The program being coded or run, and its lists, in one record.
#: `lines` holds flat lines; a literal list stands in `items` from X on, Y elements. Line i's list is
#: `cells[begin[i]:begin[i + 1]]`; `lowest` and `highest` bound its values (0 where empty). `merged` and
#: `worked` count how often a line was used by concatenate or interleave, and by others; `worker` is the last
#: of these others (0: none). `scratch` is for counting values.
TAPE = np.dtype(
    [
        ("lines", np.int64, (_ROWS, COLUMNS)),
        ("items", np.int64, (CELLS,)),
        ("cells", np.int64, (CELLS,)),
        ("begin", np.int64, (_ROWS + 1,)),
        ("lowest", np.int64, (_ROWS,)),
        ("highest", np.int64, (_ROWS,)),
        ("merged", np.int64, (_ROWS,)),
        ("worked", np.int64, (_ROWS,)),
        ("worker", np.int64, (_ROWS,)),
        ("scratch", np.int64, (256,)),
    ],
    align=True,
)
Tape = np.record

TAPE_TYPE = from_dtype(TAPE)
TAPES_TYPE = types.Array(TAPE_TYPE, 1, "C")
_T, _I, _L = TAPE_TYPE, int64, int64[::1]


@njit(boolean(_I), cache=True)
def is_unary(op: int) -> bool:
    """Whether an operation works on one earlier list."""
    return REPEAT_LIST <= op <= SCAN_ADD


@njit(boolean(_I), cache=True)
def is_merge(op: int) -> bool:
    """Whether an operation joins two lists whole."""
    return op >= CONCATENATE


@njit(boolean(_T, _I), cache=True)
def _note_bounds(t: Tape, i: int) -> bool:
    """Note the lowest and highest value of line i's list; False where one is out of bounds."""
    low = 0
    high = 0
    first = t.begin[i]
    for k in range(first, t.begin[i + 1]):
        value = t.cells[k]
        low = value if k == first else min(low, value)
        high = value if k == first else max(high, value)
    t.lowest[i] = low
    t.highest[i] = high
    return low > -MAGNITUDE and high < MAGNITUDE


@njit(_I(_T, _I, _I, _I, _I, _I), cache=True)
def _run_initiator(t: Tape, op: int, at: int, x: int, y: int, z: int) -> int:
    """Write the list of an operation without references; return its end, or -1."""
    size = y
    step = 1
    if op == UP:
        size = max(0, y - x + 1)
    elif op == INTERVAL:
        if z == 0:
            return -1
        step = z
        size = max(0, (y - x + z - (1 if z > 0 else -1)) // z)
    elif op == REPEAT_NUM:
        size = max(0, x)
        x = y
        step = 0
    if size > CELLS - at:
        return -1
    if op == SET_LIST:
        t.cells[at : at + size] = t.items[x : x + size]
    else:
        for k in range(size):
            t.cells[at + k] = x + k * step
    return at + size


@njit(_I(_I, _I, _I), cache=True)
def _pair(op: int, a: int, b: int) -> int:
    """Return the sum, difference or remainder of two elements (b is not 0 for the last)."""
    if op == ADD_LISTS:
        return a + b
    if op == SUBTRACT_LISTS:
        return a - b
    return a % b


@njit(_I(_T, _I, _I, _L, _L), cache=True)
def _run_pair(t: Tape, op: int, at: int, a: NDArray[np.int64], b: NDArray[np.int64]) -> int:
    """Write a list made of two; return its end, or -1."""
    if len(a) + len(b) > CELLS - at:
        return -1
    if op == CONCATENATE:
        t.cells[at : at + len(a)] = a
        t.cells[at + len(a) : at + len(a) + len(b)] = b
        return at + len(a) + len(b)
    shorter = min(len(a), len(b))
    for k in range(shorter):
        if op == INTERLEAVE:
            t.cells[at] = a[k]
            t.cells[at + 1] = b[k]
            at += 2
        elif op != MODULO_LISTS or b[k] != 0:
            t.cells[at] = _pair(op, a[k], b[k])
            at += 1
    if op == INTERLEAVE:
        longer = a if len(a) > len(b) else b
        for k in range(shorter, len(longer)):
            t.cells[at] = longer[k]
            at += 1
    return at


@njit(void(_L, _I), cache=True)
def _sort(a: NDArray[np.int64], falling: int) -> None:
    """Sort in place (shell sort: short, and quick to compile)."""
    gap = len(a) // 2
    while gap > 0:
        for end in range(gap, len(a)):
            value = a[end]
            k = end - gap
            while k >= 0 and (a[k] < value if falling else a[k] > value):
                a[k + gap] = a[k]
                k -= gap
            a[k + gap] = value
        gap = gap // 2 if gap == 2 else gap * 5 // 11


@njit(_I(_T, _I, _L, _I), cache=True)
def _run_jumps(t: Tape, at: int, a: NDArray[np.int64], jump: int) -> int:
    """Write every jump-th element, from the end where the jump is negative; return the end, or -1."""
    if jump == 0:
        return -1
    size = len(a)
    index = 0 if jump > 0 else size - 1
    while 0 <= index < size:
        t.cells[at] = a[index]
        at += 1
        index += jump
    return at


@njit(_I(_I, _I), cache=True)
def _slice_bound(index: int, size: int) -> int:
    """Return where Python's slice would begin or end for this index."""
    if index < 0:
        index += size
    return min(max(index, 0), size)


@njit(_I(_T, _I, _I, _L, _I, _I), cache=True)
def _run_selection(t: Tape, op: int, at: int, a: NDArray[np.int64], x: int, y: int) -> int:
    """Write a list made of elements of `a`; return its end, or -1."""
    size = len(a)
    if op == REPEAT_LIST:
        if max(x, 0) * size > CELLS - at or x > CELLS:
            return -1
        for k in range(max(x, 0)):
            t.cells[at + k * size : at + (k + 1) * size] = a
        return at + max(x, 0) * size
    if size > CELLS - at:
        return -1
    if op == REVERSE:
        for k in range(size):
            t.cells[at + k] = a[size - 1 - k]
        return at + size
    if op == JUMPS:
        return _run_jumps(t, at, a, x)
    if op == BETWEEN:
        low = _slice_bound(x, size)
        high = max(low, _slice_bound(y, size))
        for k in range(low, high):
            t.cells[at + k - low] = a[k]
        return at + high - low
    t.cells[at : at + size] = a
    _sort(t.cells[at : at + size], op == MAX_N)
    return at + min(max(x, 0), size)


@njit(_I(_T, _I, _I, _L, _I, _I), cache=True)
def _run_map(t: Tape, op: int, at: int, a: NDArray[np.int64], x: int, y: int) -> int:
    """Write a list made by looking at each element of `a` in turn; return its end, or -1."""
    if len(a) > CELLS - at or (op == MODULO_ITEM and x == 0 and len(a) > 0):
        return -1
    total = 0
    for value in a:
        result = value
        keep = True
        if op == ADD_ITEM:
            result = value + x
        elif op == SUBTRACT_ITEM:
            result = value - x
        elif op == MODULO_ITEM:
            result = value % x
        elif op == SUBSTITUTE:
            result = y if value == x else value
        elif op == SCAN_ADD:
            total += value
            result = total
            if abs(total) >= MAGNITUDE:
                return -1
        else:
            keep = value != 0 if x == 2 else value % 2 == x
        if keep:
            t.cells[at] = result
            at += 1
    return at


@njit(boolean(_T, _I), cache=True)
def run_line(t: Tape, i: int) -> bool:
    """Run line i and note its list and its uses; False where it fails or leaves the bounds."""
    line = t.lines[i]
    op = line[OP]
    at = t.begin[i]
    if op <= SET_LIST:
        end = _run_initiator(t, op, at, line[X], line[Y], line[Z])
    elif op <= SCAN_ADD:
        first = t.cells[t.begin[line[FIRST]] : t.begin[line[FIRST] + 1]]
        if op in (REPEAT_LIST, REVERSE) or JUMPS <= op <= MIN_N:
            end = _run_selection(t, op, at, first, line[X], line[Y])
        else:
            end = _run_map(t, op, at, first, line[X], line[Y])
        t.worked[line[FIRST]] += 1
        t.worker[line[FIRST]] = op
    else:
        a = t.cells[t.begin[line[FIRST]] : t.begin[line[FIRST] + 1]]
        b = t.cells[t.begin[line[SECOND]] : t.begin[line[SECOND] + 1]]
        end = _run_pair(t, op, at, a, b)
        uses = t.merged if is_merge(op) else t.worked
        uses[line[FIRST]] += 1
        uses[line[SECOND]] += 1
    if end < 0:
        return False
    t.begin[i + 1] = end
    t.merged[i] = 0
    t.worked[i] = 0
    t.worker[i] = 0
    return _note_bounds(t, i)
