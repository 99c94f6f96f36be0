"""A program as a graph of shared lists, and its lines in an order that makes references cheap.

Nodes are hash-consed: equal calls are one node. Concatenations are kept as chains, whose grouping is free
until lines are written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ktray.dsl.program import Argument, Call, DslProgram, Ref

#: The operation of a chain of concatenations; its arguments are two or more nodes.
JOIN = "join"


@dataclass(slots=True)
class Graph:
    """Lists to make, each once: `calls[i]` makes node i from nodes Ref(j), in no particular order."""

    calls: list[Call] = field(default_factory=list)
    index: dict[Call, int] = field(default_factory=dict)

    def add(self, op: str, *args: Argument) -> int:
        """Return the node of this call, a new one unless it is there."""
        call = Call(op, args)
        found = self.index.get(call)
        if found is None:
            found = self.index[call] = len(self.calls)
            self.calls.append(call)
        return found

    def join(self, children: Sequence[int]) -> int:
        """Return the node of the children one after another, chains among them dissolved."""
        flat: list[int] = []
        for child in children:
            call = self.calls[child]
            flat.extend(refs(call) if call.op == JOIN else (child,))
        return flat[0] if len(flat) == 1 else self.add(JOIN, *map(Ref, flat))


def refs(call: Call) -> list[int]:
    """Return the nodes (or lines) that a call refers to, in order."""
    return [arg.line for arg in call.args if type(arg) is Ref]


def reachable(graph: Graph, root: int) -> list[int]:
    """Return the nodes needed for `root`, in ascending order."""
    needed = {root}
    stack = [root]
    while stack:
        for child in refs(graph.calls[stack.pop()]):
            if child not in needed:
                needed.add(child)
                stack.append(child)
    return sorted(needed)


def chains(graph: Graph, nodes: Sequence[int]) -> dict[int, list[int]]:
    """Return the chains among `nodes`, with shared pieces of several elements made nodes of their own."""
    found = {node: refs(graph.calls[node]) for node in nodes if graph.calls[node].op == JOIN}
    for node in sorted(found, key=lambda n: len(found[n])):
        for other in found:
            if other != node:
                found[other] = _replaced(found[other], found[node], node)
    return _shared_pairs(graph, found)


def _replaced(chain: list[int], part: list[int], by: int) -> list[int]:
    """Return `chain` with each run equal to `part` replaced by one node."""
    out: list[int] = []
    at = 0
    while at < len(chain):
        if chain[at : at + len(part)] == part:
            out.append(by)
            at += len(part)
        else:
            out.append(chain[at])
            at += 1
    return out


def _shared_pairs(graph: Graph, found: dict[int, list[int]]) -> dict[int, list[int]]:
    """Make neighbours that stand together more than once a chain of their own: a line less each time."""
    while True:
        counts = Counter[tuple[int, int]]()
        for chain in found.values():
            last: tuple[int, int, int] | None = None
            for at, pair in enumerate(pairwise(chain)):
                if last is None or last != (*pair, at - 1):
                    counts[pair] += 1
                    last = (*pair, at)
        pair, count = max(counts.items(), key=lambda item: (item[1], item[0]), default=((0, 0), 0))
        if count < 2:
            return found
        node = len(graph.calls)
        graph.calls.append(Call(JOIN, (Ref(pair[0]), Ref(pair[1]))))
        found = {other: _replaced(chain, list(pair), node) for other, chain in found.items()}
        found[node] = list(pair)


class _Writer:
    """Writes nodes as lines; `line[node]` is where a node stands."""

    def __init__(self, graph: Graph, root: int) -> None:
        self.graph = graph
        self.root = root
        nodes = reachable(graph, root)
        self.chains = chains(graph, nodes)
        self.todo = [n for n in nodes if n not in self.chains and refs(graph.calls[n])]
        self.lines: list[Call] = []
        self.line: dict[int, int] = {}

    def leaf(self, node: int) -> bool:
        """Tell whether a node can be written at any time."""
        return node not in self.chains and not refs(self.graph.calls[node])

    def missing(self, nodes: Sequence[int]) -> int | None:
        """Return how many leaves must be written before a call of `nodes`, None if it is not possible yet."""
        missing = {n for n in nodes if n not in self.line}
        return len(missing) if all(map(self.leaf, missing)) else None

    def write(self, call: Call) -> int:
        """Append a line for `call`, its leaves before it; return its number."""
        for node in dict.fromkeys(refs(call)):
            if node not in self.line:
                self.line[node] = len(self.lines)
                self.lines.append(self.graph.calls[node])
        placed = tuple(Ref(self.line[a.line]) if type(a) is Ref else a for a in call.args)
        self.lines.append(Call(call.op, placed))
        return len(self.lines) - 1

    def options(self) -> list[tuple[float, int, int]]:
        """Return (references a line, chain or -1, position or node) of everything that can come next."""
        out = []
        for node in self.todo:
            call = self.graph.calls[node]
            missing = self.missing(refs(call))
            if missing is not None:
                out.append((-len(refs(call)) / (missing + 1), -1, node))
        for chain, items in self.chains.items():
            for at in range(len(items) - 1):
                missing = self.missing(items[at : at + 2])
                if missing is not None:
                    out.append((-2 / (missing + 1), chain, at))
        return out

    def step(self) -> None:
        """Write the next line: the one with most references for the lines it takes."""
        _, chain, at = min(self.options())
        if chain < 0:
            self.line[at] = self.write(self.graph.calls[at])
            self.todo.remove(at)
            return
        items = self.chains[chain]
        pair = items[at : at + 2]
        written = self.write(Call("concatenate", (Ref(pair[0]), Ref(pair[1]))))
        if len(items) == 2:
            self.line[chain] = written
            del self.chains[chain]
            return
        fresh = len(self.graph.calls)
        self.graph.calls.append(Call(JOIN, (Ref(pair[0]), Ref(pair[1]))))
        self.line[fresh] = written
        items[at : at + 2] = [fresh]

    def run(self) -> DslProgram:
        """Write everything; the root's line is the output."""
        while self.todo or self.chains:
            self.step()
        if self.root not in self.line:
            self.line[self.root] = len(self.lines)
            self.lines.append(self.graph.calls[self.root])
        return DslProgram(tuple(self.lines), self.line[self.root])


def emit(graph: Graph, root: int) -> DslProgram:
    """Return the program that makes node `root`."""
    return _Writer(graph, root).run()


def emit_fold(graph: Graph, root: int) -> DslProgram:
    """Return the program that makes node `root`, each list just before it is first needed and chains of
    concatenations from left to right."""
    lines: list[Call] = []
    line: dict[int, int] = {}

    def write(node: int) -> int:
        found = line.get(node)
        if found is not None:
            return found
        call = graph.calls[node]
        places = [write(child) for child in refs(call)]
        if call.op == JOIN:
            made = places[0]
            for place in places[1:]:
                lines.append(Call("concatenate", (Ref(made), Ref(place))))
                made = len(lines) - 1
        else:
            references = iter(places)
            lines.append(
                Call(call.op, tuple(Ref(next(references)) if type(a) is Ref else a for a in call.args))
            )
            made = len(lines) - 1
        line[node] = made
        return made

    output = write(root)
    return DslProgram(tuple(lines), output)
