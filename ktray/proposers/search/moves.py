"""What can be done to a spine: each move yields spines that make the same sequence in another way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ktray.dsl.program import Call, Ref
from ktray.priors.canonical import stage
from ktray.proposers.search.arrays import Ints
from ktray.proposers.search.bank import Bank
from ktray.proposers.search.costs import Prices
from ktray.proposers.search.graph import refs
from ktray.proposers.search.spine import (
    MERGES,
    Spine,
    Step,
    bent,
    boundaries,
    call_guess,
    depends,
    leaf,
    literal,
    runs,
)

#: Ways to make a list that are tried, of those that look cheapest.
_FEW = 4

#: The rank of a list that is used again: after all operations.
_LAST = 99


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
        yield from self.remade(spine, live)
        yield from self.gathered(spine)
        yield from self.shifted(spine)
        yield from self.parted(spine, live)
        yield from self.rewoven(spine)
        yield from self.spelled(spine, live)

    def remade(self, spine: Spine, live: Sequence[int]) -> Iterator[Spine]:
        """Make one list in another way, or swap the roles of a list and of one made from it."""
        for item in live:
            for call in self.options(item, live):
                if call == spine.made[item]:
                    continue
                guilty = [s for s in refs(call) if s in spine.made and spine.depends(s, item)]
                if not guilty:
                    yield from self._both(replace(spine, made=self._with_call(spine.made, item, call)))
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
                    yield from self._both(swapped)

    def _both(self, spine: Spine) -> Iterator[Spine]:
        """Yield a spine, and with its lists woven in where operations come in their usual order."""
        yield spine
        arranged = self.arranged(spine)
        if arranged.steps != spine.steps:
            yield arranged

    def arranged(self, spine: Spine) -> Spine:
        """Return the spine with its lists woven in where operations come in their usual order, as far as can be."""
        sizes = [len(self._bank.values(step.item)) for step in spine.steps]
        appended = [i for i, step in enumerate(spine.steps) if not step.woven]
        woven = [i for i, step in enumerate(spine.steps) if step.woven]
        at = boundaries(spine, self._bank)
        if any(at[i] < sizes[i] for i in woven):
            return spine
        order = [appended.pop(0)]
        size = sizes[0]
        while appended or woven:
            late = not woven or size < sizes[woven[0]]
            if not late and appended:
                late = self._rank(spine, appended[0], order) <= self._rank(spine, woven[0], order)
            order.append((appended if late else woven).pop(0))
            size += sizes[order[-1]]
        return replace(spine, steps=tuple(spine.steps[i] for i in order))

    def _rank(self, spine: Spine, i: int, before: Sequence[int]) -> int:
        """Return when a step usually comes: by its list's operation, the last where the list was used before."""
        item = spine.steps[i].item
        used = any(spine.steps[k].item == item for k in before)
        return _LAST if used else stage(spine.made[item].op)

    def gathered(self, spine: Spine) -> Iterator[Spine]:
        """Write several lists that stand side by side as one."""
        for begin, end in runs(spine):
            for i in range(begin, end - 1):
                values = self._bank.values(spine.steps[i].item)
                for j in range(i + 1, end):
                    values = np.concatenate([values, self._bank.values(spine.steps[j].item)])
                    yield from self._with(spine, i, j + 1, [values])

    def spelled(self, spine: Spine, live: Sequence[int]) -> Iterator[Spine]:
        """Write literals that stand side by side as one."""
        for begin, end in runs(spine):
            for i in range(begin, end - 1):
                pair = [spine.steps[k].item for k in (i, i + 1)]
                if all(spine.made[item].op == "set_list" for item in pair):
                    values = np.concatenate([self._bank.values(item) for item in pair])
                    yield from self._spelled(spine, live, i, i + 2, values)

    def _spelled(self, spine: Spine, live: Sequence[int], i: int, j: int, values: Ints) -> Iterator[Spine]:
        """Put one literal in place of several, and make from it what was made from them."""
        item = self._bank.add(values)
        gone = {step.item for step in spine.steps[i:j]}
        steps = (*spine.steps[:i], Step(False, item), *spine.steps[j:])
        made = {**spine.made, item: literal(values)}
        for other in live:
            if other not in gone and gone.intersection(refs(spine.made[other])):
                ways = self._bank.ways(other, [item])
                if ways:
                    made[other] = min(ways, key=self._guess)
        yield Spine(steps, made)

    def _with(self, spine: Spine, i: int, j: int, parts: Sequence[Ints]) -> Iterator[Spine]:
        """Put lists in place of the steps [i, j), each known, a leaf or made from a list that stays."""
        made = dict(spine.made)
        items: list[int] = []
        live = replace(spine, steps=(*spine.steps[:i], *spine.steps[j:])).live()
        for values in parts:
            item = self._bank.find(values)
            if item is None or item not in made or made[item].op in MERGES:
                call = self._way(values, [*live, *items])
                if call is None or _circular(made, item, call):
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
        calls = self._derived(self._bank.add(values), live)
        return min([*calls, single] if single else calls, key=self._guess, default=None)

    def parted(self, spine: Spine, live: Sequence[int]) -> Iterator[Spine]:
        """Write one appended list as two, one of them known."""
        for i, step in enumerate(spine.steps):
            values = self._bank.values(step.item)
            if step.woven or len(values) < 2:
                continue
            for cut in self._cuts(values, step.item, live):
                yield from self._with(spine, i, i + 1, [values[:cut].copy(), values[cut:].copy()])

    def _cuts(self, values: Ints, item: int, live: Sequence[int]) -> Iterator[int]:
        """Yield where a list can be cut so that one part is a known list, or the period of the whole."""
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
        for times in range(2, 6):
            k = n // times
            if n % times == 0 and k > 1 and np.array_equal(values[k:], values[:-k]):
                cuts[k] = None
        yield from cuts

    def shifted(self, spine: Spine) -> Iterator[Spine]:
        """Let a constant or a range take the elements beside it that continue it."""
        for begin, end in runs(spine):
            for i in range(begin, end - 1):
                left = self._bank.values(spine.steps[i].item)
                right = self._bank.values(spine.steps[i + 1].item)
                for k in _reach(left, right):
                    for spelled in (True, False):
                        yield from self._shared(spine, i, left, right, k, spelled)

    def _shared(
        self, spine: Spine, i: int, left: Ints, right: Ints, k: int, spelled: bool
    ) -> Iterator[Spine]:
        """Move the border of steps i and i + 1 by k elements; a literal stays one, if `spelled` in any case."""
        whole = np.concatenate([left, right])
        parts = [whole[: len(left) + k].copy(), whole[len(left) + k :].copy()]
        made = dict(spine.made)
        live = replace(spine, steps=(*spine.steps[:i], *spine.steps[i + 2 :])).live()
        for values, old in zip(parts, (spine.steps[i].item, spine.steps[i + 1].item), strict=True):
            item = self._bank.find(values)
            if item is None or item not in made or made[item].op in MERGES:
                plain = spine.made[old].op == "set_list"
                call = None if plain and spelled else self._way(values, live)
                if call is None and plain:
                    call = literal(values)
                if call is None or _circular(made, item, call):
                    return
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


def _circular(made: Mapping[int, Call], item: int | None, call: Call) -> bool:
    """Tell whether a call makes a list, where it is made already, from one that is made from it."""
    return item in made and any(depends(made, source, item) for source in refs(call))


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
