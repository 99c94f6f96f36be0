"""Samples programs and runs them in one go: the published distribution of program-sequence pairs, in numba.

Source: the KoLMogorov Test's App. A.2 and its published pairs. A program is made in stages: initiators; list
updates, arithmetic, a filter and pairwise operations (behind a gate each), running sums; then all lists are
merged in order, some of them once more. What the paper leaves open was fitted to the published pairs.
Integers only: a seed gives the same pairs on every machine.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ktray.dsl.encoded import END
from ktray.dsl.ops import BY_NAME
from ktray.kernels import njit

Ints = NDArray[np.int64]
Rng = NDArray[np.uint64]

MAX_LINES = 96
#: Elements that all lists of one program may hold together; a larger program is drawn again.
MAX_ELEMENTS = 1 << 15
#: Integers of one program's flat form at most: literals hold at most MAX_ELEMENTS, other lines 4 integers.
MAX_FLAT = MAX_ELEMENTS + 5 * MAX_LINES + 2
#: A list that an initiator makes holds at most this many elements.
MAX_INITIAL = 1024

_UP, _INTERVAL = BY_NAME["range_func_up"].code, BY_NAME["range_func_interval"].code
_REPEAT, _SET = BY_NAME["repeat_num"].code, BY_NAME["set_list"].code
_REPEAT_LIST, _REVERSE = BY_NAME["repeat_list"].code, BY_NAME["reverse_list"].code
_SUBSTITUTE, _JUMPS = BY_NAME["substitute"].code, BY_NAME["get_subsequence_with_jumps"].code
_BETWEEN = BY_NAME["get_subsequence_between_indices"].code
_MAX_N, _MIN_N, _MODULO = BY_NAME["max_n"].code, BY_NAME["min_n"].code, BY_NAME["modulo_item_list"].code
_ADD, _SUBTRACT = BY_NAME["add_item_list"].code, BY_NAME["subtract_item_list"].code
_FILTER, _SCAN = BY_NAME["filter"].code, BY_NAME["scan_add"].code
_ADD_LISTS, _SUBTRACT_LISTS = BY_NAME["add_two_lists"].code, BY_NAME["subtract_two_lists"].code
_MODULO_LISTS = BY_NAME["modulo_two_lists"].code
_CONCATENATE, _INTERLEAVE = BY_NAME["concatenate"].code, BY_NAME["interleave"].code

#: Least elements that a filter must leave, and that max_n and min_n keep.
_KEEP = 3


class Knobs(NamedTuple):
    """The sampler's settings as integers; probabilities are out of 2**32, ranges include both ends."""

    initiators: tuple[int, int]
    lengths: tuple[int, int]
    value_range: tuple[int, int]
    steps: tuple[int, int]
    jumps: tuple[int, int]
    repeats: tuple[int, int]
    initiator_weights: tuple[int, int, int, int]
    list_gate: int
    math_gate: int
    filter_gate: int
    pair_gate: int
    reverse: int
    repeat_list: int
    longest_repeat: int
    subsequence: int
    substitute: int
    drop_substituted: int
    modulo: int
    shift: int
    extremes: int
    scan: int
    filter: int
    pair_modulo: int
    pair_shift: int
    interleave: int
    reuse: int
    walk: int
    walk_step: int
    alphabet: int
    alphabet_size: int


class Tape(NamedTuple):
    """One program while it is made: its lines, and the lists they make one after another in `data`."""

    data: Ints  # shape (MAX_ELEMENTS,)
    start: Ints  # shape (MAX_LINES,), where a line's list begins
    length: Ints
    op: Ints
    args: Ints  # shape (MAX_LINES, 3)
    used: Ints  # lines made, elements made, 1 after an overflow


@njit(cache=True)
def new_tape() -> Tape:
    """Return a tape to be used again for each program."""
    return Tape(
        np.zeros(MAX_ELEMENTS, np.int64),
        np.zeros(MAX_LINES, np.int64),
        np.zeros(MAX_LINES, np.int64),
        np.zeros(MAX_LINES, np.int64),
        np.zeros((MAX_LINES, 3), np.int64),
        np.zeros(3, np.int64),
    )


# -- randomness: SplitMix64, of which the upper 32 bits are used ------------------------------------------


