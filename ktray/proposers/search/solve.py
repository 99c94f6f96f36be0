"""From values to a plan: structures from `weave`, relations from `derive`, the cheapest of all.

Work is counted in elements visited by parses, never in seconds, so a plan depends on its inputs alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ktray.proposers.search.arrays import Floats, Ints
from ktray.proposers.search.costs import LITERAL_ELEMENT
from ktray.proposers.search.derive import Deriver
from ktray.proposers.search.glance import glance
from ktray.proposers.search.parse import INF
from ktray.proposers.search.relations import COLUMNS
from ktray.proposers.search.weave import MAX_DEPTH, streams, weaves

#: A search that has not got below this share of the literal's bits after a pass ends there.
HOPELESS = 0.92

#: A structure: (pairs, side) of each peel, from the outermost inwards.
Peels = tuple[tuple[int, int], ...]

#: A structure is looked at closely only if its quick price is at most this much above that of the best one.
MARGIN = 24.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How to write a sequence: its peels, the streams they give, relations between parts, and pieces.

    `text` holds the streams; stream d is text[first[d]:first[d + 1]], the last one what remains after all
    peels. `relations` has a row for each relation taken. `kind` and `start` tell the piece that ends at each
    position, where a piece ends there.
    """

    bits: float
    text: Ints
    first: Ints
    peels: Peels
    relations: Ints
    kind: Ints
    start: Ints


class _Search:
    """One sequence's search: what was tried so far, and the best of it."""

    def __init__(self, values: Ints, costs: Floats, budget: int) -> None:
        n = len(values)
        self.values, self.n, self.costs, self.budget = values, n, costs, budget
        self.deriver = Deriver(n, costs)
        self.work = 0
        # Values that come often make every look for equal parts longer.
        self.crowd = 1.0 + float((np.bincount(values) ** 2).sum()) / n / 8
        self.plan: Plan | None = None
        self.look = INF
        self._ms, self._sides = np.zeros((2, MAX_DEPTH), np.int64)
        self._laid = np.zeros(n + 2, np.int64)
        self._first = np.zeros(MAX_DEPTH + 2, np.int64)
        self._heads = np.full(256 + 511, -1, np.int64)
        self._room = np.zeros((3, n + 2), np.int64)
        self._closed = np.zeros(n + 2)

    def left(self) -> bool:
        """Tell whether any budget is left."""
        return self.work < self.budget

    def evaluate(self, peels: Peels, bars: Ints, limit: float = INF) -> float:
        """Derive one structure unless its quick price exceeds `limit`; keep the best; return its bits."""
        n, depth = self.n, len(peels)
        for d, (m, side) in enumerate(peels):
            self._ms[d], self._sides[d] = m, side
        parts = streams(self.values, n, depth, self._ms, self._sides, self._laid, self._first)
        heads = (self._heads[:256], self._heads[256:])
        look = glance(self._laid, n, self._first, parts, self.costs, self._closed, *heads, *self._room)
        self.work += int(12 * n * self.crowd)
        if look > limit:
            return INF
        bits, parses = self.deriver.derive(self._laid, self._first, parts, bars)
        self.work += int(2 * parses * n * self.crowd + 8 * n * n * self.crowd)
        if self.plan is None or bits < self.plan.bits - 1e-9:
            self.look = look
            self.plan = self._as_plan(bits, peels)
        return bits

    def _as_plan(self, bits: float, peels: Peels) -> Plan:
        made = self.deriver
        return Plan(
            bits=bits,
            text=self._laid[: self.n].copy(),
            first=self._first[: len(peels) + 2].copy(),
            peels=peels,
            relations=made.kept[: made.number].copy(),
            kind=made.kind[: self.n + 1].copy(),
            start=made.start[: self.n + 1].copy(),
        )

    def structures(self, width: int, closely: int, keep: int) -> list[tuple[float, Peels]]:
        """Return the quick prices and peels of the best structures of one pass, cheapest first."""
        scores, depths = np.empty(keep), np.zeros(keep, np.int64)
        ms, sides = np.zeros((2, keep, MAX_DEPTH), np.int64)
        left = int((self.budget - self.work) / self.crowd)
        found, spent = weaves(
            self.values,
            self.n,
            self.costs,
            width,
            closely,
            MAX_DEPTH - 2,
            keep,
            scores,
            depths,
            ms,
            sides,
            left,
        )
        self.work += int(spent * self.crowd)
        paths = [
            tuple(zip(ms[r, :d].tolist(), sides[r, :d].tolist(), strict=True)) for r, d in enumerate(depths)
        ]
        return list(zip(scores[:found].tolist(), paths[:found], strict=True))

    def improve(self) -> None:
        """Vary the best plan by one peel or one barred relation at a time, as long as that helps."""
        while self.left() and self.plan is not None:
            was = self.plan
            for peels in neighbours(was.peels, self.n):
                if not self.left():
                    return
                self.evaluate(peels, _NO_BARS, self.look + MARGIN)
                if self.plan is not was:
                    break
            if self.plan is was and not self._improve_by_bars(was):
                return

    def _improve_by_bars(self, plan: Plan) -> bool:
        """Bar the relations of a plan one by one, keeping those bars that help; tell whether any did."""
        bars, bits = _NO_BARS, plan.bits
        for row in plan.relations:
            if not self.left():
                break
            more = np.concatenate([bars, row[None, :]])
            found = self.evaluate(plan.peels, more)
            if found < bits - 1e-9:
                bars, bits = more, found
        return len(bars) > 0


_NO_BARS = np.zeros((0, COLUMNS), np.int64)


def neighbours(peels: Peels, n: int) -> Iterator[Peels]:
    """Yield structures that differ in one peel: a little longer or shorter, turned, or left out."""
    for d, (m, side) in enumerate(peels):
        for other in ((m - 1, side), (m + 1, side), (m - 2, side), (m + 2, side), (m, 1 - side)):
            varied = (*peels[:d], other, *peels[d + 1 :])
            if possible(varied, n):
                yield varied
        yield (*peels[:d], *peels[d + 1 :])


def possible(peels: Peels, n: int) -> bool:
    """Tell whether each peel fits what those before leave of n elements."""
    for m, side in peels:
        if m < 1 or 2 * m > n:
            return False
        n = n - m if side == 1 else m
    return True


def search(values: Ints, costs: Floats, stages: Sequence[tuple[int, int, int]], budget: int) -> Plan:
    """Return the best plan found for `values` (shape (n,), n >= 1) within about `budget` units of work.

    A stage holds the widths of one pass: see `weaves`. More budget only adds to what is tried.
    """
    task = _Search(values, costs, budget)
    plain = task.evaluate((), _NO_BARS)
    raw = float(costs[LITERAL_ELEMENT]) * len(values)
    for number, (width, closely, keep) in enumerate(stages):
        if not task.left():
            break
        found = task.structures(width, closely, keep)
        if number == 0 and plain >= raw and found[0][0] > 0.95 * raw:
            break  # neither pieces nor a peel help: the rest of the search would not either
        for _, peels in found:
            if peels and task.left():
                task.evaluate(peels, _NO_BARS)
        if task.plan is not None and task.plan.bits > HOPELESS * raw:
            break
        task.improve()
    if task.plan is None:
        raise ValueError("a plan needs at least one element")
    return task.plan
