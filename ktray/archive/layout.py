"""How a block's elements are cut into sequences, and where these came from.

Invariant: sequences of a fixed chunk length need no stored lengths; the number of elements that each
origin has in the block tells them. Other boundaries are the prior's to code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ktray.archive.fields import FieldReader, squeezed, text, uint
from ktray.archive.format import (
    MAX_BLOCK_ORIGINS,
    MAX_BLOCK_SEQUENCES,
    MAX_ORIGINS_BYTES,
)
from ktray.corpora.blocks import CorpusBlock, Origin
from ktray.errors import ArchiveError
from ktray.sequences import MAX_BLOCK_ELEMENTS

Lengths = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """A block's origins, and its sequences' lengths (int64, shape (n,)), None where the prior codes them."""

    origins: tuple[Origin, ...]
    lengths: Lengths | None

    @property
    def sequences(self) -> int:
        """The number n of sequences."""
        return sum(origin.sequences for origin in self.origins)


def layout_of(block: CorpusBlock) -> Layout:
    """Return the layout of `block`; its lengths are left out unless its chunk length gives them."""
    if block.chunk:
        counts, lengths = cut(origin_elements(block), block.chunk)
        same = [origin.sequences for origin in block.origins] == counts.tolist()
        if same and np.array_equal(lengths, block.lengths):
            return Layout(block.origins, lengths)
    return Layout(block.origins, None)


def origin_elements(block: CorpusBlock) -> Lengths:
    """Return how many elements of `block` each origin has (int64, shape (origins,))."""
    bounds = np.cumsum([0, *(origin.sequences for origin in block.origins)])
    ends = np.concatenate([[0], np.cumsum(block.lengths)])
    return np.asarray(np.diff(ends[bounds]), dtype=np.int64)


def cut(elements: Lengths, chunk: int) -> tuple[Lengths, Lengths]:
    """Return how many sequences of `chunk` elements each origin gives, and all sequences' lengths.

    Only the last sequence of an origin may be shorter than `chunk`, and none is empty.
    """
    counts = -(-elements // chunk)
    lengths = np.full(int(counts.sum()), chunk, dtype=np.int64)
    some = counts > 0
    lengths[np.cumsum(counts)[some] - 1] = (elements - (counts - 1) * chunk)[some]
    return counts, lengths


def pack_layout(block: CorpusBlock, layout: Layout) -> bytes:
    """Return the bytes of `layout`: for each origin its name, start, and elements or, uncut, sequences.

    Raises ArchiveError where it is too long for the format.
    """
    derived = layout.lengths is not None
    amounts = origin_elements(block).tolist() if derived else [o.sequences for o in block.origins]
    columns = [uint(len(block.origins))]
    columns += (text(origin.name) for origin in block.origins)
    columns += (uint(origin.start) for origin in block.origins)
    columns += map(uint, amounts)
    body = b"".join(columns)
    if len(body) > MAX_ORIGINS_BYTES or len(block.origins) > MAX_BLOCK_ORIGINS:
        raise ArchiveError(f"{len(block.origins)} origins are more than one block holds; use smaller blocks")
    return bytes([derived]) + squeezed(body)


def unpack_layout(fields: FieldReader, chunk: int) -> Layout:
    """Read the layout of a block of chunk length `chunk`; mirror of `pack_layout`."""
    derived = fields.uint(1 if chunk else 0) == 1
    table = FieldReader(fields.squeezed(MAX_ORIGINS_BYTES), "a block's table of origins")
    n = table.uint(MAX_BLOCK_ORIGINS)
    names = [table.text() for _ in range(n)]
    starts = [table.uint() for _ in range(n)]
    amounts = [table.uint(MAX_BLOCK_ELEMENTS) for _ in range(n)]
    table.end()
    lengths = None
    if derived:
        if sum(amounts) > MAX_BLOCK_ELEMENTS or sum(-(-a // chunk) for a in amounts) > MAX_BLOCK_SEQUENCES:
            raise table.damaged("it counts more elements than a block holds")
        counts, lengths = cut(np.array(amounts, dtype=np.int64), chunk)
        amounts = counts.tolist()
    return Layout(tuple(map(Origin, names, starts, amounts)), lengths)
