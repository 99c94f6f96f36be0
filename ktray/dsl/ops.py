"""The one table of operations. Parser, printer, interpreter, priors, sampler and grammar all read it.

To add an operation, add one row at the end of its dialect: codes are positions and never change, since
archives hold them. Source: DSL and uniform prior (Alg. 1) of the KoLMogorov Test (Yoran et al. 2025, App. C).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate
from operator import add, mul, sub, xor

from ktray.dsl.program import Argument
from ktray.errors import ConfigError

#: Every integer in a program, and every intermediate value, stays below this magnitude, so int64 holds it.
INTEGER_BOUND = 1 << 62

#: Published count of functions and predicates; with the output line, a line's symbol costs log2(25) bits.
PUBLISHED_FUNCTIONS = 24
LINE_BITS = math.log2(PUBLISHED_FUNCTIONS + 1)


class Dialect(Enum):
    """The published language, and our later additions (off by default)."""

    DSL = "dsl"
    DSL2 = "dsl2"


class Param(Enum):
    """What kind of thing an argument is; models and samplers choose by kind."""

    REF = "ref"  # an earlier list
    LIST = "list"  # a literal list of values
    PREDICATE = "predicate"  # a predicate's name
    VALUE = "value"  # an element that appears in a list: 0..255
    END = "end"  # where a range ends: near its start
    STEP = "step"  # a range's step
    JUMP = "jump"  # the stride of a sub-sequence
    TIMES = "times"  # how often a number is repeated
    REPEATS = "repeats"  # how often a list is repeated
    INDEX = "index"  # a position in a list
    COUNT = "count"  # a number of elements to keep
    CONSTANT = "constant"  # an operand of arithmetic
    MODULUS = "modulus"  # what a recurrence counts up to (second dialect)
    LENGTH = "length"  # how long a list is made (second dialect)


#: Parameter kinds whose arguments are integers in the text.
INTEGER_PARAMS = frozenset(set(Param) - {Param.REF, Param.LIST, Param.PREDICATE})

List = list[int]


@dataclass(frozen=True, slots=True)
class Predicate:
    """A test of one element, usable in `filter`."""

    name: str
    code: int
    test: Callable[[int], bool]
    doc: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One function of the language.

    `apply` takes the arguments in the order of `params` (lists for REF and LIST) and returns a new list; it
    may raise ZeroDivisionError or ValueError. `size` foretells the length of a result that can be longer than
    every argument, `grows` marks results that can leave their arguments' range of values.
    `value_bits` is the published price of the integer arguments together.
    """

    name: str
    code: int
    params: tuple[Param, ...]
    apply: Callable[..., List]
    doc: str
    value_bits: float = 0.0
    size: Callable[..., int] | None = None
    grows: bool = False
    dialect: Dialect = Dialect.DSL

    def published_bits(self, args: Sequence[Argument], i: int) -> float:
        """Return the paper's uniform price (bits) of this call on line `i`, counted from 0 (Alg. 1).

        A line costs log2(25), a reference log2(i + 1), an element of a literal list 8.
        """
        bits = LINE_BITS + self.params.count(Param.REF) * math.log2(i + 1) + self.value_bits
        if Param.LIST in self.params:
            bits += 8.0 * sum(len(arg) for arg in args if isinstance(arg, tuple))
        return bits


def _is_even(x: int) -> bool:
    return x % 2 == 0


def _is_odd(x: int) -> bool:
    return x % 2 != 0


def _is_not_zero(x: int) -> bool:
    return x != 0


PREDICATES: tuple[Predicate, ...] = (
    Predicate("is_even", 0, _is_even, "even elements"),
    Predicate("is_odd", 1, _is_odd, "odd elements"),
    Predicate("is_not_zero", 2, _is_not_zero, "elements other than 0"),
)
PREDICATE_BY_NAME: dict[str, Predicate] = {p.name: p for p in PREDICATES}


def _range_up(start: int, end: int) -> List:
    return list(range(start, end + 1))


def _range_interval(start: int, end: int, step: int) -> List:
    return list(range(start, end, step))


