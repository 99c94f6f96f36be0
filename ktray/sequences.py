"""Sequences: what is compressed. A sequence's id is a function of its corpus and its position alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.uint8]

#: Most elements of a block of sequences.
MAX_BLOCK_ELEMENTS = 1 << 28


@dataclass(frozen=True, slots=True)
class KtSequence:
    """One piece of a corpus.

    `origin` names the file, record or line that it was cut from, `start` is its offset there in
    elements, `values` has shape (length,) and dtype uint8. Two sequences are equal when their ids are:
    the id holds a hash of the content.
    """

    id: str
    origin: str = field(compare=False)
    start: int = field(compare=False)
    values: Values = field(compare=False)

    def __len__(self) -> int:
        return len(self.values)


def content_hash(data: bytes) -> str:
    """Return 16 hex digits (64 bits) of BLAKE2b over `data`."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def sequence_id(origin: str, start: int, values: Values) -> str:
    """Return the id of a piece: origin, start and length in elements, and a hash of the content."""
    return f"{origin}:{start}+{len(values)}:{content_hash(values.tobytes())}"


def make_sequence(origin: str, start: int, values: Values) -> KtSequence:
    """Return the sequence of `values` (uint8) found at element `start` of `origin`."""
    return KtSequence(sequence_id(origin, start, values), origin, start, values)