@njit(cache=True)
def _draw(rng: Rng) -> int:
    """Return 32 random bits."""
    rng[0] += np.uint64(0x9E3779B97F4A7C15)
    z = rng[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return int(np.int64(z >> np.uint64(32)))


@njit(cache=True)
def _chance(rng: Rng, probability: int) -> bool:
    return bool(_draw(rng) < probability)


@njit(cache=True)
def _between(rng: Rng, low: int, high: int) -> int:
    """Return one of low..high, both included."""
    return int(low + ((_draw(rng) * (high - low + 1)) >> 32))


# -- lines -------------------------------------------------------------------------------------------------


@njit(cache=True)
def _add_line(tape: Tape, op: int, length: int, a: int, b: int, c: int) -> int:
    """Add a line with a list of `length` elements, not yet written; return where they go, -1 if no room."""
    line, at = tape.used[0], tape.used[1]
    if line >= MAX_LINES or at + length > MAX_ELEMENTS:
        tape.used[2] = 1
        return -1
    tape.op[line], tape.start[line], tape.length[line] = op, at, length
    tape.args[line, 0], tape.args[line, 1], tape.args[line, 2] = a, b, c
    tape.used[0] += 1
    tape.used[1] += length
    return int(at)


@njit(cache=True)
def _drop_line(tape: Tape) -> None:
    """Take back the newest line."""
    tape.used[0] -= 1
    tape.used[1] = tape.start[tape.used[0]]


@njit(cache=True)
def _list(tape: Tape, line: int) -> Ints:
    """Return a view of a line's list."""
    return tape.data[tape.start[line] : tape.start[line] + tape.length[line]]


@njit(cache=True)
def _initiate(tape: Tape, rng: Rng, knobs: Knobs) -> None:
    """Add one initiator."""
    weights = knobs.initiator_weights
    pick = _between(rng, 0, weights[0] + weights[1] + weights[2] + weights[3] - 1)
    n = _between(rng, knobs.lengths[0], knobs.lengths[1])
    low, high = knobs.value_range
    if pick < weights[0]:
        n = min(n, high - low)
        start = _between(rng, low, high - n)
        at = _add_line(tape, _UP, n, start, start + n - 1, 0)
        for i in range(n if at >= 0 else 0):
            tape.data[at + i] = start + i
    elif pick < weights[0] + weights[1]:
        _initiate_interval(tape, rng, knobs, min(n, high - low))
    elif pick < weights[0] + weights[1] + weights[2]:
        value = _between(rng, low, high)
        at = _add_line(tape, _REPEAT, n, n, value, 0)
        if at >= 0:
            tape.data[at : at + n] = value
    else:
        at = _add_line(tape, _SET, n, 0, 0, 0)
        if at >= 0:
            _fill_literal(tape.data[at : at + n], rng, knobs)


@njit(cache=True)
def _initiate_interval(tape: Tape, rng: Rng, knobs: Knobs, n: int) -> None:
    """Add a range with a step; it is cut where it would leave the values."""
    start = _between(rng, knobs.value_range[0], knobs.value_range[1] - n)
    step = _between(rng, knobs.steps[0], knobs.steps[1])
    end = min(start + (n - 1) * step + 1, knobs.value_range[1] + 1)
    n = (end - start + step - 1) // step
    at = _add_line(tape, _INTERVAL, n, start, end, step)
    for i in range(n if at >= 0 else 0):
        tape.data[at + i] = start + i * step


@njit(cache=True)
def _fill_literal(out: Ints, rng: Rng, knobs: Knobs) -> None:
    """Fill a literal list: independent values, a walk of small steps, or draws from a small alphabet."""
    low, high = knobs.value_range
    if knobs.walk and _chance(rng, knobs.walk):
        x = _between(rng, low, high)
        for i in range(len(out)):
            out[i] = x
            x = min(high, max(low, x + _between(rng, -knobs.walk_step, knobs.walk_step)))
    elif knobs.alphabet and _chance(rng, knobs.alphabet):
        size = _between(rng, 2, knobs.alphabet_size)
        letters = np.empty(size, np.int64)
        for i in range(size):
            letters[i] = _between(rng, low, high)
        for i in range(len(out)):
            out[i] = letters[_between(rng, 0, size - 1)]
    else:
        for i in range(len(out)):
            out[i] = _between(rng, low, high)


# -- list updates ------------------------------------------------------------------------------------------


@njit(cache=True)
def _reverse_some(tape: Tape, rng: Rng, knobs: Knobs) -> None:
    """Reverse lists; not those of one value, which stay the same."""
    for line in range(tape.used[0]):
        if tape.op[line] != _REPEAT and _chance(rng, knobs.reverse):
            at = _add_line(tape, _REVERSE, tape.length[line], line, 0, 0)
            if at >= 0:
                tape.data[at : at + tape.length[line]] = _list(tape, line)[::-1]


@njit(cache=True)
def _is_reversed(tape: Tape, line: int) -> bool:
    """Tell whether a list is a reversal, or has one."""
    for other in range(tape.used[0]):
        if tape.op[other] == _REVERSE and (other == line or tape.args[other, 0] == line):
            return True
    return False


@njit(cache=True)
def _cut_and_repeat_some(tape: Tape, rng: Rng, knobs: Knobs) -> None:
    """Repeat lists and take sub-sequences; lists made here come up again, a reversed pair is not cut."""
    line = 0
    while line < tape.used[0] and not tape.used[2]:
        if _chance(rng, knobs.repeat_list):
            _repeat(tape, line, _between(rng, knobs.repeats[0], knobs.repeats[1]), knobs.longest_repeat)
        n = tape.length[line]
        if n >= 2 and not _is_reversed(tape, line):
            if _chance(rng, knobs.subsequence):
                _jump(tape, line, _between(rng, knobs.jumps[0], knobs.jumps[1]))
            if _chance(rng, knobs.subsequence):
                start = _between(rng, 0, n - 2)
                _cut(tape, line, start, _between(rng, start + 2, n))
        line += 1


@njit(cache=True)
def _repeat(tape: Tape, line: int, times: int, longest: int) -> None:
    n = tape.length[line]
    if n * times > longest:
        return
    at = _add_line(tape, _REPEAT_LIST, n * times, times, line, 0)
    for i in range(times if at >= 0 else 0):
        tape.data[at + i * n : at + (i + 1) * n] = _list(tape, line)


@njit(cache=True)
def _jump(tape: Tape, line: int, jump: int) -> None:
    n = (tape.length[line] + jump - 1) // jump
    at = _add_line(tape, _JUMPS, n, line, jump, 0)
    if at >= 0:
        tape.data[at : at + n] = _list(tape, line)[::jump]


@njit(cache=True)
def _cut(tape: Tape, line: int, start: int, end: int) -> None:
    at = _add_line(tape, _BETWEEN, end - start, line, start, end)
    if at >= 0:
        tape.data[at : at + end - start] = _list(tape, line)[start:end]


@njit(cache=True)
def _substitute_some(tape: Tape, rng: Rng, knobs: Knobs, dropped: NDArray[np.bool_]) -> None:
    """Substitute a value in lists, new ones included; the original may then drop out of merging."""
    line = 0
    while line < tape.used[0] and not tape.used[2]:
        n = tape.length[line]
        if n and _chance(rng, knobs.substitute):
            old = _list(tape, line)[_between(rng, 0, n - 1)]
            new = _between(rng, knobs.value_range[0], knobs.value_range[1] - 1)
            new += new >= old
            at = _add_line(tape, _SUBSTITUTE, n, line, old, new)
            for i in range(n if at >= 0 else 0):
                x = _list(tape, line)[i]
                tape.data[at + i] = new if x == old else x
            dropped[line] = _chance(rng, knobs.drop_substituted)
        line += 1


# -- arithmetic --------------------------------------------------------------------------------------------


@njit(cache=True)
def _calculate_some(tape: Tape, rng: Rng, knobs: Knobs) -> None:
    """Apply at most one operation with a constant, or max_n or min_n (to literals alone), to each list."""
    for line in range(tape.used[0]):
        n = tape.length[line]
        if n == 0:
            continue
        if tape.op[line] == _SET and n >= _KEEP + 2 and _chance(rng, knobs.extremes):
            op = _MAX_N if _between(rng, 0, 1) else _MIN_N
            _keep_extremes(tape, op, line, _between(rng, _KEEP, n - 2))
            continue
        low, high = np.min(_list(tape, line)), np.max(_list(tape, line))
        pick = _pick_arithmetic(rng, knobs.modulo, knobs.shift)
        if pick == 1 and high >= 2:
            _map(tape, _MODULO, line, _between(rng, 2, high))
        elif pick == 2 and high < 255:
            _map(tape, _ADD, line, _between(rng, 1, 255 - high))
        elif pick == 3 and low > 0:
            _map(tape, _SUBTRACT, line, _between(rng, 1, low))


@njit(cache=True)
def _pick_arithmetic(rng: Rng, modulo: int, shift: int) -> int:
    """Return 1 for modulo, 2 for addition, 3 for subtraction (equally likely), 0 for nothing."""
    draw = _draw(rng)
    if draw < modulo:
        return 1
    if draw < modulo + shift:
        return 2 if _between(rng, 0, 1) else 3
    return 0


@njit(cache=True)
def _map(tape: Tape, op: int, line: int, constant: int) -> None:
    """Add a line that applies `op` with a constant to each element."""
    n = tape.length[line]
    at = _add_line(tape, op, n, line, constant, 0)
    for i in range(n if at >= 0 else 0):
        x = _list(tape, line)[i]
        tape.data[at + i] = x % constant if op == _MODULO else x + constant if op == _ADD else x - constant


@njit(cache=True)
def _keep_extremes(tape: Tape, op: int, line: int, n: int) -> None:
    at = _add_line(tape, op, n, line, n, 0)
    if at >= 0:
        rising = np.sort(_list(tape, line))
        tape.data[at : at + n] = rising[::-1][:n] if op == _MAX_N else rising[:n]


@njit(cache=True)
def _scan_some(tape: Tape, rng: Rng, knobs: Knobs) -> None:
    """Add running sums of lists of several values whose sum fits a byte."""
    for line in range(tape.used[0]):
        x = _list(tape, line)
        if np.sum(x) <= 255 and _is_varied(x) and _chance(rng, knobs.scan):
            at = _add_line(tape, _SCAN, len(x), line, 0, 0)
            if at >= 0:
                tape.data[at : at + len(x)] = np.cumsum(x)


@njit(cache=True)
def _filter_last(tape: Tape, rng: Rng, knobs: Knobs) -> None:
    """Filter the newest list, if that changes it and leaves enough."""
    if not _chance(rng, knobs.filter):
        return
    predicate, line = _between(rng, 0, 2), tape.used[0] - 1
    x = _list(tape, line)
    at = _add_line(tape, _FILTER, len(x), predicate, line, 0)
    if at < 0:
        return
    kept = 0
    for i in range(len(x)):
        if x[i] != 0 if predicate == 2 else x[i] % 2 == predicate:
            tape.data[at + kept] = x[i]
            kept += 1
    _drop_line(tape)
    if _KEEP <= kept < len(x):
        _add_line(tape, _FILTER, kept, predicate, line, 0)


@njit(cache=True)
def _combine_some(tape: Tape, rng: Rng, knobs: Knobs) -> None:
    """Apply at most one operation to each pair of lists of one length, where values stay in range."""
    count = tape.used[0]
    for a in range(count):
        for b in range(a + 1, count):
            n = tape.length[a]
            if n != tape.length[b] or n == 0:
                continue
            x, y = _list(tape, a), _list(tape, b)
            pick = _pick_arithmetic(rng, knobs.pair_modulo, knobs.pair_shift)
            if pick == 1:
                _modulo_pair(tape, a, b)
            elif pick == 2 and np.max(x + y) <= 255:
                _pair(tape, _ADD_LISTS, a, b, x + y)
            elif pick == 3 and np.min(x - y) >= 0:
                _pair(tape, _SUBTRACT_LISTS, a, b, x - y)


@njit(cache=True)
def _is_varied(x: Ints) -> bool:
    """Tell whether a list has at least three different values."""
    other = -1
    for i in range(1, len(x)):
        if x[i] != x[0]:
            if other >= 0 and x[i] != other:
                return True
            other = x[i]
    return False


@njit(cache=True)
def _pair(tape: Tape, op: int, a: int, b: int, result: Ints) -> None:
    """Add a pairwise line, unless its list has fewer than three different values."""
    if _is_varied(result):
        at = _add_line(tape, op, len(result), a, b, 0)
        if at >= 0:
            tape.data[at : at + len(result)] = result


@njit(cache=True)
def _modulo_pair(tape: Tape, a: int, b: int) -> None:
    x, y = _list(tape, a), _list(tape, b)
    result = np.empty(len(x), np.int64)
    kept = 0
    for i in range(len(x)):
        if y[i]:
            result[kept] = x[i] % y[i]
            kept += 1
    _pair(tape, _MODULO_LISTS, a, b, result[:kept])


# -- merging -----------------------------------------------------------------------------------------------


@njit(cache=True)
def _merge_order(tape: Tape, rng: Rng, knobs: Knobs, dropped: NDArray[np.bool_]) -> Ints:
    """Return the lines to merge: those not dropped, in order, then some of all once more, shuffled."""
    count = tape.used[0]
    order = np.empty(2 * count, np.int64)
    n = 0
    for line in range(count):
        if not dropped[line]:
            order[n] = line
            n += 1
    first = n
    for line in range(count):
        if _chance(rng, knobs.reuse):
            order[n] = line
            n += 1
    for i in range(n - 1, first, -1):
        j = _between(rng, first, i)
        order[i], order[j] = order[j], order[i]
    return order[:n]


@njit(cache=True)
def _merge(tape: Tape, rng: Rng, knobs: Knobs, order: Ints) -> None:
    """Merge the lists in `order`, each into the result so far; the last line is the output."""
    made = order[0]
    for i in range(1, len(order)):
        x, y = _list(tape, made), _list(tape, order[i])
        n = min(len(x), len(y))
        interleave = _chance(rng, knobs.interleave)
        at = _add_line(tape, _INTERLEAVE if interleave else _CONCATENATE, len(x) + len(y), made, order[i], 0)
        if at < 0:
            return
        out = tape.data[at : at + len(x) + len(y)]
        if interleave:
            out[: 2 * n : 2] = x[:n]
            out[1 : 2 * n : 2] = y[:n]
            out[2 * n : n + len(x)] = x[n:]
            out[n + len(x) :] = y[n:]
        else:
            out[: len(x)] = x
            out[len(x) :] = y
        made = tape.used[0] - 1


@njit(cache=True)
def sample(tape: Tape, rng: Rng, knobs: Knobs) -> int:
    """Draw one program onto `tape` and return its output's line, or -1 where it did not fit the tape."""
    tape.used[:] = 0
    dropped = np.zeros(MAX_LINES, np.bool_)
    for _ in range(_between(rng, knobs.initiators[0], knobs.initiators[1])):
        _initiate(tape, rng, knobs)
    if _chance(rng, knobs.list_gate):
        _reverse_some(tape, rng, knobs)
        _cut_and_repeat_some(tape, rng, knobs)
        _substitute_some(tape, rng, knobs, dropped)
    if _chance(rng, knobs.math_gate):
        _calculate_some(tape, rng, knobs)
    _scan_some(tape, rng, knobs)
    if _chance(rng, knobs.filter_gate):
        _filter_last(tape, rng, knobs)
    if _chance(rng, knobs.pair_gate):
        _combine_some(tape, rng, knobs)
    order = _merge_order(tape, rng, knobs, dropped)
    _merge(tape, rng, knobs, order)
    if tape.used[2]:
        return -1
    return int(order[0] if len(order) == 1 else tape.used[0] - 1)


@njit(cache=True)
def flatten(tape: Tape, output: int, flat: NDArray[np.int32]) -> int:
    """Write the program on `tape` in the flat form of `ktray.dsl.encoded`; return its length."""
    n = 0
    for line in range(tape.used[0]):
        op = tape.op[line]
        flat[n] = op
        n += 1
        if op == _SET:
            x = _list(tape, line)
            flat[n] = len(x)
            flat[n + 1 : n + 1 + len(x)] = x
            n += 1 + len(x)
        else:
            for i in range(_ARITY[op]):
                flat[n] = tape.args[line, i]
                n += 1
    flat[n], flat[n + 1] = END, output
    return n + 2


_ARITY = np.array([len(op.params) for op in BY_NAME.values()], np.int64)