def _range_interval_size(start: int, end: int, step: int) -> int:
    """Return len(range(...)) without the limits of len()."""
    if step == 0:
        raise ValueError("the step of range_func_interval is 0")
    return max(0, (end - start + step - (1 if step > 0 else -1)) // step)


def _repeat_num(times: int, value: int) -> List:
    return [value] * times


def _literal(elements: List) -> List:
    return list(elements)


def _repeat_list(times: int, seq: List) -> List:
    return seq * times


def _reverse(seq: List) -> List:
    return seq[::-1]


def _substitute(seq: List, old: int, new: int) -> List:
    return [new if x == old else x for x in seq]


def _jumps(seq: List, jump: int) -> List:
    return seq[::jump]


def _between(seq: List, start: int, end: int) -> List:
    return seq[start:end]


def _max_n(seq: List, n: int) -> List:
    return sorted(seq, reverse=True)[: max(n, 0)]


def _min_n(seq: List, n: int) -> List:
    return sorted(seq)[: max(n, 0)]


def _add_item(seq: List, c: int) -> List:
    return [x + c for x in seq]


def _subtract_item(seq: List, c: int) -> List:
    return [x - c for x in seq]


def _modulo_item(seq: List, c: int) -> List:
    return [x % c for x in seq]


def _filter(predicate: str, seq: List) -> List:
    return list(filter(PREDICATE_BY_NAME[predicate].test, seq))


def _scan_add(seq: List) -> List:
    return list(accumulate(seq))


def _add_lists(a: List, b: List) -> List:
    return list(map(add, a, b))


def _subtract_lists(a: List, b: List) -> List:
    return list(map(sub, a, b))


def _modulo_lists(a: List, b: List) -> List:
    return [x % y for x, y in zip(a, b, strict=False) if y]


def _concatenate(a: List, b: List) -> List:
    return a + b


def _interleave(a: List, b: List) -> List:
    n = min(len(a), len(b))
    both = [0] * (2 * n)
    both[::2] = a[:n]
    both[1::2] = b[:n]
    return both + a[n:] + b[n:]


def _size_of_both(a: List, b: List) -> int:
    return len(a) + len(b)


def _recurrence(start: List, factors: List, add: int, modulus: int, length: int) -> List:
    if len(factors) > len(start):
        raise ValueError("a recurrence needs as many first elements as factors")
    made = list(start[: max(length, 0)])
    while len(made) < length:
        made.append((sum(map(mul, factors, reversed(made))) + add) % modulus)
    return made


def _fill(seq: List, length: int) -> List:
    return (seq * (length // len(seq) + 1))[: max(length, 0)]


def _automaton(rule: int, seq: List, rows: int) -> List:
    row, made = [x & 1 for x in seq], list[int]()
    for _ in range(rows):
        made += row
        around = [0, *row, 0]
        row = [rule >> (4 * a + 2 * b + c) & 1 for a, b, c in zip(around, row, around[2:], strict=False)]
    return made


def _grow(even: List, odd: List, length: int) -> List:
    made, at = list(even), 1
    while at < len(made) < length:
        made += odd if made[at] & 1 else even
        at += 1
    return made[: max(length, 0)]


def _digit_sum(seq: List, base: int) -> List:
    if base < 2 or (seq and min(seq) < 0):
        raise ValueError("digits need a base of 2 or more, and no negative elements")
    sums = []
    for x in seq:
        total = 0
        while x:
            x, digit = divmod(x, base)
            total += digit
        sums.append(total)
    return sums


def _xor_lists(a: List, b: List) -> List:
    return list(map(xor, a, b))


def _divide_item(seq: List, c: int) -> List:
    return [x // c for x in seq]


def _look_up(seq: List, table: List) -> List:
    return [table[x % len(table)] for x in seq]


def _repeat_each(seq: List, counts: List) -> List:
    return [x for x, count in zip(seq, counts, strict=False) for _ in range(count)]


_V, _R = Param.VALUE, Param.REF

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "range_func_up",
        0,
        (_V, Param.END),
        _range_up,
        "start, start + 1, ... up to end, end included",
        16.0,
        size=lambda start, end: max(0, end - start + 1),
    ),
    Operation(
        "range_func_interval",
        1,
        (_V, Param.END, Param.STEP),
        _range_interval,
        "Python's range(start, end, step), end excluded",
        19.0,
        size=_range_interval_size,
    ),
    Operation(
        "repeat_num",
        2,
        (Param.TIMES, _V),
        _repeat_num,
        "value, times over",
        8.0 + math.log2(20),
        size=lambda times, value: times,
    ),
    Operation("set_list", 3, (Param.LIST,), _literal, "its elements", size=len),
    Operation(
        "repeat_list",
        4,
        (Param.REPEATS, _R),
        _repeat_list,
        "the list, times over",
        3.0,
        size=lambda times, seq: times * len(seq),
    ),
    Operation("reverse_list", 5, (_R,), _reverse, "the list backwards"),
    Operation("substitute", 6, (_R, _V, _V), _substitute, "the list with old replaced by new", 16.0),
    Operation("get_subsequence_with_jumps", 7, (_R, Param.JUMP), _jumps, "seq[::jump]", 3.0),
    Operation(
        "get_subsequence_between_indices",
        8,
        (_R, Param.INDEX, Param.INDEX),
        _between,
        "seq[start:end], end excluded",
        16.0,
    ),
    Operation("max_n", 9, (_R, Param.COUNT), _max_n, "the n largest elements, falling", 8.0),
    Operation("min_n", 10, (_R, Param.COUNT), _min_n, "the n smallest elements, rising", 8.0),
    Operation(
        "add_item_list", 11, (_R, Param.CONSTANT), _add_item, "each element plus a constant", 8.0, grows=True
    ),
    Operation(
        "subtract_item_list",
        12,
        (_R, Param.CONSTANT),
        _subtract_item,
        "each element minus a constant",
        8.0,
        grows=True,
    ),
    Operation(
        "modulo_item_list", 13, (_R, Param.CONSTANT), _modulo_item, "each element modulo a constant", 8.0
    ),
    Operation("filter", 14, (Param.PREDICATE, _R), _filter, "the elements that pass the predicate"),
    Operation("scan_add", 15, (_R,), _scan_add, "running sums", grows=True),
    Operation("add_two_lists", 16, (_R, _R), _add_lists, "sums of pairs, up to the shorter list", grows=True),
    Operation(
        "subtract_two_lists",
        17,
        (_R, _R),
        _subtract_lists,
        "differences of pairs, up to the shorter list",
        grows=True,
    ),
    Operation(
        "modulo_two_lists", 18, (_R, _R), _modulo_lists, "remainders of pairs; divisors of 0 are dropped"
    ),
    Operation(
        "concatenate", 19, (_R, _R), _concatenate, "the first list, then the second", size=_size_of_both
    ),
    Operation(
        "interleave",
        20,
        (_R, _R),
        _interleave,
        "elements in turn, then the longer list's tail",
        size=_size_of_both,
    ),
    Operation(
        "recurrence",
        21,
        (Param.LIST, Param.LIST, Param.CONSTANT, Param.MODULUS, Param.LENGTH),
        _recurrence,
        "first elements, then x = (factors times the newest elements, newest first, plus a constant) % modulus",
        26.0,
        size=lambda start, factors, add, modulus, length: max(0, length) * max(1, len(factors)),
        dialect=Dialect.DSL2,
    ),
    Operation(
        "fill",
        22,
        (_R, Param.LENGTH),
        _fill,
        "the list again and again, up to a length",
        10.0,
        size=lambda seq, length: length,
        dialect=Dialect.DSL2,
    ),
    Operation(
        "cellular_automaton",
        23,
        (Param.CONSTANT, _R, Param.LENGTH),
        _automaton,
        "rows of an elementary cellular automaton one after another, the list's parities first, zeros around",
        18.0,
        size=lambda rule, seq, rows: rows * (len(seq) + 1),
        dialect=Dialect.DSL2,
    ),
    Operation(
        "grow",
        24,
        (_R, _R, Param.LENGTH),
        _grow,
        "the first list, then for its second, third, ... element the first list again where even, else the other",
        10.0,
        size=lambda even, odd, length: length + len(odd),
        dialect=Dialect.DSL2,
    ),
    Operation(
        "digit_sum",
        25,
        (_R, Param.CONSTANT),
        _digit_sum,
        "each element's sum of digits in a base",
        8.0,
        dialect=Dialect.DSL2,
    ),
    Operation(
        "xor_two_lists",
        26,
        (_R, _R),
        _xor_lists,
        "exclusive or of pairs, up to the shorter list",
        dialect=Dialect.DSL2,
    ),
    Operation(
        "divide_item_list",
        27,
        (_R, Param.CONSTANT),
        _divide_item,
        "each element divided by a constant, rounded down",
        8.0,
        dialect=Dialect.DSL2,
    ),
    Operation(
        "look_up",
        28,
        (_R, _R),
        _look_up,
        "the second list's element at each place that the first names, around its end",
        dialect=Dialect.DSL2,
    ),
    Operation(
        "repeat_each",
        29,
        (_R, _R),
        _repeat_each,
        "each element as often as the second list says",
        size=lambda seq, counts: sum(count for count in counts if count > 0) + len(seq),
        dialect=Dialect.DSL2,
    ),
)


def by_name(operations: Iterable[Operation]) -> dict[str, Operation]:
    """Return the operations keyed by name, after checking that codes are positions and names are unique."""
    table = {op.name: op for op in operations}
    if [op.code for op in table.values()] != list(range(len(OPERATIONS))):
        raise ValueError("every operation needs its own name, and its position in the table as its code")
    return table


BY_NAME: dict[str, Operation] = by_name(OPERATIONS)


def find_dialect(name: str) -> Dialect:
    """Return the dialect called `name`. Raises ConfigError where there is none."""
    if name not in {dialect.value for dialect in Dialect}:
        raise ConfigError(f"unknown dialect {name!r}; known: {', '.join(d.value for d in Dialect)}")
    return Dialect(name)


def dialect_of(names: Iterable[str]) -> Dialect:
    """Return the smallest dialect that has all these operations."""
    return Dialect.DSL2 if any(BY_NAME[name].dialect is Dialect.DSL2 for name in names) else Dialect.DSL
