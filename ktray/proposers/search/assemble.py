"""From a plan to a program: a tree of shared lists, then lines in the order that makes references cheap.

`Node`s are hash-consed, so that equal lists made the same way are one line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ktray.dsl.program import DslProgram, Ref
from ktray.proposers.search.bank import call_of
from ktray.proposers.search.graph import Graph, emit, emit_fold
from ktray.proposers.search.parse import PROGRESSION
from ktray.proposers.search.relations.kinds import (
    OP,
    R_ADD,
    R_EXTEND,
    R_FILTER,
    R_MODULO,
    R_REPEAT,
    R_REVERSE,
    R_SUBSTITUTE,
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

#: When the published sampler comes to an operation; see `ktray.priors.canonical`.
_STAGES = dict.fromkeys(("range_func_up", "range_func_interval", "repeat_num", "set_list"), 0)
_STAGES |= dict.fromkeys(("repeat_list", "reverse_list", "get_subsequence_with_jumps"), 1)
_STAGES |= dict.fromkeys(("max_n", "min_n", "add_item_list", "subtract_item_list", "modulo_item_list"), 3)
_STAGES |= dict.fromkeys(("filter", "scan_add"), 4)
_STAGES |= dict.fromkeys(("add_two_lists", "subtract_two_lists", "modulo_two_lists"), 5)
_STAGES |= dict.fromkeys(("join", "interleave"), 6)

KEEPS = (lambda x: x % 2 == 0, lambda x: x % 2 == 1, lambda x: x != 0)


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

    def fold(self) -> int:
        """Return the node of the whole sequence, made piece after piece: each is joined to all before it, by
        `concatenate` or `interleave`, as early as can be."""
        first, depth = self.plan.first.tolist(), len(self.plan.peels)
        steps = [(False, *piece) for piece in self.pieces(first[depth], first[depth + 1])]
        for d in range(depth - 1, -1, -1):
            m, side = self.plan.peels[d]
            pieces = self.pieces(first[d], first[d + 1])
            if side == 1:
                item = self.graph.join([node for node, _ in pieces])
                steps.insert(self._place(steps, m, item), (True, item, m))
            else:
                steps.extend(self._woven(pieces, m))
        return self._folded(steps)

    def _woven(self, pieces: list[tuple[int, int]], m: int) -> list[tuple[bool, int, int]]:
        """Return the steps of pieces of which the first, of m elements or more, are woven into all before."""
        taken = size = 0
        while size < m:
            size += pieces[taken][1]
            taken += 1
        item = self.graph.join([node for node, _ in pieces[:taken]])
        return [(True, item, size), *((False, *piece) for piece in pieces[taken:])]

    def _place(self, steps: list[tuple[bool, int, int]], m: int, item: int) -> int:
        """Return where in `steps` a list of m elements may be woven in: where enough stands before, nothing is
        woven in later, and operations come in their usual order."""
        size = at = 0
        last = max((k for k, step in enumerate(steps) if step[0]), default=0)
        while at <= last or size < m:
            size += steps[at][2]
            at += 1
        used = {node for _, node, _ in steps[:at]}
        again = item in used
        while at < len(steps):
            node = steps[at][1]
            if node in used or (not again and self._rank(node) >= self._rank(item)):
                break
            used.add(node)
            at += 1
        return at

    def _rank(self, node: int) -> int:
        return _STAGES.get(self.graph.calls[node].op, 2)

    def _folded(self, steps: list[tuple[bool, int, int]]) -> int:
        chain = [steps[0][1]]
        for woven, node, _ in steps[1:]:
            if woven:
                chain = [self.graph.add("interleave", Ref(self.graph.join(chain)), Ref(node))]
            else:
                chain.append(node)
        return self.graph.join(chain)

    def pieces(self, begin: int, end: int) -> list[tuple[int, int]]:
        """Return the nodes and lengths of the pieces of text[begin:end]."""
        out: list[tuple[int, int]] = []
        at = end
        while at > begin:
            start = int(self.plan.start[at])
            row = self.target.get(start)
            if row is None or int(row[T1]) != at:
                out.append((self.piece(start, at), at - start))
            else:
                out.extend(reversed(self._derived(row, begin)))
                if int(row[OP]) == R_EXTEND and int(row[S0]) >= begin and int(row[A]) <= 4:
                    start = int(row[S0])
            at = start
        return out[::-1]

    def _derived(self, row: NDArray[np.int64], begin: int) -> list[tuple[int, int]]:
        """Return the nodes and lengths of a relation's target, piece by piece where that is as good."""
        op, size = int(row[OP]), int(row[T1] - row[T0])
        if op == R_EXTEND and int(row[S0]) >= begin and int(row[A]) <= 4:
            source = self.part(int(row[S0]), int(row[S1]))
            return [(self.graph.add("repeat_list", int(row[A]), Ref(source)), int(row[T1] - row[S0]))]
        if op not in (SAME, R_REVERSE, R_ADD, R_MODULO, R_SUBSTITUTE, R_FILTER):
            return [(self.related(row), size)]
        out = []
        for node, length in self.pieces(int(row[S0]), int(row[S1])):
            out.append((self.applied(row, node), length))
        if op == R_FILTER:
            out = self._sifted(row)
        return out[::-1] if op == R_REVERSE else out

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
            node, at = self._last(begin, at)
            children.append(node)
        return self.graph.join(children[::-1])

    def _last(self, begin: int, end: int) -> tuple[int, int]:
        """Return the node of the last piece of text[begin:end], and where it starts."""
        start = int(self.plan.start[end])
        row = self.target.get(start)
        if row is None or int(row[T1]) != end:
            return self.piece(start, end), start
        if int(row[OP]) != R_EXTEND or int(row[S0]) < begin:
            return self.related(row), start
        start = int(row[S0])
        return self.graph.add("repeat_list", int(row[A]), Ref(self.part(start, int(row[S1])))), start

    def piece(self, start: int, end: int) -> int:
        """Return the node of a literal or a progression."""
        text = self.plan.text
        if self.plan.kind[end] == PROGRESSION:
            return progression(self.graph, int(text[start]), int(text[start + 1] - text[start]), end - start)
        return self.graph.add("set_list", tuple(text[start:end].tolist()))

    def related(self, row: NDArray[np.int64]) -> int:
        """Return the node of a relation's target."""
        return self.applied(row, self.part(int(row[S0]), int(row[S1])))

    def _sifted(self, row: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Return the pieces of a filter's target; a source of which nothing stays has none."""
        text, at, out = self.plan.text, int(row[S0]), []
        for node, length in self.pieces(int(row[S0]), int(row[S1])):
            held = sum(KEEPS[int(row[A])](int(x)) for x in text[at : at + length])
            at += length
            if held == length:
                out.append((node, held))
            elif held:
                out.append((self.applied(row, node), held))
        return out

    def applied(self, row: NDArray[np.int64], node: int) -> int:
        """Return the node of a relation's operation on a list."""
        op, a, b = int(row[OP]), int(row[A]), int(row[B])
        if op == R_EXTEND:  # the first period stands there already
            op, a = (SAME, 0) if a == 2 else (R_REPEAT, a - 1)
        if op == SAME:
            return node
        second = self.part(int(row[U0]), int(row[U1])) if row[U0] >= 0 else -1
        call = call_of(op, node, a, b, second)
        return self.graph.add(call.op, *call.args)


def assemble(plan: Plan) -> DslProgram:
    """Return the program of a plan."""
    assembler = Assembler(plan)
    return emit(assembler.graph, assembler.root())


def assemble_fold(plan: Plan) -> DslProgram:
    """Return the program of a plan in which each list is joined to all those before it."""
    assembler = Assembler(plan)
    return emit_fold(assembler.graph, assembler.fold())
