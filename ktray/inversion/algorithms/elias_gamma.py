"""Elias gamma codes of the text's code points (plus one), as one bit string."""

from __future__ import annotations

from ktray.inversion.algorithms.base import make
from ktray.inversion.kinds import Kind


def elias_gamma_encode(text: str) -> str:
    """Write each character's code point plus one in the Elias gamma code."""
    bits = ""
    for character in text:
        binary = format(ord(character) + 1, "b")
        bits += "0" * (len(binary) - 1) + binary
    return bits


def elias_gamma_decode(bits: str) -> str:
    """Restore a text from its Elias gamma codes."""
    text = ""
    position = 0
    while position < len(bits):
        zeros = bits.index("1", position) - position
        end = position + 2 * zeros + 1
        if end > len(bits):
            raise ValueError("the bits end inside one Elias gamma code")
        text += chr(int(bits[position + zeros : end], 2) - 1)
        position = end
    return text


ALGORITHM = make(
    "elias_gamma",
    "Elias gamma coding",
    ("Elias gamma", "elias_gamma", "Elias"),
    Kind.BITS,
    elias_gamma_encode,
    elias_gamma_decode,
)
