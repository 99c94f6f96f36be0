"""From blocks back to bytes: one restorer a kind, each the mirror of the corpus that makes such blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ktray.corpora import audio, fasta, jsonl, plain
from ktray.corpora.blocks import CorpusBlock
from ktray.errors import ArchiveError
from ktray.sequences import Values

Restorer = Callable[[Values, NDArray[np.int64], bytes], bytes]

RESTORERS: dict[str, Restorer] = {
    plain.KIND: plain.restore_bytes,
    jsonl.KIND: jsonl.restore_lines,
    fasta.KIND: fasta.restore_fasta,
    **dict.fromkeys(audio.KINDS.values(), audio.restore_audio),
}


def restore(kind: str, values: Values, lengths: NDArray[np.int64], side: bytes) -> bytes:
    """Return exactly the bytes that a block stands for; raises ArchiveError where its parts do not fit.

    `values` is uint8 of shape (elements,), `lengths` int64 of shape (sequences,).
    """
    restorer = RESTORERS.get(kind)
    if restorer is None:
        raise ArchiveError(f"the archive has blocks of the unknown kind {kind!r}; a newer ktray may read it")
    try:
        return restorer(values, lengths, side)
    except (ValueError, IndexError, OverflowError) as error:
        raise ArchiveError(
            f"a {kind} block does not fit together ({error}); make the archive again"
        ) from None


def restore_block(block: CorpusBlock) -> bytes:
    """Return the bytes that `block` stands for."""
    return restore(block.kind, block.values, block.lengths, block.side)


@dataclass(frozen=True, slots=True)
class OriginRow:
    """What a block has of one origin, for listings: elements `start` .. `start + elements` of it in
    `sequences` sequences, in a block whose restored bytes begin at byte `block_offset` of the corpus.

    `offset` is the byte at which the piece itself begins in what is restored; for a FASTA, whose headers
    and line ends lie between, it is the block's.
    """

    part: str
    kind: str
    name: str
    start: int
    sequences: int
    elements: int
    block_offset: int
    offset: int


def origin_table(blocks: Iterable[CorpusBlock]) -> Iterator[OriginRow]:
    """Yield a row for each origin of each block, in order."""
    block_offset = 0
    for block in blocks:
        yield from _rows(block, block_offset)
        block_offset += block.restored_bytes


def _rows(block: CorpusBlock, block_offset: int) -> Iterator[OriginRow]:
    ends, first, before = np.cumsum(block.lengths), 0, 0
    for origin in block.origins:
        after = int(ends[first + origin.sequences - 1]) if first + origin.sequences else 0
        offset = block_offset + _bytes_before(block, first, before)
        shape = origin.start, origin.sequences, after - before
        yield OriginRow(block.part, block.kind, origin.name, *shape, block_offset, offset)
        first, before = first + origin.sequences, after


def _bytes_before(block: CorpusBlock, sequence: int, element: int) -> int:
    if block.kind == fasta.KIND:
        return 0
    if block.kind == jsonl.KIND:
        return jsonl.lines_bytes(block.values[:element], block.lengths[:sequence])
    return element
