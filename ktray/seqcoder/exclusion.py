"""Sequences that must not be trained on, as sorted content hashes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ktray.corpora.pairs import sequence_hash
from ktray.proposers.replay import read_lines, sequence_values


def load_hashes(path: Path | str | None) -> NDArray[np.uint64]:
    """Return the sorted hashes of the sequences in a JSONL file (plain or .gz); none without a file."""
    if not path:
        return np.zeros(0, np.uint64)
    lines = read_lines(Path(path))
    hashes = {sequence_hash(sequence_values(row, f"{path} line {n}").tobytes()) for n, row in lines}
    return np.array(sorted(hashes), np.uint64)
