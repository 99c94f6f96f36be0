"""The generate job: the same files on any number of workers, exclusion, formats, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.generate import main


def _run(out: Path, *flags: str) -> dict[str, bytes]:
    assert main(["--size", "300seq", "--shard", "128", "--out", str(out), *flags]) == 0
    return {path.name: path.read_bytes() for path in sorted(out.glob("pairs-*"))}


@pytest.mark.usefixtures("local_ray")
def test_same_seed_same_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = _run(tmp_path / "one", "--workers", "1", "--json")
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    two = _run(tmp_path / "two", "--workers", "2")
    assert one == two
    assert list(one) == ["pairs-00000.parquet", "pairs-00001.parquet", "pairs-00002.parquet"]
    assert metrics["pairs"] == sum(pq.read_metadata(p).num_rows for p in (tmp_path / "one").glob("*.parquet"))
    assert metrics["pairs"] == 300
    assert _run(tmp_path / "other", "--seed", "1") != one


@pytest.mark.usefixtures("local_ray")
def test_excluded_sequences_are_not_drawn(tmp_path: Path) -> None:
    _run(tmp_path / "first", "--format", "jsonl")
    first = tmp_path / "first" / "pairs-00000.jsonl"
    _run(tmp_path / "second", "--format", "jsonl", "--exclude", str(first), "--feedback")
    rows = [json.loads(line) for line in first.read_text().splitlines()]
    drawn = [
        json.loads(line)
        for path in (tmp_path / "second").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert len(drawn) == 300
    excluded = {tuple(row["sequence"]) for row in rows}
    assert not excluded & {tuple(row["sequence"]) for row in drawn}
    assert all("  # [" in row["program"] for row in drawn)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--preset", "publishe"], "did you mean 'published'"),
        (["--format", "csv"], "unknown --format 'csv'"),
        (["--size", "many"], "expected a size"),
        (["--sampler.lengths", "[9, 5]"], "lengths: 9, 5"),
        (["--shard", "0"], "--shard 0"),
        (["--exclude", "/nowhere.jsonl"], "/nowhere.jsonl"),
    ],
)
def test_bad_input_is_one_line(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "set"), *flags]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
