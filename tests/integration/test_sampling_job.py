"""jobs.sample end to end against a scripted endpoint: exact resume, extension, later verification, repair."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import compress, sample
from ktray.testing.endpoint import ScriptedEndpoint, sometimes_right

KEY = "sk-never-to-be-written-0123456789"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint() as running:
        yield running


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rows = [[i % 7, i, 3, 3, 3, *range(i, i + 10)] for i in range(10)]
    path = tmp_path / "s.jsonl"
    path.write_text("".join(json.dumps({"sequence": row}) + "\n" for row in rows))
    return path


def argv(server: ScriptedEndpoint, source: Path, run: Path, *more: object) -> list[str]:
    words = ["--corpus", "sequences", "--input", source, "--run", run, "--shard", 4, "--proposer", "openai"]
    words += ["--endpoint.model", "m", "--endpoint.base-url", server.url, *more, "--json"]
    return [str(word) for word in words]


def job(capsys: pytest.CaptureFixture[str], words: list[str], main: Any = sample.main) -> dict[str, Any]:
    capsys.readouterr()
    assert main(words) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])  # type: ignore[no-any-return]


def log(run: Path) -> dict[tuple[str, int], tuple[str, str]]:
    """Return (reply, outcome) by sequence and sample; each must be there once."""
    tables = [pq.read_table(path) for path in sorted((run / "log").rglob("*.parquet"))]
    rows = pa.concat_tables(tables).to_pylist()
    found = {(r["sequence_id"], r["sample_index"]): (r["reply"], r["outcome"]) for r in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.usefixtures("local_ray")
def test_extending_samples_only_what_is_missing(
    server: ScriptedEndpoint, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = job(capsys, argv(server, source, tmp_path / "run", "--n", 2))
    assert first["samples"] == first["new"]["samples"] == len(server.requests) == 20
    assert sum(first["outcomes"].values()) == 20
    before = log(tmp_path / "run")
    second = job(capsys, ["--run", str(tmp_path / "run"), "--extend", "8", "--json"])
    assert second["new"]["samples"] == 60
    assert len(server.requests) == 80
    after = log(tmp_path / "run")
    assert len(after) == 80
    assert {key: after[key] for key in before} == before
    whole = job(capsys, argv(server, source, tmp_path / "whole", "--n", 8))
    assert log(tmp_path / "whole") == after
    assert whole["outcomes"] == second["outcomes"]
    assert 0.1 < whole["accuracy"] < 0.6
    assert whole["executable_accuracy"] == pytest.approx(whole["accuracy"] / whole["executable"])


@pytest.mark.usefixtures("local_ray")
def test_generating_and_verifying_apart_give_the_same_log(
    server: ScriptedEndpoint, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = argv(server, source, tmp_path / "apart", "--n", 3)
    generated = job(capsys, [*words, "--generate-only"])
    assert generated["unverified"] == generated["samples"] == 30
    assert generated["accuracy"] is None
    asked = len(server.requests)
    verified = job(capsys, [*words, "--verify-only"])
    assert verified["unverified"] == 0
    assert verified["new"]["samples"] == 0
    job(capsys, words)
    assert len(server.requests) == asked
    job(capsys, argv(server, source, tmp_path / "together", "--n", 3))
    assert log(tmp_path / "apart") == log(tmp_path / "together")


@pytest.mark.usefixtures("local_ray")
def test_a_lost_shard_is_sampled_again_and_nothing_else(
    server: ScriptedEndpoint, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = argv(server, source, tmp_path / "run", "--n", 2)
    job(capsys, words)
    before, asked = log(tmp_path / "run"), len(server.requests)
    lost = sorted((tmp_path / "run" / "log").rglob("*.parquet"))[1]
    lost.unlink()
    assert job(capsys, words)["new"]["samples"] == 8
    assert len(server.requests) == asked + 8
    assert log(tmp_path / "run") == before


@pytest.mark.usefixtures("local_ray")
def test_models_prompts_and_temperatures_are_crossed(
    server: ScriptedEndpoint, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--n", 1, "--models", "m1,m2", "--prompts", "python", "--temperatures", "0.2,1.0")
    metrics = job(capsys, argv(server, source, tmp_path / "run", *more, "--limit", "3seq"))
    assert metrics["samples"] == 4 * 3
    chosen = {(s["model"], s["prompt"], s["temperature"]) for s in metrics["series"]}
    assert chosen == {(m, p, t) for m in ("m1", "m2") for p in ("python",) for t in (0.2, 1.0)}
    settings = [json.loads(p.read_text()) for p in (tmp_path / "run" / "log").rglob("settings.json")]
    assert {(s["model"], s["prompt"], s["temperature"]) for s in settings} == chosen


def repairing(prompt: str, seed: int) -> str:
    """Answer wrongly, until a prompt shows a program that failed."""
    return sometimes_right(prompt, 0 if "### What happened:" in prompt else 1)


@pytest.mark.usefixtures("local_ray")
def test_failed_programs_are_shown_to_the_model_once_a_round(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedEndpoint(repairing) as server:
        metrics = job(capsys, argv(server, source, tmp_path / "run", "--n", 2, "--refine", 2))
        asked = [r["messages"][-1]["content"] for r in server.requests]
    rounds = {s["round"]: s for s in metrics["series"]}
    assert rounds[0]["outcomes"]["wrong_output"] == 20
    assert rounds[1]["samples"] == rounds[1]["outcomes"]["correct"] == 20
    assert rounds[2]["samples"] == 0
    repair = next(prompt for prompt in asked if "### What happened:" in prompt)
    assert "wrong output: length 14 where 15 was expected" in repair
    assert "The first 14 elements are right" in repair
    assert "output = [" in repair


@pytest.mark.usefixtures("local_ray")
def test_compress_keeps_the_programs_that_a_model_gets_right(
    server: ScriptedEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "long.jsonl"
    rows = [[7] * 300 + [i] for i in range(6)]
    source.write_text("".join(json.dumps({"sequence": row}) + "\n" for row in rows))
    words = [
        "--corpus",
        "sequences",
        "--input",
        source,
        "--run",
        tmp_path / "run",
        "--out",
        tmp_path / "a.kt",
    ]
    words += ["--proposers", "openai,literal", "--prior", "gzip", "--n", 3, "--json"]
    words += ["--endpoint.model", "m", "--endpoint.base-url", server.url]
    metrics = job(capsys, [str(word) for word in words], compress.main)
    assert metrics["sequences"] == 6
    assert metrics["chosen"]["openai"] >= 1
    assert metrics["correct_programs"] == metrics["chosen"]["openai"]


def test_extending_by_the_runs_own_settings_takes_no_others(
    server: ScriptedEndpoint, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job(capsys, argv(server, source, tmp_path / "run", "--n", 1))
    capsys.readouterr()
    assert sample.main(["--run", str(tmp_path / "run"), "--extend", "2", "--refine", "1"]) == 2
    assert "leave out refine" in capsys.readouterr().err


def test_other_limits_of_the_sandbox_are_another_run(
    server: ScriptedEndpoint, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = argv(server, source, tmp_path / "run", "--n", 1)
    job(capsys, words)
    capsys.readouterr()
    assert sample.main([*words, "--sandbox.seconds", "9"]) == 2
    assert "its sandbox is" in capsys.readouterr().err


def test_the_same_temperature_twice_is_one_series(
    server: ScriptedEndpoint, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = job(capsys, argv(server, source, tmp_path / "run", "--n", 1, "--temperatures", "0.8,0.80"))
    assert len(metrics["series"]) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--corpus", "sample", "--proposer", "search"], "does not sample"),
        (["--corpus", "sample", "--engine.model", ""], "no model given"),
        (["--corpus", "sample", "--engine.model", "/nowhere/model"], "does not exist"),
        (["--corpus", "sample", "--engine.model", "m", "--prompts", "pyhton"], "did you mean 'python'"),
        (["--corpus", "sample", "--engine.model", "m", "--temperatures", "warm"], "expected numbers"),
        (["--corpus", "sample", "--engine.model", "m", "--prompt.grammar"], "for the DSL"),
        (["--corpus", "sample", "--engine.model", "m", "--prompt.execute"], "for the DSL"),
        (["--extend", "4"], "name its directory"),
        (["--corpus", "sample", "--generate-only", "--verify-only"], "exclude each other"),
        (["--corpus", "sample", "--refine", "1", "--generate-only"], "in turn"),
        (["--corpus", "sample", "--block", "16"], "--block 16"),
        (
            ["--corpus", "sample", "--limit", "2seq", "--engine.cpus", "9999"],
            "more than any machine here has",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(
    words: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sample.main(words) == 2
    error = capsys.readouterr().err.strip()
    assert told in error
    assert len([line for line in error.splitlines() if line.startswith("error:")]) == 1


def test_the_key_is_written_nowhere(source: Path, tmp_path: Path) -> None:
    with ScriptedEndpoint(key=KEY) as server:
        command = [sys.executable, "-m", "jobs.sample", *argv(server, source, tmp_path / "run", "--n", "1")]
        at = command.index("--endpoint.base-url")
        del command[at : at + 2]
        environment = {**os.environ, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["samples"] == 10
    assert KEY not in done.stdout + done.stderr
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(written) >= 6
    assert not any(KEY.encode() in path.read_bytes() for path in written)
