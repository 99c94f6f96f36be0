"""From values to a plan: structures from `weave`, relations from `derive`, the cheapest of all.

Work is counted in elements visited by parses, never in seconds, so a plan depends on its inputs alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ktray.proposers.search.arrays import Floats, Ints
from ktray.proposers.search.costs import LEAST, LITERAL_ELEMENT
from ktray.proposers.search.derive import Deriver
from ktray.proposers.search.glance import glance
from ktray.proposers.search.parse import INF, LITERAL, TARGET
from ktray.proposers.search.relations.kinds import COLUMNS
from ktray.proposers.search.vary import refine
from ktray.proposers.search.weave import MAX_DEPTH, hidden, streams, weaves

#: A search that has not got below this share of the literal's bits after a pass ends there.
HOPELESS = 0.97

#: What a copy costs, beside its operation, by splitting what it copies; a guess for the quick look.
COPY = 8.0

#: Programs of fewer bits are looked for whatever the frequencies say.
FEW_BITS = 200.0

#: Shorter sequences are searched in any case; longer ones, at great cost, only where it looks well.
LONG, VERY_LONG = 96, 512

#: A plan above the first share of an order-0 code is not improved; above the second, no wider pass is made. One
#: above the third, and above so many bits an element, is worth a wider pass even where it looks well made.
POOR, FAIR, DEAR = 0.72, 0.58, 0.18
DEAR_EACH = 1.3

#: Longest list that is usually written as a literal.
MOST = 25

#: Sequences of at most MANY elements are also tried with one list more taken off. That is of use only where
#: a literal of SPELLED elements or more could hide it, and where the quick price, which knows few operations,
#: rises by at most UNSEEN bits. Lengths up to FINE pairs are all tried, longer ones in growing steps.
MANY, SPELLED, UNSEEN, FINE = 128, 10, 24.0, 16

#: How the work of quick looks, and of looks for relations, grows with the crowd of equal values.
LOOK_CROWD, DERIVE_CROWD = 0.5, 0.75

#: Work of one pass over structures, in units an element; the rest of a wider beam is then left out.
PASS = 400_000

#: Structures that are varied, the best ones that are kept of what is seen, and the work of it in units an element.
STARTS, SEEN, LOOKS = 2, 16, 60_000

#: A structure: (pairs, side) of each peel, from the outermost inwards.
Peels = tuple[tuple[int, int], ...]

#: Plans of other structures are written too if they cost at most this many bits more; at most so many plans.
RIVAL, RIVALS = 30.0, 8

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

    def __init__(self, values: Ints, costs: Floats, guide: Floats, budget: int) -> None:
        n = len(values)
        self.values, self.n, self.guide, self.budget = values, n, guide, budget
        self.deriver = Deriver(n, costs)
        self.work = 0
        # Values that come often make every look for equal parts longer.
        crowd = 1.0 + float((np.bincount(values) ** 2).sum()) / n / 8
        self.look_crowd, self.derive_crowd = crowd**LOOK_CROWD, crowd**DERIVE_CROWD
        self.plan: Plan | None = None
        self.others: dict[Peels, Plan] = {}
        self.look = INF
        self._ms, self._sides = np.zeros((2, MAX_DEPTH), np.int64)
        self._laid = np.zeros(n + 2, np.int64)
        self._first = np.zeros(MAX_DEPTH + 2, np.int64)
        self._heads = np.full(256 + 511, -1, np.int64)
        self._room = np.zeros((3, n + 2), np.int64)
        self._closed = np.zeros(n + 2)
        self._plain = np.full(n + 2, guide[LITERAL_ELEMENT])

    def left(self) -> bool:
        """Tell whether any budget is left."""
        return self.work < self.budget

    def rest(self) -> int:
        """Return the work that the budget still allows."""
        return max(0, self.budget - self.work)

    def evaluate(self, peels: Peels, bars: Ints, limit: float = INF) -> float:
        """Derive one structure unless its quick price exceeds `limit`; keep the best; return its bits."""
        n, depth = self.n, len(peels)
        for d, (m, side) in enumerate(peels):
            self._ms[d], self._sides[d] = m, side
        parts = streams(self.values, n, depth, self._ms, self._sides, self._laid, self._first)
        heads = (self._heads[:256], self._heads[256:])
        look = glance(
            self._laid, n, self._first, parts, self._ms, self.guide,
            self._closed, *heads, *self._room, self._plain, 0.0,
        )  # fmt: skip
        self.work += int(12 * n * self.look_crowd)
        if look > limit:
            return INF
        bits, parses = self.deriver.derive(self._laid, self._first, parts, self._woven(peels), bars)
        self.work += int((2 * parses * n + 8 * n * n) * self.derive_crowd)
        if self.plan is None or bits < self.plan.bits - 1e-9:
            self.look = look
            self.plan = self._as_plan(bits, peels)
        if bits < self.plan.bits + RIVAL and (
            peels not in self.others or bits < self.others[peels].bits - 1e-9
        ):
            self.others[peels] = self._as_plan(bits, peels)
        return bits

    def rivals(self) -> list[Plan]:
        """Return the best plan of each structure that comes near the best of all, cheapest first."""
        near = [plan for plan in self.others.values() if self.plan and plan.bits < self.plan.bits + RIVAL]
        return sorted(near, key=lambda plan: plan.bits)[:RIVALS]

    def _woven(self, peels: Peels) -> list[tuple[int, int]]:
        """Return the parts that an interleave takes as one list."""
        first = self._first.tolist()
        return [(first[d], first[d + 1] if side == 1 else first[d] + m) for d, (m, side) in enumerate(peels)]

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
        left = int(min(PASS * self.n / self.look_crowd, self.rest() / self.derive_crowd))
        found, spent = weaves(
            self.values,
            self.n,
            self.guide,
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
        self.work += int(spent * self.derive_crowd)
        rows = zip(depths[:found].tolist(), ms.tolist(), sides.tolist(), strict=False)
        paths = [tuple(zip(m[:depth], side[:depth], strict=True)) for depth, m, side in rows]
        return list(zip(scores[:found].tolist(), paths, strict=True))

    def refined(self, structures: list[tuple[float, Peels]]) -> list[tuple[float, Peels]]:
        """Return structures like the best of some, and like the best with another first peel, cheapest first."""
        starts = structures[:1]
        starts += [s for s in structures if s[1][:1] != starts[0][1][:1]][: STARTS - 1]
        merged = {peels: look for look, peels in structures}
        for look, peels in starts:
            merged.update(self._varied(look, peels))
        return sorted((look, peels) for peels, look in merged.items())[:SEEN]

    def _varied(self, look: float, peels: Peels) -> Iterator[tuple[Peels, float]]:
        """Yield the best structures seen around one, and their quick prices."""
        looks, paths = np.empty(SEEN), np.zeros((SEEN, 1 + 2 * MAX_DEPTH), np.int64)
        looks[0] = look
        paths[0, 0] = len(peels)
        paths[0, 1 : 1 + 2 * len(peels)] = [x for peel in peels for x in peel]
        most = int(min(LOOKS, self.rest() / self.n) / self.look_crowd / 12)
        found, seen = refine(self.values, self.n, self.guide, 1, looks, paths, most)
        self.work += int(12 * seen * self.n * self.look_crowd)
        for price, path in zip(looks[:found].tolist(), paths[:found].tolist(), strict=True):
            end = 1 + 2 * path[0]
            yield tuple(zip(path[1:end:2], path[2:end:2], strict=True)), price

    def look_closely(self, structures: list[tuple[float, Peels]]) -> None:
        """Evaluate those of some structures, cheapest first, whose quick price is near the best."""
        for look, peels in structures:
            if peels and self.left() and look <= structures[0][0] + MARGIN:
                self.evaluate(peels, _NO_BARS)

    def improve(self) -> None:
        """Vary the best plan by one peel or one barred relation at a time, as long as that helps."""
        while self.left() and self.plan is not None:
            was = self.plan
            helped = (
                self._improve_by(neighbours(was.peels, self.n), MARGIN)
                or self._improve_by_bars(was)
                or (self.n <= MANY and spelled(was) and self._improve_by(longer(was.peels, self.n), UNSEEN))
            )
            if not helped:
                return

    def _improve_by(self, structures: Iterable[Peels], margin: float) -> bool:
        """Evaluate structures of which the quick price is near the best plan's; tell whether one is better."""
        was = self.plan
        for peels in structures:
            if not self.left():
                break
            self.evaluate(peels, _NO_BARS, self.look + margin)
            if self.plan is not was:
                return True
        return False

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


