"""From a plan to a program: a tree of shared lists, then lines in the order that makes references cheap.

`Node`s are hash-consed, so that equal lists made the same way are one line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ktray.dsl.program import DslProgram, Ref
from ktray.proposers.search.graph import Graph, emit
from ktray.proposers.search.parse import PROGRESSION
from ktray.proposers.search.relations import (
    OP,
    R_ADD,
    R_ADD_LISTS,
    R_EXTEND,
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
    S0,
    S1,
    SAME,
    T0,
    T1,
    U0,
    U1,
    A,
    B,
)
from ktray.proposers.search.solve import Plan

PREDICATES = ("is_even", "is_odd", "is_not_zero")


def progression(graph: Graph, first: int, step: int, length: int) -> int:
    """Return the node of first, first + step, ..., `length` elements."""
    if step == 0:
        return graph.add("repeat_num", length, first)
    if step < 0:
        return graph.add("reverse_list", Ref(progression(graph, first + step * (length - 1), -step, length)))
    last = first + step * (length - 1)
    if step == 1:
        return graph.add("range_func_up", first, last)
    return graph.add("range_func_interval", first, last + 1, step)


class Assembler:
    """Builds the graph of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.graph = Graph()
        self.target = {int(row[T0]): row for row in plan.relations}
        self.parts: dict[tuple[int, int], int] = {}

    def root(self) -> int:
        """Return the node of the whole sequence."""
        first, depth = self.plan.first, len(self.plan.peels)
        node = self.part(int(first[depth]), int(first[depth + 1]))
        for d in range(depth - 1, -1, -1):
            other = self.part(int(first[d]), int(first[d + 1]))
            node = self.graph.add("interleave", Ref(node), Ref(other))
        return node

    def part(self, begin: int, end: int) -> int:
        """Return the node of text[begin:end], whose ends are ends of pieces."""
        found = self.parts.get((begin, end))
        if found is None:
            found = self.parts[(begin, end)] = self._part(begin, end)
        return found

    def _part(self, begin: int, end: int) -> int:
        children: list[int] = []
        at = end
        while at > begin:
            start = int(self.plan.start[at])
            row = self.target.get(start)
            if row is not None and int(row[T1]) == at:
                if int(row[OP]) == R_EXTEND and int(row[S0]) >= begin:
                    start = int(row[S0])
                    source = self.part(start, int(row[S1]))
                    children.append(self.graph.add("repeat_list", int(row[A]), Ref(source)))
                else:
                    children.append(self.related(row))
            else:
                children.append(self.piece(start, at))
            at = start
        return self.graph.join(children[::-1])

    def piece(self, start: int, end: int) -> int:
        """Return the node of a literal or a progression."""
        text = self.plan.text
        if self.plan.kind[end] == PROGRESSION:
            return progression(self.graph, int(text[start]), int(text[start + 1] - text[start]), end - start)
        return self.graph.add("set_list", tuple(text[start:end].tolist()))

    def related(self, row: NDArray[np.int64]) -> int:
        """Return the node of a relation's target."""
        op, a, b = int(row[OP]), int(row[A]), int(row[B])
        source = Ref(self.part(int(row[S0]), int(row[S1])))
        add = self.graph.add
        if op == SAME:
            return source.line
        if op == R_REVERSE:
            return add("reverse_list", source)
        if op == R_ADD:
            return add("add_item_list", source, a) if a > 0 else add("subtract_item_list", source, -a)
        if op == R_MODULO:
            return add("modulo_item_list", source, a)
        if op == R_SUBSTITUTE:
            return add("substitute", source, a, b)
        if op == R_JUMPS:
            return add("get_subsequence_with_jumps", source, a)
        if op == R_SCAN:
            return add("scan_add", source)
        if op == R_FILTER:
            return add("filter", PREDICATES[a], source)
        if op in (R_MAX, R_MIN):
            return add("max_n" if op == R_MAX else "min_n", source, a)
        if op == R_REPEAT:
            return add("repeat_list", a, source)
        if op == R_EXTEND:
            return source.line if a == 2 else add("repeat_list", a - 1, source)
        names = {
            R_ADD_LISTS: "add_two_lists",
            R_SUBTRACT_LISTS: "subtract_two_lists",
            R_MODULO_LISTS: "modulo_two_lists",
        }
        return add(names[op], source, Ref(self.part(int(row[U0]), int(row[U1]))))


def assemble(plan: Plan) -> DslProgram:
    """Return the program of a plan."""
    assembler = Assembler(plan)
    return emit(assembler.graph, assembler.root())
