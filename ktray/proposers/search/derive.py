"""Takes relations greedily, best first, as long as the whole text, parsed again with one more, gets cheaper.

What is taken stays consistent: sources are whole sub-trees (parts nest or are apart), targets are opaque,
and nothing depends on itself.
"""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise as pairwise_
from typing import NamedTuple

import numpy as np

from ktray.kernels import njit
from ktray.proposers.search.arrays import Bools, Floats, Ints
from ktray.proposers.search.costs import BACK, SPLIT
from ktray.proposers.search.parse import parse
from ktray.proposers.search.relations import LOOKS
from ktray.proposers.search.relations.kinds import (
    COLUMNS,
    OP,
    R_FILTER,
    R_SUBSTITUTE,
    S0,
    S1,
    SAME,
    T0,
    T1,
    U0,
    U1,
)
from ktray.proposers.search.relations.rows import Scene

MAX_TAKEN = 48
MAX_ROWS = 4096

#: How often relations are looked for again between the pieces that the last ones made.
ROUNDS = 3

#: Fewest bits that a relation must save to be taken.
_GAIN = 1e-6


class Board(NamedTuple):
    """A text of `n` elements with the tables of its parse (see `parse`), and the parts that must be one list each
    (zones: begin, end) with what a join within one costs."""

    text: Ints
    n: int
    costs: Floats
    cut: Ints
    target_end: Ints
    target_cost: Floats
    closed: Floats
    kind: Ints
    start: Ints
    zones: Ints
    zone_bits: Floats


@njit(cache=True)
def _crosses(a0: int, a1: int, b0: int, b1: int) -> bool:
    """Tell whether two parts overlap without one holding the other."""
    return (a0 < b0 < a1 < b1) or (b0 < a0 < b1 < a1)


@njit(cache=True)
def _leads_to(kept: Ints, count: int, s0: int, s1: int, t0: int, t1: int) -> bool:
    """Tell whether making part s needs part t."""
    seen = np.zeros(MAX_TAKEN + 1, np.bool_)
    stack = np.empty((2 * MAX_TAKEN + 4, 2), np.int64)
    stack[0, 0] = s0
    stack[0, 1] = s1
    held = 1
    while held > 0:
        held -= 1
        a = stack[held, 0]
        b = stack[held, 1]
        if a < t1 and t0 < b:
            return True
        for c in range(count):
            if not seen[c] and a <= kept[c, T0] and kept[c, T1] <= b:
                seen[c] = True
                stack[held, 0] = kept[c, S0]
                stack[held, 1] = kept[c, S1]
                held += 1
                if kept[c, U0] >= 0:
                    stack[held, 0] = kept[c, U0]
                    stack[held, 1] = kept[c, U1]
                    held += 1
    return False


@njit(cache=True)
def _holds(a0: int, a1: int, b0: int, b1: int) -> bool:
    """Tell whether a holds b and is larger."""
    return a0 <= b0 and b1 <= a1 and (a0 != b0 or a1 != b1)


@njit(cache=True)
def _fits(row: Ints, kept: Ints, count: int) -> bool:
    """Tell whether a relation is consistent with those kept: sources nest, targets are opaque, no cycles."""
    t0, t1 = row[T0], row[T1]
    for source in range(2):
        s0 = row[S0] if source == 0 else row[U0]
        s1 = row[S1] if source == 0 else row[U1]
        if s0 < 0:
            continue
        for c in range(count):
            k = kept[c]
            if t0 < k[T1] and k[T0] < t1:
                return False
            if _crosses(s0, s1, k[T0], k[T1]) or _holds(k[T0], k[T1], s0, s1):
                return False
            if (
                _crosses(s0, s1, k[S0], k[S1])
                or _crosses(t0, t1, k[S0], k[S1])
                or _holds(t0, t1, k[S0], k[S1])
            ):
                return False
            if k[U0] >= 0 and (
                _crosses(s0, s1, k[U0], k[U1])
                or _crosses(t0, t1, k[U0], k[U1])
                or _holds(t0, t1, k[U0], k[U1])
            ):
                return False
        if _leads_to(kept, count, s0, s1, t0, t1):
            return False
    return True


