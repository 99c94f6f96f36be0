"""What a run trains on beside drawn pairs, and what it must not: files that hold pairs and hashes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ktray.corpora.pairs import sequence_hash
from ktray.errors import CorpusError
from ktray.proposers.replay import read_lines, sequence_values

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Sources:
    """Files: sequences never to be trained on (JSONL, plain or .gz), and pairs of one's own (Parquet with
    columns `sequence` and `program`), which take `share` of every step's pairs. Empty where there is none."""

    exclude: str = ""
    pairs: str = ""
    share: float = 0.5

    def excluded(self) -> Hashes:
        """Return the sorted hashes of the sequences never to be trained on."""
        return load_hashes(self.exclude)

    def own_pairs(self) -> list[tuple[bytes, str]]:
        """Return one's own pairs: sequence and program text."""
        return list(_read_pairs(Path(self.pairs))) if self.pairs else []


def load_hashes(path: Path | str | None) -> Hashes:
    """Return the sorted hashes of the sequences in a JSONL file (plain or .gz); none without a file."""
    if not path:
        return np.zeros(0, np.uint64)
    lines = read_lines(Path(path))
    hashes = {sequence_hash(sequence_values(row, f"{path} line {n}").tobytes()) for n, row in lines}
    return np.array(sorted(hashes), np.uint64)


def _read_pairs(path: Path) -> Iterator[tuple[bytes, str]]:
    try:
        table = pq.read_table(path, columns=["sequence", "program"])
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"pairs {path}: {error}; expected Parquet with columns sequence and program"
        ) from None
    for row in table.to_pylist():
        yield bytes(row["sequence"]), row["program"]
