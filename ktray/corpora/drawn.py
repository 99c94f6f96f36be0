"""`synthetic`: sequences drawn from the DSL without end, so that a limit says where to stop.

`--input` names a preset of the sampler and `--seed` the draw; nothing is read from disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ktray.corpora.blocks import CorpusBlock
from ktray.corpora.chunking import check_chunk
from ktray.corpora.jsonl import limited, sequence_blocks
from ktray.corpora.selection import NO_LIMIT, Limit, parse_limit, selected_digest
from ktray.corpora.synthetic import preset, sample_columns
from ktray.errors import ConfigError

_DEFAULT_PRESET = "published"
_DEFAULT_SIZE = "1MB"
_SHARD = 1000


@dataclass(frozen=True, slots=True)
class SyntheticCorpus:
    """What the sampler draws with a preset and a seed; every block has `chunk` 0."""

    name: str
    preset: str
    seed: int
    limit: Limit
    element_bits: int = 8

    def digest(self) -> str:
        return selected_digest(f"{preset(self.preset)} {self.seed}", self.limit)

    def blocks(self, chunk: int, block_elements: int) -> Iterator[CorpusBlock]:
        check_chunk(max(chunk, 1), block_elements)
        whole = limited(self._drawn(), self.limit, self.element_bits)
        yield from sequence_blocks(whole, f"{self.preset}-{self.seed}", self.element_bits, block_elements)

    def _drawn(self) -> Iterator[bytes]:
        settings, shard = preset(self.preset), 0
        while True:
            for _, values in sample_columns(settings, self.seed, shard, _SHARD).rows():
                yield values.tobytes()
            shard += 1


def open_synthetic(name: str, wanted: str | None, seed: int, limit: Limit) -> SyntheticCorpus:
    """Open the draw of a preset, 1 MB of it where nothing is said. Raises ConfigError for an unknown one."""
    chosen = wanted or _DEFAULT_PRESET
    preset(chosen)
    if seed < 0:
        raise ConfigError(f"--seed {seed}: expected 0 or more")
    return SyntheticCorpus(name, chosen, seed, parse_limit(_DEFAULT_SIZE) if limit == NO_LIMIT else limit)
