"""What a block keeps on the side: columns of integers and text, packed tightly.

`unsqueeze(squeeze(data)) == data` and `read_columns(write_columns(c), len(c)) == c`; a side that is not
one of ours raises `ArchiveError`, never another error.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ktray.errors import ArchiveError

Column = NDArray[np.int64]

_STORED, _DEFLATE, _LZMA = b"\x00", b"\x01", b"\x02"
_LZMA_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 22}]
#: Below this size LZMA does not win, and setting it up takes milliseconds.
_WORTH_LZMA = 256
_WIDTHS = (1, 2, 4, 8)
#: No block has a longer side, packed or not.
_MOST_BYTES = 1 << 28


def squeeze(data: bytes) -> bytes:
    """Return `data` stored, deflated or as raw LZMA2, whatever is shortest, behind a byte that says which."""
    if not data:
        return b""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    forms = [_STORED + data, _DEFLATE + deflater.compress(data) + deflater.flush()]
    if len(data) >= _WORTH_LZMA:
        forms.append(_LZMA + lzma.compress(data, format=lzma.FORMAT_RAW, filters=_LZMA_FILTERS))
    return min(forms, key=len)


def unsqueeze(side: bytes) -> bytes:
    """Return what `squeeze` was given; raises ArchiveError where `side` is damaged."""
    form, body = side[:1], side[1:]
    try:
        if form == _DEFLATE:
            inflater = zlib.decompressobj(-15)
            return _whole(inflater.decompress(body, _MOST_BYTES), inflater.eof)
        if form == _LZMA:
            unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_LZMA_FILTERS)
            return _whole(unpacker.decompress(body, _MOST_BYTES), unpacker.eof)
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise ArchiveError(
            f"a block's side data is damaged ({error}); the archive must be made again"
        ) from None
    if form not in (_STORED, b""):
        raise ArchiveError(f"a block's side data has the unknown form {form!r}; a newer ktray may read it")
    return body


def _whole(data: bytes, ended: bool) -> bytes:
    if not ended:
        raise EOFError("it ends too early, or never")
    return data


def write_columns(columns: Sequence[Column]) -> bytes:
    """Return non-negative integers, column by column: width in bytes, count (4 bytes), then the numbers."""
    out = bytearray()
    for column in columns:
        width = _width(column)
        out += bytes([width]) + len(column).to_bytes(4, "little") + column.astype(f"<u{width}").tobytes()
    return bytes(out)


def _width(column: Column) -> int:
    top = int(column.max()) if len(column) else 0
    return next(width for width in _WIDTHS if top < 1 << 8 * width)


def read_columns(data: bytes, count: int) -> tuple[list[Column], bytes]:
    """Return the first `count` columns (int64) of `data`, and the bytes behind them.

    Raises ArchiveError where they are cut short.
    """
    columns, at = [], 0
    for _ in range(count):
        width, size = data[at : at + 1], int.from_bytes(data[at + 1 : at + 5], "little")
        end = at + 5 + size * (width[0] if width else 0)
        if not width or width[0] not in _WIDTHS or end > len(data):
            raise ArchiveError("a block's side data is cut short; the archive must be made again")
        columns.append(np.frombuffer(data[at + 5 : end], dtype=f"<u{width[0]}").astype(np.int64))
        at = end
    return columns, data[at:]
