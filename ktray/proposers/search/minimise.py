"""Cheaper programs for the same list: `minimise` takes any correct program, whoever proposed it.

The output never changes and the price never rises: what a rewriting makes dearer is not taken.
"""

from __future__ import annotations

import math
from itertools import pairwise

from ktray.dsl.interpreter import ExecutionError, run_lines
from ktray.dsl.program import Call, DslProgram, Ref
from ktray.proposers.search.assemble import progression
from ktray.proposers.search.costs import Prices
from ktray.proposers.search.graph import JOIN, Graph, emit, refs

#: Longest list that is compared with others by its values.
_LONGEST = 1 << 14


def program_bits(program: DslProgram, prices: Prices) -> float:
    """Return the price (bits) of a program with its output line."""
    bits = prices.output
    for i, call in enumerate(program.lines):
        bits += prices.lines[call.op] + len(refs(call)) * prices.reference_bits(i)
        bits += sum(prices.element * len(arg) for arg in call.args if isinstance(arg, tuple))
    return bits


def minimise(program: DslProgram, prices: Prices) -> DslProgram:
    """Return an equivalent program that is no dearer; one that fails comes back as it is.

    Lines that make the same list become one, lists that are ranges, repeats or short become leaves, literals
    side by side one literal, dead lines go, and the rest is ordered so that references are cheap.
    """
    try:
        made = run_lines(program)
    except ExecutionError:
        return program
    if max(map(len, made), default=0) > _LONGEST:
        return program
    best = program
    # A leaf dearer than its line still pays where it leaves other lines dead: both are tried.
    for slack in (-math.inf, 0.0, math.inf):
        rewritten = _rewrite(program, made, prices, slack)
        if program_bits(rewritten, prices) < program_bits(best, prices) - 1e-9:
            best = rewritten
    return best


def _rewrite(program: DslProgram, made: list[list[int]], prices: Prices, slack: float) -> DslProgram:
    """Return the program written anew from its graph, with leaves that cost at most `slack` more than lines."""
    graph = Graph()
    nodes: list[int] = []
    by_value: dict[tuple[int, ...], int] = {}
    uses = _uses(program)
    for i, call in enumerate(program.lines):
        value = tuple(made[i])
        node = by_value.get(value)
        if node is None:
            leaf = _leaf(graph, value, call, prices, i, slack)
            node = by_value[value] = leaf if leaf is not None else _copy(graph, call, nodes, uses)
        nodes.append(node)
    return emit(graph, nodes[program.output])


def _uses(program: DslProgram) -> list[int]:
    """Return how often each line is referred to, the output line's use included."""
    uses = [0] * len(program.lines)
    uses[program.output] += 1
    for call in program.lines:
        for line in refs(call):
            uses[line] += 1
    return uses


def _copy(graph: Graph, call: Call, nodes: list[int], uses: list[int]) -> int:
    """Return the node of a call; a concatenation of literals used nowhere else becomes one literal."""
    if call.op != "concatenate":
        return graph.add(call.op, *(Ref(nodes[a.line]) if type(a) is Ref else a for a in call.args))
    chain: list[int] = []
    for line in refs(call):
        node = graph.calls[nodes[line]]
        chain.extend(refs(node) if node.op == JOIN and uses[line] == 1 else [nodes[line]])
    return graph.join(_merged(graph, chain, [nodes[line] for line in range(len(nodes)) if uses[line] > 1]))


def _merged(graph: Graph, chain: list[int], shared: list[int]) -> list[int]:
    """Return the chain with neighbouring literals that nothing else needs made one."""
    out: list[int] = []
    for node in chain:
        call = graph.calls[node]
        last = graph.calls[out[-1]] if out else None
        if last and last.op == call.op == "set_list" and node not in shared and out[-1] not in shared:
            out[-1] = graph.add("set_list", last.args[0] + call.args[0])  # type: ignore[operator]
        else:
            out.append(node)
    return out


def _leaf(
    graph: Graph, value: tuple[int, ...], call: Call, prices: Prices, line: int, slack: float
) -> int | None:
    """Return the node of a leaf that makes `value` for at most `slack` more than the call costs, or None."""
    if not value or min(value) < 0 or max(value) > 255:
        return None
    limit = prices.lines[call.op] + len(refs(call)) * prices.reference_bits(line)
    limit += sum(prices.element * len(arg) for arg in call.args if isinstance(arg, tuple))
    step = value[1] - value[0] if len(value) > 1 else 0
    steady = all(b - a == step for a, b in pairwise(value))
    if steady and 0 <= step <= prices.max_step:
        name = ("repeat_num", "range_func_up")[step] if step < 2 else "range_func_interval"
        # Only a line that leaves others dead may be replaced by something dearer.
        if prices.lines[name] <= limit + (slack if refs(call) else min(slack, 0.0)):
            return progression(graph, value[0], step, len(value))
    if slack > -math.inf and prices.lines["set_list"] + prices.element * len(value) <= limit:
        return graph.add("set_list", value)
    return None
