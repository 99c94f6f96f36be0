from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from jobs import compress, decompress, evaluate

pytestmark = pytest.mark.usefixtures("local_ray")


def job(capsys: pytest.CaptureFixture[str], main: Any, *argv: object) -> dict[str, Any]:
    """Run a job in this process and return the metrics that it prints."""
    capsys.readouterr()
    assert main([*map(str, argv), "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])  # type: ignore[no-any-return]


def sequences(path: Path) -> list[list[int]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line)["sequence"] for line in data.splitlines()]


@pytest.fixture(scope="module")
def searched(
    tmp_path_factory: pytest.TempPathFactory, sequences_file: Path, local_ray: None
) -> tuple[Path, dict[str, Any]]:
    """A finished run over the sequences: its folder and its metrics."""
    folder = tmp_path_factory.mktemp("searched")
    argv = ["--corpus", "sequences", "--input", sequences_file, "--shard", 16]
    argv += ["--run", folder / "run", "--out", folder / "a.kt", "--prior", "uniform"]
    assert compress.main([*map(str, argv)]) == 0
    return folder, json.loads((folder / "run" / "metrics.json").read_text())


def test_what_was_compressed_is_restored(
    searched: tuple[Path, dict[str, Any]], sequences_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, metrics = searched
    restored = job(capsys, decompress.main, folder / "a.kt", "--out", folder / "restored.jsonl")
    assert sequences(folder / "restored.jsonl") == sequences(sequences_file)
    assert restored["sha256"] == metrics["sha256"]


def test_metrics_keep_their_contract(searched: tuple[Path, dict[str, Any]]) -> None:
    folder, metrics = searched
    assert metrics["archive_bytes"] == (folder / "a.kt").stat().st_size
    assert sum(metrics["archive"].values()) == pytest.approx(8 * metrics["archive_bytes"])
    assert metrics["archive_rate"] == pytest.approx(8 * metrics["archive_bytes"] / metrics["input_bits"])
    assert sum(metrics["chosen"].values()) == metrics["sequences"] == 96
    assert metrics["correct_programs"] >= 92
    paper = metrics["paper"]
    assert paper["compression_rate"] < 0.8
    assert paper["compression_rate_min"] <= paper["compression_rate"]
    assert metrics["archive"]["overhead_bits"] < 8 * 600 + 0.001 * 8 * metrics["archive_bytes"]


def test_the_same_command_again_gives_the_same_bytes(
    searched: tuple[Path, dict[str, Any]], sequences_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = searched
    argv = ["--corpus", "sequences", "--input", sequences_file, "--shard", 16, "--prior", "uniform"]
    job(capsys, compress.main, *argv, "--run", folder / "run", "--out", folder / "b.kt")
    job(capsys, compress.main, *argv, "--run", folder / "other", "--out", folder / "c.kt", "--workers", 1)
    assert (folder / "a.kt").read_bytes() == (folder / "b.kt").read_bytes() == (folder / "c.kt").read_bytes()


def test_another_prior_prices_the_log_again(
    searched: tuple[Path, dict[str, Any]], sequences_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = searched
    logs = {p: p.stat().st_mtime_ns for p in (folder / "run" / "log").rglob("*.parquet")}
    argv = ["--corpus", "sequences", "--input", sequences_file, "--shard", 16, "--prior", "gzip"]
    metrics = job(capsys, compress.main, *argv, "--run", folder / "run", "--out", folder / "g.kt")
    assert {p: p.stat().st_mtime_ns for p in (folder / "run" / "log").rglob("*.parquet")} == logs
    job(capsys, decompress.main, folder / "g.kt", "--out", folder / "g.jsonl")
    assert sequences(folder / "g.jsonl") == sequences(sequences_file)
    assert metrics["paper"]["compression_rate"] > 0.3


def test_a_directory_of_another_run_is_refused(
    searched: tuple[Path, dict[str, Any]], sequences_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = searched
    before = (folder / "a.kt").read_bytes()
    argv = ["--corpus", "sequences", "--input", str(sequences_file), "--run", str(folder / "run")]
    assert (
        compress.main([*argv, "--shard", "16", "--out", str(folder / "a.kt"), "--search.seconds", "0.01"])
        == 2
    )
    assert compress.main([*argv, "--shard", "32", "--out", str(folder / "a.kt")]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(lines) == 2
    assert all("belongs to another run" in line for line in lines)
    assert (folder / "a.kt").read_bytes() == before


def test_python_and_dsl_programs_share_an_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    squares = [i * i % 256 for i in range(300)]
    rows = [
        {"sequence": squares, "reply": "```python\noutput = [i * i % 256 for i in range(300)]\n```"},
        {"sequence": [5] * 40, "program": "sequence_1 = repeat_num(40, 5)\noutput = sequence_1"},
        {"sequence": [1, 200, 3], "program": "output = [1, 200, True]"},
        {"sequence": [4, 4, 8], "program": "import os\noutput = os.listdir('/')"},
    ]
    source = tmp_path / "given.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    argv = ["--corpus", "sequences", "--input", source, "--proposers", "replay", "--replay", source]
    metrics = job(capsys, compress.main, *argv, "--run", tmp_path / "run", "--out", tmp_path / "m.kt")
    assert metrics["chosen"] == {"replay": 2, "literal": 2}
    assert metrics["outcomes"]["correct"] == 2
    job(capsys, decompress.main, tmp_path / "m.kt", "--out", tmp_path / "m.jsonl")
    assert sequences(tmp_path / "m.jsonl") == [row["sequence"] for row in rows]


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 5 + b"tail"])
def test_any_file_round_trips(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "data.bin"
    source.write_bytes(content)
    argv = ["--corpus", "file", "--input", source, "--run", tmp_path / "run", "--out", tmp_path / "d.kt"]
    metrics = job(capsys, compress.main, *argv, "--block", "512B", "--chunk", 100)
    assert metrics["elements"] == len(content)
    job(capsys, decompress.main, tmp_path / "d.kt", "--out", tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == content


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--corpus", "txt", "--input", "x"], "unknown corpus 'txt'"),
        ([], "no corpus given"),
        (["--corpus", "file", "--input", "/no/such/file"], "/no/such/file"),
        (["--corpus", "file", "--input", "/"], "/"),
        (["--corpus", "file", "--input", "README.md", "--prior", "unifrom"], "did you mean 'uniform'?"),
        (["--corpus", "file", "--input", "README.md", "--proposers", "serch"], "did you mean 'search'?"),
        (
            ["--corpus", "file", "--input", "README.md", "--out", "/no/such/folder/x.kt"],
            "/no/such/folder/x.kt",
        ),
        (["--corpus", "file", "--input", "README.md", "--chnk", "3"], "did you mean 'chunk'?"),
        (["--corpus", "file", "--input", "README.md", "--chunk", "0"], "--chunk is 0, expected 1 or more"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    argv: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compress.main([*argv, "--run", str(tmp_path / "run")]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1
    assert message in errors[0]


def test_evaluate_rows_outcomes_and_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "rows.jsonl"
    argv = ["--config", "configs/evaluate/smoke.yaml", "--rows", rows, "--out", tmp_path / "e.kt"]
    metrics = job(capsys, evaluate.main, *argv)
    outcomes = [json.loads(line)["outcome"] for line in rows.read_text().splitlines()]
    assert outcomes == ["correct", "correct", "correct", "correct", "wrong_output", "correct", "correct"]
    assert metrics["outcomes"] == {"correct": 6, "wrong_output": 1}
    assert set(metrics["priors"]) == {"uniform", "gzip", "raw"}
    assert metrics["priors"]["raw"]["compression_rate"] > metrics["priors"]["uniform"]["compression_rate"]
    job(capsys, decompress.main, tmp_path / "e.kt", "--out", tmp_path / "e.jsonl")
    assert sequences(tmp_path / "e.jsonl") == sequences(Path("tests/data/programs.jsonl"))


def test_gold_pairs_give_the_published_figures(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = job(capsys, evaluate.main, "--input", published / "kt-1mb" / "synthetic_pairs.jsonl.gz")
    assert (metrics["n"], metrics["accuracy"]) == (13406, 1.0)
    assert metrics["paper"]["compression_rate"] == pytest.approx(0.33189, abs=1e-4)
    assert metrics["paper"]["compression_rate_mean"] == pytest.approx(0.39166, abs=1e-4)
    assert metrics["paper"]["compression_rate_min"] == pytest.approx(0.33108, abs=1e-4)
    assert metrics["archive_rate"] < 0.340


@pytest.mark.parametrize(
    ("name", "honest", "inflated"), [("text", 0.356, 0.357), ("synthetic", 0.498, 0.593)]
)
def test_gzip_baselines_give_the_published_figures(
    published: Path, name: str, honest: float, inflated: float, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--corpus", "file", "--input", published / "kt-1mb" / f"{name}.bin", "--baseline", "gzip"]
    argv += ["--chunk", "whole"]
    assert job(capsys, evaluate.main, *argv)["paper"]["compression_rate"] == pytest.approx(honest, abs=5e-4)
    metrics = job(capsys, evaluate.main, *argv, "--published")
    assert metrics["paper"]["compression_rate"] == pytest.approx(inflated, abs=5e-4)
