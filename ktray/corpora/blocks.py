"""The contract of every corpus: a stream of blocks that restore independently.

`restore(kind, values, lengths, side)` of a block gives exactly the bytes that the block stands for;
the corpus is the blocks' bytes one after another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ktray.sequences import KtSequence, Values, make_sequence


@dataclass(frozen=True, slots=True)
class Origin:
    """A run of consecutive sequences of a block that come from one origin, from element `start` of it."""

    name: str
    start: int
    sequences: int


@dataclass(frozen=True, slots=True)
class CorpusBlock:
    """Consecutive sequences of one corpus, at most a few MB of them, with what restoring them needs.

    `values` (uint8) holds all elements one after another; `lengths` (int64, shape (n,)) cuts them into
    sequences; `origins` says where they came from (their counts sum to n). `kind` names the
    restorer; `side` is its private data (already compact); `units` is how many units `--range` counts
    here (bytes, or sequences for kind "sequences"); `restored_bytes` is the length of the restored bytes.
    `chunk` is the length that every sequence has but the last of an origin, or 0 where boundaries are
    the corpus's own. `part` names the modality within a mixed corpus ("" otherwise).
    """

    kind: str
    values: Values
    lengths: NDArray[np.int64]
    origins: tuple[Origin, ...]
    element_bits: int
    chunk: int
    side: bytes
    units: int
    restored_bytes: int
    part: str = ""

    def sequences(self) -> Iterator[KtSequence]:
        """Yield the block's sequences in order."""
        ends = np.cumsum(self.lengths)
        i = 0
        for origin in self.origins:
            start = origin.start
            for _ in range(origin.sequences):
                values = self.values[ends[i] - self.lengths[i] : ends[i]]
                # An element position tells pieces of one origin apart; whole records count by number.
                yield make_sequence(origin.name, start, values)
                start += len(values) if self.chunk else 1
                i += 1


@dataclass(frozen=True, slots=True)
class DerivedCorpus:
    """A corpus made of another: it keeps the name, the bits an element, and the note where there is one."""

    whole: Corpus

    @property
    def name(self) -> str:
        return self.whole.name

    @property
    def element_bits(self) -> int:
        return self.whole.element_bits

    @property
    def note(self) -> str:
        return str(getattr(self.whole, "note", ""))


class Corpus(Protocol):
    """An open corpus. `digest` (hex) identifies its content; `blocks` streams it in bounded memory."""

    @property
    def name(self) -> str: ...

    @property
    def element_bits(self) -> int: ...

    def digest(self) -> str: ...

    def blocks(self, chunk: int, block_elements: int) -> Iterator[CorpusBlock]: ...
