"""Sequences drawn from all of a corpus (`--sample`); they keep the ids that they have in the whole corpus."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ktray.corpora.blocks import CorpusBlock, DerivedCorpus, Origin
from ktray.corpora.chunking import MAX_ORIGINS
from ktray.corpora.jsonl import lines_bytes
from ktray.corpora.selection import selected_digest


@dataclass(frozen=True, slots=True)
class SampledCorpus(DerivedCorpus):
    """`count` sequences drawn without replacement from `whole` by `seed`, in the order of the corpus.

    What is restored is the drawn sequences themselves: their elements as bytes one after another, or a
    line each where the corpus is one of `sequences`.
    """

    count: int
    seed: int

    @property
    def note(self) -> str:
        drawn = f"{self.count} sequences drawn with seed {self.seed}; these alone are restored"
        return "; ".join(filter(None, [drawn, super(SampledCorpus, self).note]))

    def digest(self) -> str:
        return selected_digest(self.whole.digest(), f"sample={self.count} seed={self.seed}")

    def blocks(self, chunk: int, block_elements: int) -> Iterator[CorpusBlock]:
        total = sum(len(block.lengths) for block in self.whole.blocks(chunk, block_elements))
        drawn = random.Random(self.seed).sample(range(total), min(self.count, total))
        picks = np.sort(np.array(drawn, dtype=np.int64))
        yield from _merged(self._picked(picks, chunk, block_elements), block_elements)

    def _picked(self, picks: NDArray[np.int64], chunk: int, block_elements: int) -> Iterator[CorpusBlock]:
        before = 0
        for block in self.whole.blocks(chunk, block_elements):
            size = len(block.lengths)
            low, high = np.searchsorted(picks, [before, before + size])
            if low < high:
                yield pick_sequences(block, picks[low:high] - before)
            before += size


def pick_sequences(block: CorpusBlock, picks: NDArray[np.int64]) -> CorpusBlock:
    """Return the block's sequences numbered `picks` (increasing) as a block that stands alone."""
    ends = np.cumsum(block.lengths)
    values = [block.values[ends[i] - block.lengths[i] : ends[i]] for i in picks]
    lengths = block.lengths[picks]
    origins = tuple(_places(block, picks))
    return _restoring_itself(replace(block, values=np.concatenate(values), lengths=lengths, origins=origins))


def _places(block: CorpusBlock, picks: NDArray[np.int64]) -> Iterator[Origin]:
    firsts = np.cumsum([0] + [origin.sequences for origin in block.origins])
    for i in picks:
        o = int(np.searchsorted(firsts, i, side="right")) - 1
        offset = int(i - firsts[o]) * (block.chunk or 1)
        yield Origin(block.origins[o].name, block.origins[o].start + offset, 1)


def _restoring_itself(block: CorpusBlock) -> CorpusBlock:
    if block.kind == "sequences":
        written = lines_bytes(block.values, block.lengths)
        return replace(block, units=len(block.lengths), restored_bytes=written)
    size = len(block.values)
    return replace(block, kind="bytes", side=b"", units=size, restored_bytes=size)


def _merged(blocks: Iterator[CorpusBlock], block_elements: int) -> Iterator[CorpusBlock]:
    """Join neighbours of one kind and part until a block has `block_elements`, so that few are small."""
    held: list[CorpusBlock] = []
    for block in blocks:
        full = sum(len(other.values) for other in held) + len(block.values) > block_elements
        full |= sum(len(other.origins) for other in held) + len(block.origins) > MAX_ORIGINS
        if held and (full or _nature(held[0]) != _nature(block)):
            yield _joined(held)
            held = []
        held.append(block)
    if held:
        yield _joined(held)


def _nature(block: CorpusBlock) -> tuple[str, str, int, int]:
    return block.kind, block.part, block.element_bits, block.chunk


def _joined(blocks: list[CorpusBlock]) -> CorpusBlock:
    return replace(
        blocks[0],
        values=np.concatenate([block.values for block in blocks]),
        lengths=np.concatenate([block.lengths for block in blocks]),
        origins=tuple(origin for block in blocks for origin in block.origins),
        units=sum(block.units for block in blocks),
        restored_bytes=sum(block.restored_bytes for block in blocks),
    )
