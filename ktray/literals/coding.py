"""One binary decision for encoder, decoder and pricing alike, so that each model's loop is compiled once."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ktray.coding.binary import (
    READ_PAST,
    Bytes,
    State,
    bytes_read,
    decode_bit,
    encode_bit,
    finish,
    new_decoder,
    new_encoder,
    reserve,
)
from ktray.errors import ArchiveError
from ktray.kernels import njit
from ktray.literals.fixed import Integer, cost_of
from ktray.sequences import Values

ENCODE, DECODE, PRICE = 0, 1, 2

#: The cell after the coder's own where costs in 1/65536 bits add up (see `pricing_coder`).
COST_CELL = 5

_STRETCH = 4096  # elements coded between looks at the space left


@njit(cache=True)
def code_bit(mode: Integer, coder: State, buffer: Bytes, p1: Integer, bit: Integer) -> Integer:
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


class Coded(Protocol):
    """A model over the elements of a block: `bits` binary decisions an element."""

    @property
    def bits(self) -> int: ...

    def load(self, data: Values) -> Any:
        """The elements of `data`, as the model's loop wants them."""

    def blank(self, n: int) -> Any:
        """Elements for n bytes, to be filled by the loop."""

    def unload(self, elements: Any, n: int) -> Values:
        """The n bytes that the elements stand for."""

    def begin(self) -> None:
        """Set up the model's state for the block's start."""

    def code(self, mode: int, coder: State, buffer: Bytes, elements: Any, start: int, stop: int) -> None:
        """Encode, decode or price elements[start:stop]."""


def encode_all(model: Coded, data: Values) -> bytes:
    """The range coder's bytes for all of `data`."""
    elements = model.load(data)
    model.begin()
    coder, out = new_encoder(), np.empty(len(data) // 2 + 1024, np.uint8)
    for start in range(0, len(elements), _STRETCH):
        stop = min(start + _STRETCH, len(elements))
        out = reserve(coder, out, (stop - start) * model.bits)
        model.code(ENCODE, coder, out, elements, start, stop)
    out = reserve(coder, out, 1)
    return bytes(out[: finish(coder, out)].tobytes())


def decode_all(model: Coded, payload: Values, n: int) -> Values:
    """The n bytes that `encode_all` coded into `payload`; raises ArchiveError where it ends before them."""
    elements, coder = model.blank(n), new_decoder(payload)
    model.begin()
    for start in range(0, len(elements), _STRETCH):
        model.code(DECODE, coder, payload, elements, start, min(start + _STRETCH, len(elements)))
        if bytes_read(coder) > len(payload) + READ_PAST:
            raise ArchiveError("damaged: literal bytes end before their last value")
    return model.unload(elements, n)


def price_all(model: Coded, data: Values) -> int:
    """What `data` would cost, in 1/65536 bits."""
    elements, coder = model.load(data), pricing_coder()
    model.begin()
    model.code(PRICE, coder, np.zeros(1, np.uint8), elements, 0, len(elements))
    return int(coder[COST_CELL])
