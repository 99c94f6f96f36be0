"""A program as a spine: lists joined one after another to all before, by `concatenate` or `interleave`.

`made` tells how each list is made; references in it are numbers of lists in a bank, not lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ktray.dsl.program import Call, DslProgram, Ref
from ktray.proposers.search.arrays import Ints
from ktray.proposers.search.bank import Bank
from ktray.proposers.search.costs import Prices
from ktray.proposers.search.graph import refs

#: Longest constant that is usual, and what a longer one costs more in bits.
MOST, LONGER = 25, 9.0

MERGES = ("concatenate", "interleave")


@dataclass(frozen=True, slots=True)
class Step:
    """One list on the spine: whether it is woven into what stands before, and its number."""

    woven: bool
    item: int


@dataclass(frozen=True, slots=True)
class Spine:
    """The steps, the first of them no weave, and how the lists are made."""

    steps: tuple[Step, ...]
    made: Mapping[int, Call]

    def live(self) -> list[int]:
        """Return the lists that the steps need, each after those that it is made from."""
        order: dict[int, None] = {}
        for step in self.steps:
            self._visit(step.item, order)
        return list(order)

    def _visit(self, item: int, order: dict[int, None]) -> None:
        if item not in order:
            for source in refs(self.made[item]):
                self._visit(source, order)
            order[item] = None

    def depends(self, item: int, on: int) -> bool:
        """Tell whether making `item` takes list `on`."""
        return depends(self.made, item, on)


def depends(made: Mapping[int, Call], item: int, on: int | None) -> bool:
    """Tell whether making `item` takes list `on`; a list that is not made yet takes none."""
    seen, waiting = {item}, [item]
    while waiting:
        at = waiting.pop()
        if at == on:
            return True
        new = {source for source in refs(made[at]) if source not in seen} if at in made else set()
        seen |= new
        waiting += new
    return False


def spine_of(program: DslProgram, made: list[Ints], bank: Bank) -> Spine:
    """Return the spine of a program whose lines make the lists `made`; equal lists are one."""
    calls: dict[int, Call] = {}
    numbers: list[int] = []
    for call, values in zip(program.lines, made, strict=True):
        number = bank.add(values)
        if number not in calls:
            calls[number] = placed(call, numbers)
        numbers.append(number)
    steps: list[Step] = []
    line = program.output
    while program.lines[line].op in MERGES:
        before, after = refs(program.lines[line])
        steps.append(Step(program.lines[line].op == "interleave", numbers[after]))
        line = before
    steps.append(Step(False, numbers[line]))
    return Spine(tuple(flattened(steps[::-1], calls)), calls)


def flattened(steps: list[Step], made: Mapping[int, Call]) -> Iterator[Step]:
    """Yield the steps with appended concatenations taken apart."""
    for step in steps:
        call = made[step.item]
        if step.woven or call.op != "concatenate":
            yield step
        else:
            yield from flattened([Step(False, part) for part in refs(call)], made)


def placed(call: Call, numbers: list[int]) -> Call:
    """Return the call with its references replaced: i by numbers[i]."""
    return Call(call.op, tuple(Ref(numbers[a.line]) if type(a) is Ref else a for a in call.args))


def written(spine: Spine) -> DslProgram:
    """Return the program of a spine: lists in the order in which they are needed, then the merges."""
    lines: list[Call] = []
    line: dict[int, int] = {}
    for item in spine.live():
        call = spine.made[item]
        lines.append(Call(call.op, tuple(Ref(line[a.line]) if type(a) is Ref else a for a in call.args)))
        line[item] = len(lines) - 1
    whole = line[spine.steps[0].item]
    for step in spine.steps[1:]:
        lines.append(Call(MERGES[step.woven], (Ref(whole), Ref(line[step.item]))))
        whole = len(lines) - 1
    return DslProgram(tuple(lines), whole)


def guess(spine: Spine, prices: Prices) -> float:
    """Return about what a spine costs in bits, from the typical prices of its lines."""
    bits = sum(call_guess(spine.made[item], prices) for item in spine.live())
    used: set[int] = set()
    for step in spine.steps[1:]:
        bits += prices.lines[MERGES[step.woven]] + (prices.reuse if step.item in used else 0.0)
        used.add(step.item)
    return bits


def call_guess(call: Call, prices: Prices) -> float:
    """Return about what one line costs in bits."""
    literal = next((len(arg) for arg in call.args if isinstance(arg, tuple)), 0)
    far = call.op == "repeat_num" and isinstance(call.args[0], int) and call.args[0] > MOST
    return prices.lines[call.op] + prices.element * literal + (LONGER if far else 0.0)


def leaf(values: Ints) -> Call | None:
    """Return the call that makes values of 0..255 as a constant or a rising range; None where none does."""
    n = len(values)
    if n == 0 or values.min() < 0 or values.max() > 255:
        return None
    first = int(values[0])
    step = int(values[1]) - first if n > 1 else 0
    if step < 0 or (n > 2 and (np.diff(values) != step).any()):
        return None
    if step == 0:
        return Call("repeat_num", (n, first))
    last = int(values[-1])
    return (
        Call("range_func_up", (first, last))
        if step == 1
        else Call("range_func_interval", (first, last + 1, step))
    )


def literal(values: Ints) -> Call:
    """Return the call that spells a list out."""
    return Call("set_list", (tuple(values.tolist()),))


def bent(values: Ints) -> tuple[Ints, str, tuple[int, ...]] | None:
    """Return a rising range, and the operation with its parameters that makes `values` of it by substituting one
    element or by taking remainders; None where there is none."""
    n = len(values)
    if n < 4 or values.min() < 0 or values.max() > 255:
        return None
    steps = np.diff(values)
    for step, start in ((steps[0], values[0]), (steps[-1], values[-1] - (n - 1) * steps[-1])):
        straight = start + step * np.arange(n)
        apart = np.flatnonzero(straight != values)
        if step > 0 and len(apart) == 1 and straight[0] >= 0 and straight[-1] <= 255:
            return straight, "substitute", (int(straight[apart[0]]), int(values[apart[0]]))
    step, fall = int(steps.max()), int(steps.min())
    modulus = step - fall
    straight = values[0] + step * np.arange(n)
    fits = fall < 0 < step and values.max() < modulus and straight[-1] <= 255
    if fits and np.array_equal(straight % modulus, values):
        return straight, "modulo_item_list", (modulus,)
    return None


def boundaries(spine: Spine, bank: Bank) -> list[int]:
    """Return how many elements stand merged before each step, and after the last."""
    sizes = [0]
    for step in spine.steps:
        sizes.append(sizes[-1] + len(bank.values(step.item)))
    return sizes


def runs(spine: Spine) -> list[tuple[int, int]]:
    """Return the longest stretches [i, j) of steps that are appended one after another, of two or more."""
    found: list[tuple[int, int]] = []
    begin = 0
    for i in range(len(spine.steps) + 1):
        if i == len(spine.steps) or spine.steps[i].woven:
            if i - begin > 1:
                found.append((begin, i))
            begin = i + 1
    return found
