"""The reducer: the shortest correct program of each sequence, under a fixed price per program.

A minimum over a total order (price, then text length, then text, then language), so it is associative,
commutative and idempotent: the order in which candidates arrive cannot change the winner, and merging
two runs is merging their logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ktray.programs import Program


@dataclass(frozen=True, slots=True)
class Correct:
    """A correct candidate: which sequence it solves (its number within the block), by whom, and how."""

    sequence: int
    proposer: str
    program: Program


@dataclass(frozen=True, slots=True)
class Choice:
    """The winner for one sequence, with its price in bits."""

    price: float
    program: Program
    proposer: str

    def order(self) -> tuple[float, int, str, str, str]:
        """Return the key of the total order."""
        return (self.price, len(self.program.text), self.program.text, self.program.language, self.proposer)


def better(a: Choice, b: Choice) -> Choice:
    """Return the smaller of two choices in the total order."""
    return a if a.order() <= b.order() else b


def reduce_block(candidates: Sequence[Correct], prices: NDArray[np.float64]) -> dict[int, Choice]:
    """Return the winner of each sequence that has a correct candidate of finite price.

    `prices` has shape (len(candidates),), in bits.
    """
    best: dict[int, Choice] = {}
    for candidate, price in zip(candidates, prices.tolist(), strict=True):
        if price == float("inf"):
            continue
        choice = Choice(price, candidate.program, candidate.proposer)
        known = best.get(candidate.sequence)
        best[candidate.sequence] = choice if known is None else better(choice, known)
    return best


def merge(parts: Iterable[Mapping[int, Choice]]) -> dict[int, Choice]:
    """Return the winners over several reductions of the same block."""
    best: dict[int, Choice] = {}
    for part in parts:
        for sequence, choice in part.items():
            best[sequence] = better(choice, best[sequence]) if sequence in best else choice
    return best
