"""The numbers of a line, from the list that it should make and the lists that it starts from.

Each function of HOLES gives a line's arguments; where no arguments make the target, those of a near guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ktray.dsl.program import Argument, Ref

List = list[int]
Args = tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Initiated:
    """An initiator's arguments and the list that it makes."""

    args: Args
    values: List


def initiator_for(op: str, target: List) -> Initiated:
    """Return the initiator `op` nearest to `target`: a range that most elements agree with."""
    if op not in ("range_func_up", "range_func_interval"):
        return Initiated(HOLES[op](target, [], [], ""), target)
    differences = Counter(b - a for a, b in pairwise(target))
    common = differences.most_common(1)[0][0] if differences else 1
    step = max(2, common) if op == "range_func_interval" else 1
    start = Counter(value - i * step for i, value in enumerate(target)).most_common(1)[0][0]
    last = start + (len(target) - 1) * step
    args: Args = (start, last) if op == "range_func_up" else (start, last + 1, step)
    return Initiated(args, list(range(start, last + 1, step)))


def _range_up(target: List) -> Args:
    return target[0], target[-1]


def _range_interval(target: List) -> Args:
    step = max(1, target[1] - target[0]) if len(target) > 1 else 2
    return target[0], target[-1] + 1, step


def _repeats(target: List, a: List, line: int) -> Args:
    return max(1, len(target) // len(a)), Ref(line)


def _substitute(target: List, a: List, line: int) -> Args:
    for old, new in zip(a, target, strict=False):
        if old != new:
            return Ref(line), old, new
    return Ref(line), a[0], a[0]


def _jumps(target: List, a: List, line: int) -> Args:
    fitting = (jump for jump in range(2, len(a) + 1) if a[::jump] == target)
    return Ref(line), next(fitting, 2)


def _between(target: List, a: List, line: int) -> Args:
    n = len(target)
    start = next((i for i in range(len(a) - n + 1) if a[i : i + n] == target), 0)
    return Ref(line), start, start + n


def _count(target: List, a: List, line: int) -> Args:
    return Ref(line), len(target)


def _add(target: List, a: List, line: int) -> Args:
    return Ref(line), target[0] - a[0]


def _subtract(target: List, a: List, line: int) -> Args:
    return Ref(line), a[0] - target[0]


def _modulo(target: List, a: List, line: int) -> Args:
    """A modulus divides every difference and exceeds every remainder."""
    least = max(target) + 1
    if len(a) == len(target):
        for modulus in range(max(2, least), max(a) + 2):
            if all(x % modulus == y for x, y in zip(a, target, strict=True)):
                return Ref(line), modulus
    return Ref(line), max(2, least)


#: target, lists of the operands, their lines, a predicate -> arguments in the order of the text.
HOLES: dict[str, Callable[[List, Sequence[List], Sequence[int], str], Args]] = {
    "range_func_up": lambda t, _a, _l, _p: _range_up(t),
    "range_func_interval": lambda t, _a, _l, _p: _range_interval(t),
    "repeat_num": lambda t, _a, _l, _p: (len(t), t[0]),
    "set_list": lambda t, _a, _l, _p: (tuple(t),),
    "repeat_list": lambda t, a, l, _p: _repeats(t, a[0], l[0]),
    "reverse_list": lambda _t, _a, l, _p: (Ref(l[0]),),
    "substitute": lambda t, a, l, _p: _substitute(t, a[0], l[0]),
    "get_subsequence_with_jumps": lambda t, a, l, _p: _jumps(t, a[0], l[0]),
    "get_subsequence_between_indices": lambda t, a, l, _p: _between(t, a[0], l[0]),
    "max_n": lambda t, a, l, _p: _count(t, a[0], l[0]),
    "min_n": lambda t, a, l, _p: _count(t, a[0], l[0]),
    "add_item_list": lambda t, a, l, _p: _add(t, a[0], l[0]),
    "subtract_item_list": lambda t, a, l, _p: _subtract(t, a[0], l[0]),
    "modulo_item_list": lambda t, a, l, _p: _modulo(t, a[0], l[0]),
    "filter": lambda _t, _a, l, p: (p, Ref(l[0])),
    "scan_add": lambda _t, _a, l, _p: (Ref(l[0]),),
    "add_two_lists": lambda _t, _a, l, _p: (Ref(l[0]), Ref(l[1])),
    "subtract_two_lists": lambda _t, _a, l, _p: (Ref(l[0]), Ref(l[1])),
    "modulo_two_lists": lambda _t, _a, l, _p: (Ref(l[0]), Ref(l[1])),
}
