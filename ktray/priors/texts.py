"""Program texts in one raw-deflate stream. Any text that UTF-8 can hold survives, NUL included."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from ktray.errors import ArchiveError

_LEVEL = 9
_RAW = -zlib.MAX_WBITS
#: Longest text taken back from an archive, in bytes; the sandbox caps sources below it.
MAX_TEXT = 1 << 20
#: Longest block of texts taken back, in bytes.
MAX_TEXTS = 1 << 30


def deflate(data: bytes) -> bytes:
    """Return `data` as a raw deflate stream at level 9."""
    return zlib.compress(data, _LEVEL, _RAW)


def deflate_bits(text: str) -> float:
    """Return 8 x the length of the text's own raw deflate, or inf where UTF-8 cannot hold it."""
    try:
        return 8.0 * len(deflate(text.encode()))
    except UnicodeEncodeError:
        return float("inf")


def pack_texts(texts: Sequence[str]) -> bytes:
    """Return `texts` joined and deflated; each ends with NUL, and NUL and SOH inside are escaped by SOH."""
    if not texts:
        return b""
    escaped = [text.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01") for text in texts]
    return deflate("".join(f"{text}\x00" for text in escaped).encode())


def unpack_texts(data: bytes, n: int) -> list[str]:
    """Return the `n` texts of `pack_texts`. Raises ArchiveError where `data` holds something else."""
    if not n:
        if data:
            raise ArchiveError("damaged: program texts where there are no programs")
        return []
    stream = zlib.decompressobj(_RAW)
    joined = stream.decompress(data, min(n * MAX_TEXT, MAX_TEXTS))
    if not stream.eof or stream.unused_data:
        raise ArchiveError("damaged: the block of program texts does not end where it should")
    if (found := joined.count(0)) != n or joined[-1]:
        raise ArchiveError(f"damaged: {found} program texts where {n} are expected")
    texts = joined.decode().split("\x00")
    return [text.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01") for text in texts[:-1]]
