"""Shortens a program under the exact price of a prior, move by move, for as long as one helps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ktray.dsl.interpreter import ExecutionError, run_lines
from ktray.dsl.program import DslProgram
from ktray.proposers.search.bank import Bank
from ktray.proposers.search.costs import Prices
from ktray.proposers.search.moves import Moves
from ktray.proposers.search.spine import Spine, guess, spine_of, written

#: Elements that the lists of a program may hold together, and lines, for it to be looked at.
_MOST_CELLS = 1 << 14
_MOST_LINES = 96

#: A spine is priced exactly if its typical price is at most this much above the best one's.
SLACK = 6.0

Price = Callable[[DslProgram], float]


def polish(program: DslProgram, prices: Prices, price: Price, quotes: int) -> tuple[DslProgram, float]:
    """Return an equivalent program that costs no more by `price` (bits), and its price.

    `prices` are typical ones that tell which moves are worth a quote; at most `quotes` are asked for.
    """
    best = price(program)
    start = _start(program)
    if start is None:
        return program, best
    spine, bank = start
    moves = Moves(bank, prices)
    seen = {spine_key(spine)}
    quotes -= 1
    first = written(spine)
    bits = price(first)
    if bits < best:
        program, best = first, bits
    low = guess(spine, prices)
    improved = True
    while improved:
        improved = False
        for other in moves.all(spine):
            key = spine_key(other)
            if key in seen:
                continue
            seen.add(key)
            estimate = guess(other, prices)
            if estimate > low + SLACK:
                continue
            if quotes <= 0:
                return program, best
            quotes -= 1
            candidate = written(other)
            bits = price(candidate)
            if bits < best - 1e-6:
                program, best, spine, low = candidate, bits, other, estimate
                improved = True
                break
    return program, best


def spine_key(spine: Spine) -> object:
    """Return what tells a spine from others."""
    return spine.steps, tuple((item, spine.made[item]) for item in spine.live())


def _start(program: DslProgram) -> tuple[Spine, Bank] | None:
    """Return the spine of a program and its lists; None where it fails or is too large."""
    if len(program.lines) > _MOST_LINES:
        return None
    try:
        made = run_lines(program)
    except ExecutionError:
        return None
    if sum(map(len, made)) > _MOST_CELLS or not made[program.output]:
        return None
    bank = Bank()
    return spine_of(program, [np.array(values, np.int64) for values in made], bank), bank
