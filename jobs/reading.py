"""What every job that reads a corpus sets about it, and how it opens and stores the corpus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ktray.blockstore import Manifest, store_corpus
from ktray.config import option
from ktray.corpora import open_corpus
from ktray.corpora.blocks import Corpus
from ktray.corpora.cutting import AutoCut
from ktray.corpora.selection import parse_limit
from ktray.errors import ConfigError
from ktray.job import console
from ktray.progress import progress

#: What `--chunk` says where boundaries are to be found, and the chunks that blocks are made of before.
AUTO, _NOMINAL = "auto", 128


@dataclass(frozen=True)
class CorpusConfig:
    """Which corpus, how much of it, and how it is cut; only `corpus` has no default."""

    corpus: str = option(
        "", "the corpus: text, enwik8, enwik9, dna, audio16, audio8, mfcc, sequences, synthetic, file, sample"
    )
    input: Path | None = option(None, "the corpus's file or folder (not needed for downloads and sample)")
    chunk: int | str = option(128, "length in elements that files are cut into; auto: where programs begin")
    block: str = option("16MB", "block size in elements; blocks are coded and restored independently")
    shard: int = option(256, "sequences a shard; a shard is proposed, verified and committed at once")
    element_bits: int | None = option(
        None, "bits an element counts for (default: the corpus's own; 8, dna 3)"
    )
    limit: str | None = option(None, "only the first so much of the corpus: 1MB or 500seq")
    sample: int | None = option(None, "only so many sequences, drawn with --seed")
    seed: int = option(0, "seed of whatever is drawn")
    cache_dir: Path | None = option(None, "where downloads are kept (default: the user's cache folder)")

    def open(self) -> Corpus:
        """Open the corpus. Raises CorpusError or ConfigError."""
        if not self.corpus:
            raise ConfigError(
                "no corpus given; name one with --corpus (text, dna, audio16, sequences, file, sample, ...)"
            )
        self._block_elements()
        if self.chunk == AUTO and self.sample:
            raise ConfigError("--chunk auto does not go with --sample; leave one of them out")
        corpus = open_corpus(
            self.corpus,
            self.input,
            element_bits=self.element_bits,
            limit=self.limit,
            sample=self.sample,
            seed=self.seed,
            cache_dir=self.cache_dir,
        )
        return AutoCut(corpus) if self.chunk == AUTO else corpus

    def fingerprint(self, corpus: Corpus) -> dict[str, Any]:
        """Return what a run directory must agree on: the corpus and how it is cut."""
        names = ("corpus", "limit", "sample", "chunk", "block", "shard")
        return {
            **{name: getattr(self, name) for name in names},
            "digest": corpus.digest(),
            "element_bits": corpus.element_bits,
            "seed": self.seed if self.sample or self.corpus == "synthetic" else 0,
        }

    def store(self, corpus: Corpus, folder: Path) -> Manifest:
        """Write the corpus's blocks into `folder`, unless they are there.

        Raises ConfigError where the block size is none.
        """
        with progress(console, "reading", None, "elements") as advance:
            return store_corpus(
                corpus, folder, self._chunk_elements(), self._block_elements(), lambda n: advance(n, "")
            )

    def require(self, **least: int) -> None:
        """Raise ConfigError where one of the numbers so named is less than given."""
        for name, smallest in least.items():
            number = self._chunk_elements() if name == "chunk" else getattr(self, name)
            if number < smallest:
                raise ConfigError(f"--{name.replace('_', '-')} is {number}, expected {smallest} or more")

    def _block_elements(self) -> int:
        bits = parse_limit(self.block, "--block").bits
        if bits is None:
            raise ConfigError(f"--block {self.block}: expected a size such as 16MB")
        return max(1, bits // 8)

    def _chunk_elements(self) -> int:
        """Return the length of a chunk; where it is found, one that only positions in names depend on."""
        if isinstance(self.chunk, int):
            return self.chunk
        if self.chunk != AUTO:
            raise ConfigError(
                f"--chunk is {self.chunk!r}, expected a number of elements such as 128, or auto"
            )
        return _NOMINAL
