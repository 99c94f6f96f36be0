"""Whole numbers in base 128: seven bits a byte, low ones first, the high bit set on all bytes but the last."""

from __future__ import annotations

from ktray.errors import ArchiveError

#: Numbers that `read_varint` takes have at most so many bytes, 35 bits.
_MOST_BYTES = 5


def varint(value: int) -> bytes:
    """Return the bytes of `value`, 0 or more."""
    out = bytearray()
    while value > 0x7F:
        out.append(0x80 | (value & 0x7F))
        value >>= 7
    return bytes([*out, value])


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at byte `at` of `data`, below 2**35, and where it ends.

    Raises ArchiveError where the data ends first or the number is longer.
    """
    value = 0
    for i, byte in enumerate(data[at : at + _MOST_BYTES]):
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, at + i + 1
    raise ArchiveError("damaged: a block's header ends within a number, or the number is too long")
