"""What can be done to a spine: each move yields spines that make the same sequence in another way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ktray.dsl.program import Call, Ref
from ktray.proposers.search.arrays import Ints
from ktray.proposers.search.bank import Bank
from ktray.proposers.search.costs import Prices
from ktray.proposers.search.graph import refs
from ktray.proposers.search.spine import (
    Spine,
    Step,
    bent,
    boundaries,
    call_guess,
    leaf,
    literal,
    runs,
)

#: Ways to make a list that are tried, of those that look cheapest.
_FEW = 4


class Moves:
    """The moves over the lists of one bank, with typical prices to tell which ways look cheap."""

    def __init__(self, bank: Bank, prices: Prices) -> None:
        self._bank = bank
        self._prices = prices
        #: How to make lists that no program at hand makes yet.
        self._apart: dict[int, Call] = {}

    def options(self, item: int, live: Sequence[int]) -> list[Call]:
        """Return the ways to make a list, as a leaf or from `live` ones, those first that look cheapest."""
        calls = self._derived(item, live)
        values = self._bank.values(item)
        single = leaf(values)
        calls.append(single if single is not None else literal(values))
        return sorted(calls, key=self._guess)[:_FEW]

    def _derived(self, item: int, live: Sequence[int]) -> list[Call]:
        """Return the ways to make a list from `live` ones or from a range made for it."""
        calls = self._bank.ways(item, live)
        curved = bent(self._bank.values(item))
        if curved is not None:
            straight, op, parameters = curved
            source = self._bank.add(straight)
            single = leaf(straight)
            if single is not None and source not in live:
                self._apart[source] = single
                calls.append(Call(op, (Ref(source), *parameters)))
        return calls

    def _guess(self, call: Call) -> float:
        apart = sum(call_guess(self._apart[s], self._prices) for s in refs(call) if s in self._apart)
        return call_guess(call, self._prices) + apart

    def _with_call(self, made: Mapping[int, Call], item: int, call: Call) -> dict[int, Call]:
        """Return the ways to make lists with one changed, and those of its sources that are new."""
        return {**{s: self._apart[s] for s in refs(call) if s not in made}, **made, item: call}

    def all(self, spine: Spine) -> Iterator[Spine]:
        """Yield the spines one move away."""
        live = spine.live()
        yield from self.gathered(spine, live)
        yield from self.remade(spine, live)
        yield from self.shifted(spine)
        yield from self.parted(spine, live)
        yield from self.rewoven(spine)

    def remade(self, spine: Spine, live: Sequence[int]) -> Iterator[Spine]:
        """Make one list in another way, or swap the roles of a list and of one made from it."""
        for item in live:
            for call in self.options(item, live):
                if call == spine.made[item]:
                    continue
                guilty = [s for s in refs(call) if s in spine.made and spine.depends(s, item)]
                if not guilty:
                    yield replace(spine, made=self._with_call(spine.made, item, call))
                elif len(guilty) == 1:
                    yield from self._swapped(spine, live, item, call, guilty[0])

    def _swapped(
        self, spine: Spine, live: Sequence[int], item: int, call: Call, source: int
    ) -> Iterator[Spine]:
        """Make `item` by `call` from a list that was made from it, and that list in some other way."""
        for other in self.options(source, live):
            known = [s for s in refs(other) if s in spine.made]
            if other != spine.made[source] and not any(spine.depends(s, item) for s in known):
                swapped = replace(spine, made={**self._with_call(spine.made, source, other), item: call})
                if not any(swapped.depends(s, source) for s in refs(other)):
                    yield swapped

    def gathered(self, spine: Spine, live: Sequence[int]) -> Iterator[Spine]:
        """Write several lists that stand side by side as one."""
        for begin, end in runs(spine):
            for i in range(begin, end - 1):
                values = self._bank.values(spine.steps[i].item)
                for j in range(i + 1, end):
                    values = np.concatenate([values, self._bank.values(spine.steps[j].item)])
                    yield from self._with(spine, live, i, j + 1, [values])

    def _with(
        self, spine: Spine, live: Sequence[int], i: int, j: int, parts: Sequence[Ints]
    ) -> Iterator[Spine]:
        """Put lists in place of the steps [i, j), each known, a leaf or made from another list."""
        made = dict(spine.made)
        items: list[int] = []
        for values in parts:
            item = self._bank.find(values)
            if item is None or item not in made:
                call = self._way(values, live)
                if call is None:
                    return
                item = self._bank.add(values)
                made = self._with_call(made, item, call)
            items.append(item)
        woven = spine.steps[i].woven
        steps = [Step(woven and k == 0, item) for k, item in enumerate(items)]
        yield Spine((*spine.steps[:i], *steps, *spine.steps[j:]), made)

    def _way(self, values: Ints, live: Sequence[int]) -> Call | None:
        """Return the way to make new values that looks cheapest, no literal; None where there is none."""
        single = leaf(values)
        if single is not None:
            return single
        return min(self._derived(self._bank.add(values), live), key=self._guess, default=None)

    def parted(self, spine: Spine, live: Sequence[int]) -> Iterator[Spine]:
        """Write one appended list as two, one of them known."""
        for i, step in enumerate(spine.steps):
            values = self._bank.values(step.item)
            if step.woven or len(values) < 2:
                continue
            for cut in self._cuts(values, step.item, live):
                yield from self._with(spine, live, i, i + 1, [values[:cut].copy(), values[cut:].copy()])

    def _cuts(self, values: Ints, item: int, live: Sequence[int]) -> Iterator[int]:
        """Yield where a list can be cut so that one part is a known list; a constant also in the middle."""
        n = len(values)
        cuts: dict[int, None] = {}
        for other in live:
            part = self._bank.values(other)
            k = len(part)
            if other == item or not 0 < k < n:
                continue
            if np.array_equal(values[:k], part):
                cuts[k] = None
            if np.array_equal(values[n - k :], part):
                cuts[n - k] = None
        if n % 2 == 0 and values[0] == values[n // 2] and np.array_equal(values[: n // 2], values[n // 2 :]):
            cuts[n // 2] = None
        yield from cuts

    def shifted(self, spine: Spine) -> Iterator[Spine]:
        """Let a constant or a range take the elements beside it that continue it."""
        live = spine.live()
        for begin, end in runs(spine):
            for i in range(begin, end - 1):
                left = self._bank.values(spine.steps[i].item)
                right = self._bank.values(spine.steps[i + 1].item)
                for k in _reach(left, right):
                    yield from self._shared(spine, live, i, left, right, k)

    def _shared(
        self, spine: Spine, live: Sequence[int], i: int, left: Ints, right: Ints, k: int
    ) -> Iterator[Spine]:
        """Move the border of steps i and i + 1 by k elements; a literal stays one."""
        whole = np.concatenate([left, right])
        parts = [whole[: len(left) + k].copy(), whole[len(left) + k :].copy()]
        made = dict(spine.made)
        for values, old in zip(parts, (spine.steps[i].item, spine.steps[i + 1].item), strict=True):
            item = self._bank.find(values)
            if item is None or item not in made:
                call = self._way(values, live)
                if call is None:
                    if spine.made[old].op != "set_list":
                        return
                    call = literal(values)
                made = self._with_call(made, self._bank.add(values), call)
        steps = (
            replace(spine.steps[i], item=self._bank.add(parts[0])),
            replace(spine.steps[i + 1], item=self._bank.add(parts[1])),
        )
        yield Spine((*spine.steps[:i], *steps, *spine.steps[i + 2 :]), made)

    def rewoven(self, spine: Spine) -> Iterator[Spine]:
        """Weave a list in earlier or later: where that does not matter for the outcome."""
        sizes = boundaries(spine, self._bank)
        for i, step in enumerate(spine.steps):
            if not step.woven:
                continue
            least = len(self._bank.values(step.item))
            if sizes[i] < least:
                continue
            at = i
            while at > 1 and not spine.steps[at - 1].woven and sizes[at - 1] >= least:
                at -= 1
                yield _moved(spine, i, at)
            at = i
            while at + 1 < len(spine.steps) and not spine.steps[at + 1].woven:
                at += 1
                yield _moved(spine, i, at)


def _moved(spine: Spine, i: int, to: int) -> Spine:
    """Return the spine with step i at place `to`."""
    steps = [*spine.steps[:i], *spine.steps[i + 1 :]]
    steps.insert(to, spine.steps[i])
    return replace(spine, steps=tuple(steps))


def _reach(left: Ints, right: Ints) -> Iterator[int]:
    """Yield by how many elements the border of two lists may move so that a progression goes on: up for the
    left one, down for the right one."""
    step = int(left[-1] - left[-2]) if len(left) > 1 else 0
    k = 0
    while k < len(right) - 1 and right[k] == left[-1] + step * (k + 1):
        k += 1
    if k:
        yield k
    step = int(right[1] - right[0]) if len(right) > 1 else 0
    k = 0
    while k < len(left) - 1 and left[-1 - k] == right[0] - step * (k + 1):
        k += 1
    if k:
        yield -k
