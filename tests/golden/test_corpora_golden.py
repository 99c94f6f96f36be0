"""Blocks written by the first release are restored to the same bytes, and sequences keep their ids."""

from __future__ import annotations

import base64
import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from ktray.corpora import restore

HERE = Path(__file__).parent
ROWS = [json.loads(line) for line in (HERE / "corpora_v1.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["kind"])
def test_a_block_of_the_first_release_is_restored(row: dict[str, object]):
    values = np.frombuffer(base64.b64decode(row["values"]), dtype=np.uint8)
    lengths = np.array(row["lengths"], dtype=np.int64)
    restored = restore(row["kind"], values, lengths, base64.b64decode(row["side"]))
    assert restored == base64.b64decode(row["restored"])


def test_sequences_keep_their_ids(tmp_path: Path):
    made = runpy.run_path(str(HERE / "corpora_make.py"))["golden_blocks"](tmp_path)
    assert [[s.id for s in block.sequences()] for block in made] == [row["ids"] for row in ROWS]
