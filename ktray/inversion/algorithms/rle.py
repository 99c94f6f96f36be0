"""Run-length encoding as [character, count] pairs (the published form)."""

from __future__ import annotations

from typing import Any

from ktray.inversion.algorithms.base import make
from ktray.inversion.kinds import Kind


def rle_encode(text: str) -> list[list[Any]]:
    """Compress a text with run-length encoding."""
    runs: list[list[Any]] = []
    for character in text:
        if runs and runs[-1][0] == character:
            runs[-1][1] += 1
        else:
            runs.append([character, 1])
    return runs


def rle_decode(runs: list[list[Any]]) -> str:
    """Restore a text from its RLE runs."""
    text = ""
    for character, count in runs:
        text += character * count
    return text


def _stated_length(runs: list[list[Any]]) -> int:
    return sum(max(0, count) * len(character) for character, count in runs)


ALGORITHM = make(
    "rle",
    "run-length encoding (RLE)",
    ("run-length", "RLE"),
    Kind.PAIRS,
    rle_encode,
    rle_decode,
    stated_length=_stated_length,
)