@njit(cache=True)
def _apply(row: Ints, bits: float, board: Board, sign: int) -> None:
    """Put a relation into the tables of the parse (sign 1), or take it out (sign -1)."""
    cut = board.cut
    for column in (S0, S1, T0, T1):
        cut[row[column]] += sign
    if row[U0] >= 0:
        cut[row[U0]] += sign
        cut[row[U1]] += sign
    board.target_end[row[T0]] = row[T1] if sign > 0 else 0
    board.target_cost[row[T0]] = bits


@njit(cache=True)
def _barred(row: Ints, bars: Ints) -> bool:
    """Tell whether a relation is among those not to be taken."""
    for b in range(len(bars)):
        same = True
        for c in range(COLUMNS):
            if row[c] != bars[b, c]:
                same = False
                break
        if same:
            return True
    return False


@njit(cache=True)
def _boundaries(board: Board, natural: Bools, base: Floats) -> None:
    """Mark where pieces of the parse at hand begin or end, and copy its prices, those inside targets too."""
    natural.fill(False)
    natural[0] = True
    for i in range(board.n + 1):
        base[i] = board.closed[i]
        if board.cut[i] > 0:
            natural[i] = True
    at = board.n
    while at > 0:
        natural[at] = True
        for k in range(board.start[at] + 1, at):
            base[k] = min(base[k], base[at])
        at = board.start[at]


@njit(cache=True)
def _bind(row: Ints, price: float, board: Board, count: int) -> int:
    """Append the sources of a relation to the `count` zones; return their new number.

    What works on each element can as well be done to each piece by itself.
    """
    split = board.costs[SPLIT]
    each = row[OP] <= R_SUBSTITUTE or row[OP] == R_FILTER
    board.zones[count, 0] = row[S0]
    board.zones[count, 1] = row[S1]
    board.zone_bits[count] = min(split, price) if each else split
    count += 1
    if row[U0] >= 0:
        board.zones[count, 0] = row[U0]
        board.zones[count, 1] = row[U1]
        board.zone_bits[count] = split
        count += 1
    return count


@njit(cache=True)
def _splits(board: Board, count: int) -> float:
    """Return the bits of the joins within zones that the parse at hand needs."""
    total = 0.0
    at = board.start[board.n]
    while at > 0:
        for z in range(count):
            if board.zones[z, 0] < at < board.zones[z, 1]:
                total += board.zone_bits[z]
        at = board.start[at]
    return total


@njit(cache=True)
def _parsed(board: Board) -> float:
    """Parse the text with what is in the tables; return the bits."""
    return parse(
        board.text, board.n, board.cut, board.target_end, board.target_cost, board.costs,
        board.closed, board.kind, board.start,
    )  # fmt: skip


@njit(cache=True)
def _with(row: Ints, price: float, board: Board, bound: int) -> float:
    """Return the bits of the text with one relation more."""
    _apply(row, price, board, 1)
    bits = _parsed(board)
    if board.costs[SPLIT] > 0.0:
        bits += _splits(board, _bind(row, price, board, bound))
    _apply(row, price, board, -1)
    return bits


@njit(cache=True)
def _foremost(gain: Floats) -> int:
    """Return where the largest gain stands, the first of equal ones; -1 where none is worth taking."""
    best = -1
    top = _GAIN
    for r in range(len(gain)):
        if gain[r] > top:
            top = gain[r]
            best = r
    return best


@njit(cache=True)
def _bounds(rows: Ints, price: Floats, count: int, base: Floats) -> Floats:
    """Return upper bounds on what each of rows[:count] saves."""
    gain = np.empty(count)
    for r in range(count):
        gain[r] = base[rows[r, T1]] - base[rows[r, T0]] + 4.0 - price[r]
    return gain


