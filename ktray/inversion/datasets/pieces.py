"""What texts of every category are made of."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

#: Draws one text; `length` in characters is a wish that structured categories meet roughly.
Category = Callable[[Random, int], str]

UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER = UPPER.lower()
WORDS = [
    "river", "stone", "window", "paper", "engine", "garden", "silver", "letter", "market", "signal",
    "bridge", "candle", "harbor", "winter", "pattern", "number", "carries", "between", "slowly", "under",
    "bright", "follows", "every", "quiet", "open", "near", "after", "small",
]  # fmt: skip


def fill(rng: Random, length: int, piece: Callable[[Random], str], joint: str) -> str:
    """Return pieces joined until they reach the length."""
    text = piece(rng)
    while len(text) < length:
        text += joint + piece(rng)
    return text


def cycle(block: str, length: int) -> str:
    """Return a block repeated, cut at `length` characters, at least one."""
    return (block * (length // len(block) + 1))[: max(1, length)]


def letters(rng: Random, alphabet: str, length: int) -> str:
    """Return `length` characters of an alphabet, at least one."""
    return "".join(rng.choices(alphabet, k=max(1, length)))


def address(rng: Random) -> str:
    """Return an IPv4 address of a private network."""
    return f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
