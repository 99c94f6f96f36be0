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
from operator import add, sub

from ktray.dsl.program import Argument

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
    Operation("set_list", 3, (Param.LIST,), list, "the literal list", size=len),
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
)


def by_name(operations: Iterable[Operation]) -> dict[str, Operation]:
    """Return the operations keyed by name, after checking that codes are positions and names are unique."""
    table = {op.name: op for op in operations}
    if [op.code for op in table.values()] != list(range(len(OPERATIONS))):
        raise ValueError("every operation needs its own name, and its position in the table as its code")
    return table


BY_NAME: dict[str, Operation] = by_name(OPERATIONS)