@njit(cache=True)
def _take(
    board: Board,
    rows: Ints,
    price: Floats,
    count: int,
    base: Floats,
    kept: Ints,
    number: int,
    bars: Ints,
    bound: int,
) -> tuple[float, int, int, int]:
    """Take rows[:count], but none of `bars`, as long as that helps; return (bits, number kept, parses done, zones).

    The tables hold the parse with what was kept before, and in the end that with all that is kept.
    """
    best = board.closed[board.n] + _splits(board, bound)
    gain = _bounds(rows, price, count, base)
    # Gains of older turns only bound today's: look at the best until one is confirmed.
    seen = np.zeros(count, np.int64)
    turn = 1
    parses = 1
    while number < MAX_TAKEN:
        r = _foremost(gain)
        if r < 0:
            break
        row = rows[r]
        if seen[r] == turn:
            kept[number] = row
            number += 1
            _apply(row, price[r], board, 1)
            bound = _bind(row, price[r], board, bound)
            best -= gain[r]
            gain[r] = -1.0
            turn += 1
        elif not _fits(row, kept, number) or _barred(row, bars):
            gain[r] = -1.0
        else:
            gain[r] = best - _with(row, price[r], board, bound)
            parses += 1
            seen[r] = turn
    best = _parsed(board)
    return best + _splits(board, bound), number, parses, bound


class Deriver:
    """Work space for texts of up to `n` elements. After `derive`, `kind` and `start` hold the final parse and
    `kept[:number]` the relations taken."""

    def __init__(self, n: int, costs: Floats) -> None:
        self.n = n
        self.costs = costs
        self.rows = np.empty((MAX_ROWS, COLUMNS), np.int64)
        self.price = np.empty(MAX_ROWS)
        self.kept = np.empty((MAX_TAKEN + 1, COLUMNS), np.int64)
        self.number = 0
        self.zones = np.empty((2 * MAX_TAKEN + 16, 2), np.int64)
        self.zone_bits = np.full(2 * MAX_TAKEN + 16, costs[SPLIT])
        self.bound = 0
        self.closed, self.base, self.target_cost = np.zeros((3, n + 2))
        self.kind, self.start, self.cut, self.target_end, self.stop = np.zeros((5, n + 2), np.int64)
        self.natural = np.zeros(n + 2, np.bool_)

    def derive(
        self, text: Ints, first: Ints, parts: int, whole: Sequence[tuple[int, int]], bars: Ints
    ) -> tuple[float, int]:
        """Take relations over the streams text[first[d]:first[d + 1]] but none of `bars` (shape (any, COLUMNS)).

        `whole` are parts that should be one piece each.

        Return (bits, parses done).
        """
        self._reset(first, parts)
        self.bound = len(whole)
        for z, ends in enumerate(whole):
            self.zones[z] = ends
            self.zone_bits[z] = self.costs[SPLIT]
        board = Board(
            text, self.n, self.costs, self.cut, self.target_end, self.target_cost,
            self.closed, self.kind, self.start, self.zones, self.zone_bits,
        )  # fmt: skip
        bits = _parsed(board)
        parses, self.number = 1, 0
        for _ in range(ROUNDS):
            count = self._survey(board)
            bits, number, more, self.bound = _take(
                board, self.rows, self.price, count, self.base, self.kept, self.number, bars, self.bound
            )
            parses += more
            if number == self.number:
                break
            self.number = number
        return bits, parses

    def _reset(self, first: Ints, parts: int) -> None:
        self.cut[:] = 0
        self.target_end[:] = 0
        self.stop[:] = self.n
        for begin, end in pairwise_(first[: parts + 1].tolist()):
            self.cut[begin] += 1
            self.stop[begin:end] = end

    def _survey(self, board: Board) -> int:
        """Fill the rows with the relations that may still pay, given the parse at hand; return their number."""
        _boundaries(board, self.natural, self.base)
        scene = Scene(
            board.text, self.n, self.stop, self.natural, self.base, self.costs, self.rows, self.price
        )
        count = 0
        for look in LOOKS:
            count = look(scene, count)
        rows = self.rows[:count]
        late = (rows[:, T0] < rows[:, S0]) & (self.stop[rows[:, S0]] == self.stop[rows[:, T0]])
        self.price[:count] += self.costs[BACK] * (late & (rows[:, OP] != SAME))
        return count
