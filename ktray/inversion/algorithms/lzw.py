"""LZW over the UTF-8 bytes of the text; new phrases get codes from 256 (the published form)."""

from __future__ import annotations

from ktray.inversion.algorithms.base import make
from ktray.inversion.kinds import Kind


def lzw_encode(text: str) -> list[int]:
    """Compress a text with LZW coding."""
    # Every single byte is a phrase from the start; longer phrases are numbered from 256.
    table = {bytes([byte]): byte for byte in range(256)}
    codes = []
    phrase = b""
    for byte in text.encode("utf-8"):
        longer = phrase + bytes([byte])
        if longer in table:
            phrase = longer
        else:
            codes.append(table[phrase])
            table[longer] = len(table)
            phrase = bytes([byte])
    if phrase:
        codes.append(table[phrase])
    return codes


def lzw_decode(codes: list[int]) -> str:
    """Restore a text from its LZW codes."""
    table = {byte: bytes([byte]) for byte in range(256)}
    data = b""
    phrase = b""
    for code in codes:
        if code in table:
            entry = table[code]
        elif phrase and code == len(table):
            # The one phrase that may be used before it is finished: it ends as it begins.
            entry = phrase + phrase[:1]
        else:
            raise ValueError("a code that no LZW encoder writes here")
        data += entry
        if phrase:
            table[len(table)] = phrase + entry[:1]
        phrase = entry
    return data.decode("utf-8")


ALGORITHM = make(
    "lzw",
    "Lempel-Ziv-Welch (LZW) compression",
    ("Lempel-Ziv-Welch", "LZW"),
    Kind.INTS,
    lzw_encode,
    lzw_decode,
)
