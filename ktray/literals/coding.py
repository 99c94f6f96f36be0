"""One binary decision for encoder, decoder and pricing alike, so that each model's loop is compiled once."""

from __future__ import annotations

import numpy as np
from numba import njit

from ktray.coding.binary import Bytes, State, decode_bit, encode_bit
from ktray.literals.fixed import cost_of

ENCODE, DECODE, PRICE = 0, 1, 2

#: The cell after the coder's own where costs in 1/65536 bits add up (see `pricing_coder`).
COST_CELL = 5


@njit(cache=True)
def code_bit(mode: int, coder: State, buffer: Bytes, p1: int, bit: int) -> int:
    """Encode or price `bit`, or decode it (then `bit` is ignored); returns the bit. `p1` is P(1) of 65536."""
    if mode == DECODE:
        return np.int64(decode_bit(coder, buffer, p1))
    if mode == ENCODE:
        encode_bit(coder, buffer, p1, bit)
    else:
        coder[COST_CELL] += cost_of(p1 if bit else 65536 - p1)
    return bit


def pricing_coder() -> State:
    """A coder state for PRICE: nothing is written, `state[COST_CELL]` holds the cost."""
    return np.zeros(COST_CELL + 1, np.int64)
