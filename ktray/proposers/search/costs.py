"""What the search pays for each part of a program: one flat vector that the compiled loops index.

Every figure is in bits. A reference is priced at one average; exact prices choose among finished programs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ktray.dsl.ops import BY_NAME, LINE_BITS

#: Pieces of fewer elements cost SHORT more.
LEAST = 5

#: Longest step of `range_func_interval` that the search uses.
MAX_STEP = 9

# Positions in the cost vector.
MERGE = 0  # joining one more piece to the whole
LITERAL_LINE = 1
LITERAL_ELEMENT = 2
REVERSE = 3
REPEAT = 4
CONSTANT_OP = 5  # add, subtract
MODULO = 6
EXTREME = 7  # max_n, min_n
JUMPS = 8
BETWEEN = 9
SUBSTITUTE = 10
FILTER = 11
SCAN = 12
PAIRWISE = 13
REUSE = 14  # taking a list once more
SHORT = 15  # a piece of fewer than LEAST elements
SPLIT = 16  # each join within a list that is worked on or woven in
BACK = 17  # making a list from one that is joined later
STEPS = 18  # 511 prices of an arithmetic progression, by its step + 255
SIZE = STEPS + 511


@dataclass(frozen=True, slots=True)
class Prices:
    """Bits of a line by operation, without its references and literal elements.

    A reference on line i (from 0) costs log2(i + 1) where `positional`, else `reference` bits.
    """

    lines: dict[str, float]
    element: float = 8.0
    positional: bool = True
    reference: float = 2.4
    merge_references: float | None = None
    max_step: int = MAX_STEP
    reuse: float = 0.0
    short: float = 0.0
    split: float = 0.0
    back: float = 0.0
    folds: bool = False
    output: float = field(default=LINE_BITS)

    def reference_bits(self, line: int) -> float:
        """Return the bits of one reference on line `line` (from 0)."""
        return math.log2(line + 1) if self.positional else self.reference

    def average_reference(self, lines: int) -> float:
        """Return the expected bits of a reference in a program of about `lines` lines."""
        return max(0.0, math.log2(max(lines, 1)) - 0.75) if self.positional else self.reference


def uniform_prices() -> Prices:
    """Return the published uniform prices (paper: Alg. 1)."""
    return Prices({name: LINE_BITS + op.value_bits for name, op in BY_NAME.items()})


def cost_vector(prices: Prices, lines: int) -> NDArray[np.float64]:
    """Return the vector (shape (SIZE,)) for a program expected to have about `lines` lines."""
    ref = prices.average_reference(lines)
    line = prices.lines
    merge = line["concatenate"] + (2 * ref if prices.merge_references is None else prices.merge_references)
    costs = np.full(SIZE, np.inf)
    costs[MERGE] = merge
    costs[LITERAL_LINE] = line["set_list"] + merge
    costs[LITERAL_ELEMENT] = prices.element
    names = {
        REVERSE: "reverse_list",
        REPEAT: "repeat_list",
        CONSTANT_OP: "add_item_list",
        MODULO: "modulo_item_list",
        EXTREME: "max_n",
        JUMPS: "get_subsequence_with_jumps",
        BETWEEN: "get_subsequence_between_indices",
        SUBSTITUTE: "substitute",
        FILTER: "filter",
        SCAN: "scan_add",
    }
    for position, name in names.items():
        costs[position] = line[name] + ref
    costs[PAIRWISE] = line["add_two_lists"] + 2 * ref
    costs[REUSE] = prices.reuse
    costs[SHORT] = prices.short
    costs[SPLIT] = prices.split
    costs[BACK] = prices.back
    _progressions(costs, prices, merge)
    return costs


def _progressions(costs: NDArray[np.float64], prices: Prices, merge: float) -> None:
    """Fill in the prices of arithmetic progressions, falling ones as the reverse of rising ones."""
    centre = STEPS + 255
    costs[centre] = prices.lines["repeat_num"] + merge
    for step in range(1, prices.max_step + 1):
        name = "range_func_up" if step == 1 else "range_func_interval"
        costs[centre + step] = prices.lines[name] + merge
        costs[centre - step] = prices.lines[name] + merge + costs[REVERSE]


def guiding_prices(split: float) -> Prices:
    """Return the prices of the quick looks that choose structures: the uniform ones, with a price on every join
    within a list that is woven in."""
    return replace(uniform_prices(), split=split)


def learned_prices() -> Prices:
    """Return typical prices of the adaptive prior, where references are nearly free and functions about 2 bits.

    They steer the search only; the prior itself prices what is found.
    """
    lines = {
        "range_func_up": 14.6,
        "range_func_interval": 16.1,
        "repeat_num": 14.7,
        "set_list": 6.7,
        "repeat_list": 7.1,
        "reverse_list": 5.8,
        "substitute": 15.8,
        "get_subsequence_with_jumps": 9.0,
        "get_subsequence_between_indices": 12.8,
        "max_n": 11.7,
        "min_n": 11.8,
        "add_item_list": 13.0,
        "subtract_item_list": 13.0,
        "modulo_item_list": 12.9,
        "filter": 6.9,
        "scan_add": 8.2,
        "add_two_lists": 11.6,
        "subtract_two_lists": 11.7,
        "modulo_two_lists": 9.5,
        "concatenate": 0.9,
        "interleave": 2.9,
    }
    return Prices(
        lines,
        positional=False,
        reference=0.0,
        merge_references=0.0,
        max_step=5,
        reuse=2.8,
        short=12.5,
        split=17.0,
        back=16.0,
        folds=True,
        output=1.1,
    )
