"""The lists that a program at work could use, each once, with its number; and the ways to make one from others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ktray.dsl.program import Call, Ref
from ktray.proposers.search.arrays import Ints
from ktray.proposers.search.oneop import WAY, all_ways
from ktray.proposers.search.relations.kinds import (
    R_ADD,
    R_ADD_LISTS,
    R_BETWEEN,
    R_FILTER,
    R_JUMPS,
    R_MAX,
    R_MIN,
    R_MODULO,
    R_MODULO_LISTS,
    R_REPEAT,
    R_REVERSE,
    R_SCAN,
    R_SUBSTITUTE,
    R_SUBTRACT_LISTS,
)

PREDICATES = ("is_even", "is_odd", "is_not_zero")

#: Most ways to make one list that are looked at.
_MOST = 96

_PAIRS = {
    R_ADD_LISTS: "add_two_lists",
    R_SUBTRACT_LISTS: "subtract_two_lists",
    R_MODULO_LISTS: "modulo_two_lists",
}
_PLAIN = {R_REVERSE: "reverse_list", R_SCAN: "scan_add"}
_WITH_ONE = {
    R_MODULO: "modulo_item_list",
    R_JUMPS: "get_subsequence_with_jumps",
    R_MAX: "max_n",
    R_MIN: "min_n",
}
_WITH_TWO = {R_SUBSTITUTE: "substitute", R_BETWEEN: "get_subsequence_between_indices"}


def call_of(op: int, source: int, a: int, b: int, second: int = -1) -> Call:
    """Return the call of an operation (of `relations.kinds`) on list `source`, its parameters a and b."""
    if op in _PLAIN:
        return Call(_PLAIN[op], (Ref(source),))
    if op in _WITH_ONE:
        return Call(_WITH_ONE[op], (Ref(source), a))
    if op in _WITH_TWO:
        return Call(_WITH_TWO[op], (Ref(source), a, b))
    if op == R_ADD:
        name = "add_item_list" if a > 0 else "subtract_item_list"
        return Call(name, (Ref(source), abs(a)))
    if op == R_FILTER:
        return Call("filter", (PREDICATES[a], Ref(source)))
    if op == R_REPEAT:
        return Call("repeat_list", (a, Ref(source)))
    return Call(_PAIRS[op], (Ref(source), Ref(second)))


class Bank:
    """Lists of integers by number, equal ones once."""

    def __init__(self) -> None:
        self._cells: Ints = np.zeros(4096, np.int64)
        self._begin: Ints = np.zeros(256, np.int64)
        self._number: dict[bytes, int] = {}
        self._ways: Ints = np.zeros((_MOST, WAY), np.int64)

    def __len__(self) -> int:
        return len(self._number)

    def values(self, number: int) -> Ints:
        """Return the elements of a list."""
        return self._cells[self._begin[number] : self._begin[number + 1]]

    def add(self, values: Ints) -> int:
        """Return the number of the list with these elements, a new one unless it is there."""
        key = values.tobytes()
        number = self._number.get(key)
        if number is None:
            number = self._number[key] = len(self._number)
            self._append(number, values)
        return number

    def find(self, values: Ints) -> int | None:
        """Return the number of the list with these elements, or None."""
        return self._number.get(values.tobytes())

    def _append(self, number: int, values: Ints) -> None:
        at = int(self._begin[number])
        end = at + len(values)
        if end > len(self._cells):
            self._cells = np.concatenate([self._cells, np.zeros(max(end, len(self._cells)), np.int64)])
        if number + 2 > len(self._begin):
            self._begin = np.concatenate([self._begin, np.zeros_like(self._begin)])
        self._cells[at:end] = values
        self._begin[number + 1] = end

    def ways(self, number: int, live: Sequence[int]) -> list[Call]:
        """Return the calls that make a list from one or two of the `live` ones, itself not among them."""
        t = int(self._begin[number])
        size = int(self._begin[number + 1]) - t
        if size == 0:
            return []
        count = all_ways(self._cells, self._begin, np.array(live, np.int64), t, size, self._ways)
        return [call_of(op, source, a, b, other) for op, source, a, b, other in self._ways[:count].tolist()]
