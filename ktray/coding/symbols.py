"""Static codes: symbols that are equally likely among a known number, coded in bulk by `constriction`.

Symbols are collected as packed integers (`packed(symbol, total)`), so that pricing a program and encoding it
are the same walk. Writer and reader agree as long as they name the same totals in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from ktray.errors import ArchiveError

#: Totals lie below 2**24, the precision of constriction's models.
PRECISION = 24
_MASK = (1 << PRECISION) - 1
_WORD = np.dtype("<u4")
#: Widest run of raw bits that is one symbol.
_RAW_BITS = 16
_WIDTHS = 64

model: Any = constriction.stream.model


def packed(symbol: int, total: int) -> int:
    """Return symbol and total as one integer; symbols of one total are consecutive integers."""
    return (total << PRECISION) | symbol


def put_escape(out: list[int], value: int, low: int, high: int) -> None:
    """Append the code of a `value` outside low..high: side, width, and the bits of the distance (< 2**63)."""
    distance = value - high if value > high else low - value
    width = distance.bit_length()
    out.append(packed(int(value > high), 2))
    out.append(packed(width, _WIDTHS))
    for shift, bits in _raw_chunks(width - 1):
        out.append(packed((distance >> shift) & ((1 << bits) - 1), 1 << bits))


def _raw_chunks(width: int) -> list[tuple[int, int]]:
    """Return (shift, bits) of each chunk of a number of `width` bits, high bits first."""
    return [(max(0, top - _RAW_BITS), min(top, _RAW_BITS)) for top in range(width, 0, -_RAW_BITS)]


def symbol_bits(codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what each packed symbol costs in bits, as constriction rounds: the last takes the rest."""
    total, symbol = codes >> PRECISION, codes & _MASK
    share = (1 << PRECISION) // total
    rest = (1 << PRECISION) - (total - 1) * share
    bits: NDArray[np.float64] = PRECISION - np.log2(np.where(symbol == total - 1, rest, share))
    return bits


def encode_symbols(codes: Sequence[int]) -> bytes:
    """Return the bytes of packed symbols, each of a total of at least 2."""
    if not codes:
        return b""
    flat = np.array(codes, np.int64)
    encoder: Any = constriction.stream.queue.RangeEncoder()
    symbols, totals = (flat & _MASK).astype(np.int32), (flat >> PRECISION).astype(np.int32)
    encoder.encode(symbols, model.Uniform(), totals)
    words: NDArray[np.uint32] = encoder.get_compressed()
    return words.astype(_WORD).tobytes()


@cache
def _uniform(total: int) -> Any:
    return model.Uniform(total)


class SymbolReader:
    """Reads back what `encode_symbols` wrote; ArchiveError where the bytes are nothing that it writes."""

    def __init__(self, data: bytes) -> None:
        if len(data) % _WORD.itemsize:
            raise ArchiveError(f"damaged: {len(data)} bytes of symbols, which come in words of four")
        words = np.frombuffer(data, _WORD).astype(np.uint32)
        self._decoder: Any = constriction.stream.queue.RangeDecoder(words)

    def take(self, total: int) -> int:
        """Return the next symbol of `total`, at least 2. Raises ArchiveError where the data holds none."""
        try:
            return int(self._decoder.decode(_uniform(total)))
        except AssertionError as error:  # constriction's way to say that the data is invalid
            raise ArchiveError("damaged: a symbol that no encoder writes") from error

    def take_many(self, total: int, n: int) -> list[int]:
        """Return the next `n` symbols of `total` each."""
        if not n:
            return []
        try:
            return list(map(int, self._decoder.decode(_uniform(total), n)))
        except AssertionError as error:
            raise ArchiveError("damaged: a symbol that no encoder writes") from error

    def take_escape(self, low: int, high: int) -> int:
        """Return a value outside low..high; mirror of `put_escape`."""
        above, width = self.take(2), self.take(_WIDTHS)
        distance = 1
        for _, bits in _raw_chunks(width - 1):
            distance = (distance << bits) | self.take(1 << bits)
        return high + distance if above else low - distance
