"""Engines that die, sequences that fail: every sequence comes out once, with its samples or a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from actors.pipeline import missing_shards, propose_and_verify
from ktray.blockstore import store_corpus
from ktray.candidatelog import shards_of
from ktray.corpora import open_corpus
from ktray.errors import ConfigError
from ktray.sandbox import SandboxLimits
from ktray.testing.proposers import DyingSpec

pytestmark = pytest.mark.usefixtures("local_ray")


def run(tmp_path: Path, spec: DyingSpec) -> list[dict[str, object]]:
    """Run the spec over 12 sequences in shards of 4 and return the log's rows."""
    source = tmp_path / "data.bin"
    source.write_bytes(np.arange(96, dtype=np.uint8).tobytes())
    manifest = store_corpus(open_corpus("file", source), tmp_path / "blocks", 8, 1 << 20, lambda n: None)
    shards = shards_of(0, manifest.sequences[0], 4)
    todo = missing_shards(tmp_path / "log", "dying", shards, spec.samples)
    propose_and_verify(
        spec,
        "dying",
        todo,
        blocks=str(tmp_path / "blocks"),
        log=tmp_path / "log",
        limits=SandboxLimits(),
        workers=1,
        progress=lambda row: None,
    )
    assert missing_shards(tmp_path / "log", "dying", shards, spec.samples) == []
    assert not list((tmp_path / "log").rglob("*.tries"))
    return [
        row
        for path in sorted((tmp_path / "log").rglob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def test_a_dead_engine_is_replaced_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    rows = run(tmp_path, DyingSpec("dying", samples=2, once=str(tmp_path / "died")))
    assert (tmp_path / "died").exists()
    keys = [(row["sequence_id"], row["sample_index"]) for row in rows]
    assert len(set(keys)) == len(keys) == 24
    assert {row["outcome"] for row in rows} == {"correct"}


def test_a_sequence_that_kills_every_engine_is_given_up_alone(tmp_path: Path) -> None:
    rows = run(tmp_path, DyingSpec("dying", samples=1, deadly=":40+8:"))
    failed = [row for row in rows if row["error"]]
    assert len(rows) == 12
    assert len(failed) == 1
    assert failed[0]["outcome"] == "no_program"
    assert failed[0]["error"] == "the engine died 2 times on this sequence"
    assert sum(row["outcome"] == "correct" for row in rows) == 11


def test_a_sequence_that_fails_is_a_row_with_an_error(tmp_path: Path) -> None:
    rows = run(tmp_path, DyingSpec("dying", samples=1, failing=":16+8:"))
    assert [row["error"] for row in rows if row["error"]] == ["ValueError: no prompt for this sequence"]
    assert sum(row["outcome"] == "correct" for row in rows) == 11


def test_a_model_that_cannot_be_loaded_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such model") as caught:
        run(tmp_path, DyingSpec("dying", samples=1, refusal="no such model; name another"))
    assert str(caught.value) == "no such model; name another"
