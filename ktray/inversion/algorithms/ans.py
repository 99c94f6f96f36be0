"""Asymmetric numeral systems (rANS) in exact integers: the whole text is one state, written in binary.
The side is the symbols' counts, which also tell how many symbols there are."""

from __future__ import annotations

from ktray.inversion.algorithms.base import make
from ktray.inversion.kinds import Kind


def ans_encode(text: str) -> tuple[str, dict[str, int]]:
    """Compress a text with ANS coding; the side is how often each character occurs."""
    counts: dict[str, int] = {}
    for character in text:
        counts[character] = counts.get(character, 0) + 1
    total = len(text)
    start = {}
    below = 0
    for character in sorted(counts):
        start[character] = below
        below += counts[character]
    # The decoder takes the characters off the state in the reverse order.
    state = 1
    for character in reversed(text):
        quotient, rest = divmod(state, counts[character])
        state = quotient * total + start[character] + rest
    return format(state, "b"), counts


def ans_decode(bits: str, counts: dict[str, int]) -> str:
    """Restore a text from its ANS code; counts says how often each character occurs."""
    total = sum(counts.values())
    start = {}
    below = 0
    for character in sorted(counts):
        start[character] = below
        below += counts[character]
    state = int(bits, 2)
    text = ""
    for _ in range(total):
        quotient, slot = divmod(state, total)
        character = max([known for known in start if start[known] <= slot], key=start.__getitem__)
        state = counts[character] * quotient + slot - start[character]
        text += character
    if state != 1:
        raise ValueError("a state that no ANS encoder ends in")
    return text


ALGORITHM = make(
    "ans",
    "asymmetric numeral systems (ANS)",
    ("asymmetric numeral systems", "ANS"),
    Kind.BITS,
    ans_encode,
    ans_decode,
    has_side=True,
)
