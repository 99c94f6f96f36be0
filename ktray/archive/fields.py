"""The archive's elementary fields: unsigned integers, texts, bytes, and bytes deflated where that is smaller.

Reading is bounded: a field is checked against what is left and against its limit before anything is
allocated, and every value has exactly one encoding.
"""

from __future__ import annotations

import zlib

from ktray.coding.varint import varint
from ktray.errors import ArchiveError

#: Unsigned integers are below 2^63, that is at most nine bytes of seven bits.
UINT_LIMIT = (1 << 63) - 1


def uint(value: int) -> bytes:
    """Return `value` (0 .. 2^63 - 1) in base 128, least digit first, high bit set on all but the last."""
    if not 0 <= value <= UINT_LIMIT:
        raise ValueError(f"{value} is not in 0..2^63-1")
    return varint(value)


def blob(data: bytes) -> bytes:
    """Return `data` after its length."""
    return uint(len(data)) + data


def text(value: str) -> bytes:
    """Return `value` as a blob of UTF-8; bytes of a file name that are no UTF-8 survive as they were."""
    return blob(value.encode("utf-8", "surrogateescape"))


def squeezed(data: bytes) -> bytes:
    """Return `data` after its own and its stored length; it is deflated if and only if that is shorter."""
    deflated = zlib.compress(data, 9)
    stored = deflated if len(deflated) < len(data) else data
    return uint(len(data)) + blob(stored)


class FieldReader:
    """Reads fields off `data`; every surprise is an ArchiveError that names `what` is being read."""

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    def uint(self, limit: int = UINT_LIMIT) -> int:
        """Read an unsigned integer of at most `limit`."""
        value = 0
        for shift in range(0, 63, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise self.damaged("a number is longer than it needs to be")
                return self._within(value, limit)
        raise self.damaged("a number has more than 63 bits")

    def take(self, size: int) -> bytes:
        """Read `size` bytes."""
        left = len(self._data) - self._at
        if size > left:
            raise self.damaged(f"{size} bytes expected, {left} are left")
        self._at += size
        return self._data[self._at - size : self._at]

    def blob(self, limit: int = UINT_LIMIT) -> bytes:
        """Read bytes after their length, which is at most `limit`."""
        return self.take(self.uint(limit))

    def text(self, limit: int = 1 << 16) -> str:
        """Read a text of at most `limit` bytes."""
        return self.blob(limit).decode("utf-8", "surrogateescape")

    def squeezed(self, limit: int) -> bytes:
        """Read what `squeezed` wrote, of at most `limit` bytes when inflated."""
        size = self.uint(limit)
        stored = self.blob(size)
        return stored if len(stored) == size else self._inflate(stored, size)

    def end(self) -> None:
        """Check that nothing is left."""
        if self._at != len(self._data):
            raise self.damaged(f"{len(self._data) - self._at} bytes too many")

    def damaged(self, why: str) -> ArchiveError:
        """Return the error to raise for `why`."""
        return ArchiveError(f"{self._what} is damaged: {why}")

    def _within(self, value: int, limit: int) -> int:
        if value > limit:
            raise self.damaged(f"found {value} where at most {limit} is possible")
        return value

    def _inflate(self, stored: bytes, size: int) -> bytes:
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(stored, size + 1)
        except zlib.error as error:
            raise self.damaged(str(error)) from None
        if len(data) != size or not inflater.eof or inflater.unused_data:
            raise self.damaged(f"a field does not inflate to its {size} bytes")
        return data
