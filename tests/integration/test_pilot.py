"""Pilots: blocks in which no program pays are searched in part, all others wholly, and everything restores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.pilot import pilot_shards
from jobs import compress, decompress
from ktray.candidatelog import shards_of

SAMPLE_TEXT = Path(compress.__file__).parents[1] / "ktray" / "corpora" / "sample_data" / "text.xml"


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """8 KB of real text and 8 KB of running counters with noise between, a block each."""
    text = SAMPLE_TEXT.read_bytes()[4096 : 4096 + 8192]
    rng = np.random.default_rng(3)
    starts, steps = rng.integers(0, 256, 128), rng.integers(1, 60, 128)
    counters = (starts[:, None] + steps[:, None] * np.arange(64)) % 256
    path = tmp_path / "mixed"
    path.write_bytes(text + counters.astype(np.uint8).tobytes())
    return path


def compressed(capsys: pytest.CaptureFixture[str], path: Path, pilot: int) -> dict[str, Any]:
    argv = ["--corpus", "file", "--input", path, "--chunk", 64, "--block", "8192B", "--shard", 8, "--json"]
    argv += ["--run", path.parent / "run", "--out", path.parent / "mixed.kt", "--search.seconds", 0.02]
    assert compress.main([*map(str, argv), "--pilot", str(pilot)]) == 0
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])  # type: ignore[no-any-return]


@pytest.mark.usefixtures("local_ray")
def test_a_block_without_programs_is_left(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = mixed.parent / "run" / "log"
    piloted = compressed(capsys, mixed, 2)
    assert piloted["left_by_pilot"] == 1
    assert len(list(log.rglob("b000000-*.parquet"))) == 2
    assert len(list(log.rglob("b000001-*.parquet"))) == 16
    assert piloted["chosen"]["search"] > 64
    assert decompress.main([str(mixed.parent / "mixed.kt"), "--out", str(mixed.parent / "again")]) == 0
    assert (mixed.parent / "again").read_bytes() == mixed.read_bytes()

    files = {path: path.stat().st_mtime_ns for path in log.rglob("*.parquet")}
    assert compressed(capsys, mixed, 2)["archive_bytes"] == piloted["archive_bytes"]
    assert files == {path: path.stat().st_mtime_ns for path in log.rglob("*.parquet")}

    whole = compressed(capsys, mixed, 0)
    assert whole["left_by_pilot"] == 0
    assert len(list(log.rglob("*.parquet"))) == 32
    assert whole["archive_bytes"] == pytest.approx(piloted["archive_bytes"], rel=0.005)


def test_pilots_are_spread_over_a_block_and_small_blocks_are_all_pilot() -> None:
    shards = shards_of(0, 1000, 10)
    assert [shard.first for shard in pilot_shards(shards, 4)] == [120, 370, 620, 870]
    assert pilot_shards(shards[:8], 4) == shards[:8]
    assert len(pilot_shards(shards[:9], 4)) == 4
