"""`sample`: a small real corpus of every modality, shipped with ktray; its blocks name their `part`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ktray.corpora.audio import MFCC_NOTE, open_audio
from ktray.corpora.blocks import Corpus, CorpusBlock
from ktray.corpora.dna import open_dna
from ktray.corpora.jsonl import open_sequences
from ktray.corpora.plain import open_bytes
from ktray.corpora.selection import NO_LIMIT, Limit, selected_digest

Opener = Callable[[str, Path, int, Limit], Corpus]

SAMPLE_DATA = Path(__file__).parent / "sample_data"

#: Part, opener, name of the corpus, file or folder, bits an element; restored in this order.
_PARTS: tuple[tuple[str, Opener, str, str, int], ...] = (
    ("text", open_bytes, "text", "text.xml", 8),
    ("dna", open_dna, "dna", "dna.fa", 3),
    ("audio16", open_audio, "audio16", ".", 8),  # the FLAC files of the folder itself
    ("audio8", open_audio, "audio8", ".", 8),
    ("mfcc", open_audio, "mfcc", ".", 8),
    ("synthetic", open_sequences, "sequences", "synthetic.jsonl.gz", 8),
)


@dataclass(frozen=True, slots=True)
class MixedCorpus:
    """The parts one after another; each block has its part's kind and element bits.

    `element_bits` is 8 for the whole; what counts is each block's own.
    """

    name: str = "sample"
    element_bits: int = 8
    limit: Limit = NO_LIMIT
    folder: Path = SAMPLE_DATA
    note: str = MFCC_NOTE

    def digest(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for _, opener, name, file, element_bits in _PARTS:
            digest.update(opener(name, self.folder / file, element_bits, NO_LIMIT).digest().encode())
        return selected_digest(digest.hexdigest(), self.limit)

    def blocks(self, chunk: int, block_elements: int) -> Iterator[CorpusBlock]:
        left = self.limit
        for part, opener, name, file, element_bits in _PARTS:
            corpus = opener(name, self.folder / file, element_bits, left)
            for block in corpus.blocks(chunk, block_elements):
                left = left.after(block)
                yield _of_part(block, part)
            if left.exhausted:
                return


def _of_part(block: CorpusBlock, part: str) -> CorpusBlock:
    # The speech is there three times: its part keeps the ids of its sequences apart.
    origins = tuple(replace(origin, name=f"{part}/{origin.name}") for origin in block.origins)
    return replace(block, part=part, origins=origins)
