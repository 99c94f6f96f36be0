"""Programs that the searcher finds for sampled sequences: what people's archives hold, unlike the sampler's own.

A line of JSON a sequence: `{"sequence": [...], "programs": [text, ...]}`. The same seed gives the same file.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator
from pathlib import Path

from ktray.commit import committed
from ktray.corpora.pairs import sequence_hash
from ktray.corpora.synthetic import SamplerSettings, sample_columns
from ktray.proposers.replay import read_lines, sequence_values
from ktray.proposers.search import SearchProposer, SearchSettings
from ktray.sequences import KtSequence, Values


def drawn(seed: int, count: int, excluded: Container[int]) -> Iterator[Values]:
    """Yield sequences of the published sampler's first shard under `seed`, without those excluded by hash."""
    for _, values in sample_columns(SamplerSettings(), seed, 0, count).rows():
        if sequence_hash(values.tobytes()) not in excluded:
            yield values


def excluded_hashes(path: Path | None) -> set[int]:
    """Return the hashes of a JSONL file's sequences; none without a file. Raises CorpusError."""
    if path is None:
        return set()
    lines = read_lines(path)
    return {sequence_hash(sequence_values(row, f"{path} line {n}").tobytes()) for n, row in lines}


def write_searched(path: Path, seed: int, count: int, seconds: float, excluded: Container[int]) -> None:
    """Search programs for `count` drawn sequences, for so many seconds each, and write those found."""
    proposer = SearchProposer(SearchSettings(seconds=seconds, prior="adaptive"))
    with committed(path) as temporary, temporary.open("w", encoding="utf-8") as out:
        for values in drawn(seed, count, excluded):
            sequence = KtSequence(str(sequence_hash(values.tobytes())), "drawn", 0, values)
            found = [c.program.text for c in proposer.propose([sequence], range(2)) if c.program]
            out.write(json.dumps({"sequence": values.tolist(), "programs": found}) + "\n")


def read_searched(path: Path) -> Iterator[tuple[Values, list[str]]]:
    """Yield the sequences of a file and the programs found for each. Raises CorpusError."""
    for number, row in read_lines(path):
        yield sequence_values(row, f"{path} line {number}"), list(row["programs"])
