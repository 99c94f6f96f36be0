"""Arithmetic coding in exact integers: the code is the shortest bit string all of whose continuations
stay in the text's interval, so that it certifies its own decoding. The side is the symbols' counts.

Symbols are ordered as strings, the end mark "EOF" among them, as in the published float form.
"""

from __future__ import annotations

from ktray.inversion.algorithms.base import make
from ktray.inversion.kinds import Kind


def arithmetic_encode(text: str) -> tuple[str, dict[str, int]]:
    """Compress a text with arithmetic coding; the side is how often each symbol occurs."""
    counts: dict[str, int] = {}
    for symbol in [*text, "EOF"]:
        counts[symbol] = counts.get(symbol, 0) + 1
    total = sum(counts.values())
    start = {}
    below = 0
    for symbol in sorted(counts):
        start[symbol] = below
        below += counts[symbol]
    # The interval is [low / scale, (low + width) / scale), in whole numbers.
    low, width, scale = 0, 1, 1
    for symbol in [*text, "EOF"]:
        low = low * total + width * start[symbol]
        width = width * counts[symbol]
        scale = scale * total
    length = (scale // width).bit_length() - 1
    number = -((-low << length) // scale)
    while (number + 1) * scale > (low + width) << length:
        length += 1
        number = -((-low << length) // scale)
    bits = format(number, "b").zfill(length) if length else ""
    return bits, counts


def arithmetic_decode(bits: str, counts: dict[str, int]) -> str:
    """Restore a text from its arithmetic code; counts says how often each symbol occurs."""
    total = sum(counts.values())
    start = {}
    below = 0
    for symbol in sorted(counts):
        start[symbol] = below
        below += counts[symbol]
    # The bits are the digits of number / whole in base 2.
    number, whole = int("0" + bits, 2), 2 ** len(bits)
    low, width, scale = 0, 1, 1
    text = ""
    for _ in range(total):
        # Where number / whole lies in the interval, in units of 1 / total of its width.
        position = (number * scale - low * whole) * total // (width * whole)
        symbol = max([known for known in start if start[known] <= position], key=start.__getitem__)
        low = low * total + width * start[symbol]
        width = width * counts[symbol]
        scale = scale * total
        if (number + 1) * scale > (low + width) * whole:
            break
        if symbol == "EOF":
            return text
        text += symbol
    raise ValueError("the arithmetic code does not reach the end mark")


ALGORITHM = make(
    "ae",
    "arithmetic coding",
    ("arithmetic", "AE"),
    Kind.BITS,
    arithmetic_encode,
    arithmetic_decode,
    has_side=True,
)