def longer(peels: Peels, n: int) -> Iterator[Peels]:
    """Yield structures with one peel more: the outermost or the innermost."""
    m = 2
    while 2 * m <= n and len(peels) < MAX_DEPTH - 2:
        for side in (1, 0):
            for more in dict.fromkeys((((m, side), *peels), (*peels, (m, side)))):
                if possible(more, n):
                    yield more
        m += max(1, m // FINE)


def possible(peels: Peels, n: int) -> bool:
    """Tell whether each peel fits what those before leave of n elements."""
    for m, side in peels:
        if m < 1 or 2 * m > n:
            return False
        n = n - m if side == 1 else m
    return True


def shapeless(values: Ints, costs: Floats) -> bool:
    """Tell, quickly, whether `values` (n >= 1) look as if no program came near even an order-0 code for them."""
    n = len(values)
    if n < LONG:
        return False
    each, closed, room = np.zeros(n + 2), np.zeros(n + 2), np.zeros((3, n + 2), np.int64)
    heads = np.full(256 + 511, -1, np.int64)
    hidden(values, n, costs, 1, each)
    ends = np.array([0, n])
    bits = glance(values, n, ends, 1, ends, costs, closed, heads[:256], heads[256:], *room, each, COPY)
    margin = 1.25 if n < VERY_LONG else 1.05
    return bool(bits > max(FEW_BITS, margin * order0(values)))


def order0(values: Ints) -> float:
    """Return the bits of `values` under their own frequencies, and 8 for each that occurs."""
    counts = np.bincount(values)
    counts = counts[counts > 0]
    return float(-(counts @ np.log2(counts / len(values)))) + 8.0 * len(counts)


def pieces(plan: Plan) -> Iterator[tuple[int, int]]:
    """Yield the kind and the length of each piece of a plan, the last first."""
    at = int(plan.first[-1])
    while at > 0:
        start = int(plan.start[at])
        yield int(plan.kind[at]), at - start
        at = start


def spelled(plan: Plan) -> bool:
    """Tell whether a plan has a literal long enough to hide an interleaving."""
    return any(kind == LITERAL and length >= SPELLED for kind, length in pieces(plan))


def patchy(plan: Plan) -> bool:
    """Tell whether a plan has a literal longer, or a piece shorter, than lists usually are: a sign that its
    sequence is woven in a way not found yet."""
    return any(
        kind != TARGET and (length < LEAST or (kind == LITERAL and length > MOST))
        for kind, length in pieces(plan)
    )


def search(
    values: Ints, costs: Floats, guide: Floats, stages: Sequence[tuple[int, int, int]], budget: int
) -> list[Plan]:
    """Return the best plans found for `values` (shape (n,), n >= 1) within about `budget` units of work, cheapest
    first and each of another structure; none where there is no use in looking.

    `costs` price the plan, `guide` the quick looks that choose its structure.

    A stage holds the widths of one pass: see `weaves`. The steps taken are the same under every budget, which
    only tells where they end: more is never worse.
    """
    if shapeless(values, guide):
        return []
    task = _Search(values, costs, guide, budget)
    plain = task.evaluate((), _NO_BARS)
    if len(values) >= VERY_LONG:
        task.work = 0  # one look for relations takes much of the budget, which is for structures
    raw = float(costs[LITERAL_ELEMENT]) * len(values)
    limit, wider, dear = _limits(values, raw)
    for number, stage in enumerate(stages):
        if not task.left():
            break
        found = task.refined(task.structures(*stage))
        if number == 0 and limit < INF and plain >= raw and found[0][0] > 0.95 * raw:
            break  # neither pieces nor a peel help: the rest of the search would not either
        task.look_closely(found[: stage[2]])
        if task.plan is None or task.plan.bits > limit:
            break
        task.improve()
        suspect = patchy(task.plan) or (number == 0 and task.plan.bits > dear)
        if task.plan.bits > wider or not suspect:
            break
    return task.rivals()


def _limits(values: Ints, raw: float) -> tuple[float, float, float]:
    """Return the bits above which a plan is not improved, those above which no wider pass is made, and those above
    which one is made in any case."""
    if len(values) < LONG:
        return INF, INF, INF
    order = order0(values)
    limit = min(HOPELESS * raw, max(FEW_BITS, POOR * order))
    return limit, max(FEW_BITS, FAIR * order), max(DEAR_EACH * len(values), DEAR * order)
