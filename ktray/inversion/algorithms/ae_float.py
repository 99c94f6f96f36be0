"""Arithmetic coding as published: the middle of the interval, rounded to a float. A compatibility form:
most floats hold too few bits to decode, which the scores of this form inherit."""

from __future__ import annotations

from ktray.inversion.algorithms.base import make
from ktray.inversion.kinds import Kind


def arithmetic_encode(text: str) -> tuple[float, dict[str, int]]:
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
    return (2 * low + width) / (2 * scale), counts


def arithmetic_decode(value: float, counts: dict[str, int]) -> str:
    """Restore a text from its arithmetic code; counts says how often each symbol occurs."""
    from fractions import Fraction

    total = sum(counts.values())
    start = {}
    below = 0
    for symbol in sorted(counts):
        start[symbol] = below
        below += counts[symbol]
    rest = Fraction(value)
    text = ""
    for _ in range(total):
        position = rest * total
        if not 0 <= position < total:
            break
        symbol = max([known for known in start if start[known] <= position], key=start.__getitem__)
        if symbol == "EOF":
            return text
        text += symbol
        # What is left is where the value lies within the symbol's own part.
        rest = (position - start[symbol]) / counts[symbol]
    raise ValueError("the arithmetic code does not reach the end mark")


ALGORITHM = make(
    "ae_float",
    "arithmetic coding",
    ("arithmetic", "AE"),
    Kind.FLOAT,
    arithmetic_encode,
    arithmetic_decode,
    has_side=True,
    lossless=False,
)
