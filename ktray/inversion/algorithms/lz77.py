"""LZ77 as [offset, length, next character] triples, longest match first, nearest among equals."""

from __future__ import annotations

from typing import Any

from ktray.inversion.algorithms.base import make
from ktray.inversion.kinds import Kind


def lz77_encode(text: str) -> list[list[Any]]:
    """Compress a text with LZ77 coding, looking back at most 255 characters."""
    triples = []
    position = 0
    while position < len(text):
        offset, length = 0, 0
        # The last character of a triple is always written out, so a match ends before it.
        while position + length + 1 < len(text):
            wanted = text[position : position + length + 1]
            found = text.rfind(wanted, max(0, position - 255), position + length)
            if found < 0:
                break
            offset, length = position - found, length + 1
        triples.append([offset, length, text[position + length]])
        position += length + 1
    return triples


def lz77_decode(triples: list[list[Any]]) -> str:
    """Restore a text from its LZ77 triples."""
    text = ""
    for offset, length, character in triples:
        if not 0 <= offset <= len(text) or (length > 0) != (offset > 0):
            raise ValueError("a triple that points outside the text")
        for _ in range(length):
            text += text[-offset]
        text += character
    return text


def _stated_length(triples: list[list[Any]]) -> int:
    return sum(max(0, length) + len(character) for _, length, character in triples)


ALGORITHM = make(
    "lz77",
    "Lempel-Ziv 1977 (LZ77) compression",
    ("Lempel-Ziv 1977", "LZ77"),
    Kind.TRIPLES,
    lz77_encode,
    lz77_decode,
    stated_length=_stated_length,
)
