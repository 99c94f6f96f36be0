"""The invert job from outside: exit codes, JSON, the whole grid on local Ray, resume after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from math import comb
from pathlib import Path
from typing import Any

import pytest

from jobs.invert.__main__ import COMMANDS, main
from ktray.inversion.answers import AnswerOutcome
from ktray.inversion.oracle import OracleSampler
from ktray.inversion.ports import SampleRequest, SamplingSettings
from ktray.inversion.records import read_prompts, read_replies
from ktray.inversion.sampling import OracleRates, SamplerSpec

ROOT = Path(__file__).resolve().parents[2]


def invert(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    """Run a command and return its metrics."""
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == 0, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_every_command_leads_to_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, prompts, log = tmp_path / "data", tmp_path / "p.jsonl", tmp_path / "r.jsonl"
    assert invert(capsys, "generate", "--count", 9, "--out", data)["items"] == 9
    assert len((data / "huffman.jsonl").read_text().splitlines()) == 9
    made = invert(capsys, "prompts", "--inputs", data / "items.jsonl", "--out", prompts, "--shots", 1)
    assert made["prompts"] == 8 * 16
    added = invert(capsys, "infer", "--prompts", prompts, "--replies", log, "--n", 2)
    assert (added["present"], added["added"]) == (0, 256)
    assert invert(capsys, "infer", "--prompts", prompts, "--replies", log, "--n", 3)["added"] == 128
    score = ["score", "--replies", log, "--prompts", prompts, "--run", tmp_path / "score"]
    scored = invert(capsys, *score, "--published", "--rows", tmp_path / "rows.jsonl")
    assert scored["n"] == sum(scored["outcomes"].values()) == 384
    assert list(scored["pass_at_k"]) == ["1", "2", "3"]
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 384
    report = ["report", "--metrics", tmp_path / "score" / "metrics.json", "--out", tmp_path / "report"]
    compared = invert(capsys, *report, "--compare", f"{log},{log}", "--prompts", prompts)
    assert compared["comparisons"]["all"]["difference"] == 0
    looked = invert(
        capsys, "reflect", "--prompts", prompts, "--replies", log, "--run", tmp_path / "again", "--rounds", 2
    )
    assert [r["asked"] for r in looked["rounds"]] == [384, 384]
    ablated = invert(
        capsys, "ablate", "--inputs", data / "items.jsonl", "--replies", log, "--prompts", prompts
    )
    assert len(ablated["tokens"]) == 40
    traced = invert(
        capsys, "trace", "--inputs", data / "items.jsonl", "--out", tmp_path / "t.parquet", "--filter"
    )
    assert traced["correct"] == traced["traces"] == 72
    told = invert(capsys, "translate", "--traces", tmp_path / "t.parquet", "--out", tmp_path / "told.jsonl")
    assert told["kept"] == traced["kept"]
    sft = invert(
        capsys,
        "sft",
        "--translations",
        tmp_path / "told.jsonl",
        "--out",
        tmp_path / "sft",
        "--test-share",
        0.4,
    )
    assert sft["train"] + sft["test"] == told["kept"]


@pytest.mark.usefixtures("local_ray")
def test_the_grid_on_local_ray_counts_what_was_planted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ["grid", "--config", ROOT / "configs/invert/smoke.yaml", "--count", 4, "--run", tmp_path]
    # As many algorithms as there are, at two temperatures: each is a cell of its own.
    found = invert(
        capsys, *config, "--temperatures", "0.2,1.0", "--sampler.workers", 2, "--algorithms", "lzw,rle,lz77"
    )
    assert list(found["cells"]) == ["oracle-t0.2", "oracle-t1"]
    prompts = list(read_prompts(tmp_path / "prompts.jsonl"))
    assert len(prompts) == found["prompts"] == 4 * 3 * 4 * 2
    oracle = OracleSampler(OracleRates().by_outcome())
    planted = Counter(oracle.plan(p, i, 42) for p in prompts for i in range(5))
    for cell in found["cells"].values():
        assert cell["outcomes"] == {o.value: planted[o] for o in AnswerOutcome}
    assert "oracle-t1" in (tmp_path / "report.csv").read_text()
    capsys.readouterr()
    assert main([*map(str, config), "--tasks", "forward"]) == 2
    assert "belongs to another run" in capsys.readouterr().err


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.usefixtures("local_ray")
def test_a_killed_grid_is_completed_and_no_sample_is_doubled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The grid, on a Ray of its own, is killed; the same command completes exactly what is missing."""
    n, prompts = 40, 20 * 2 * 4
    config = ["--config", ROOT / "configs/invert/smoke.yaml", "--run", tmp_path, "--count", 20, "--n", n]
    words = [
        *config,
        "--algorithms",
        "lzw,rle",
        "--blinding",
        0,
        "--sampler.workers",
        2,
        "--sampler.batch",
        8,
    ]
    log = tmp_path / "oracle-t0.2" / "replies.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.invert", "grid", *map(str, words)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "RAY_ADDRESS": "local"},
    )
    deadline = time.monotonic() + 150
    while len(lines_of(log)) < 100:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with log.open("a") as stream:
        stream.write('{"prompt_id": "cut sho')
    whole = lines_of(log)[:-1]
    assert 100 <= len(whole) < prompts * n
    found = invert(capsys, "grid", *words)["cells"]["oracle-t0.2"]
    assert found["n"] == prompts * n
    assert lines_of(log)[: len(whole)] == whole  # what was there was neither lost nor asked again
    keys = [(r.prompt_id, r.sample) for r in read_replies(log)]
    assert len(lines_of(log)) == len(set(keys)) == prompts * n
    oracle = OracleSampler(OracleRates().by_outcome())
    asked = list(read_prompts(tmp_path / "prompts.jsonl"))
    planted = [[oracle.plan(p, i, 42) for i in range(n)] for p in asked]
    assert found["outcomes"] == {o.value: sum(row.count(o) for row in planted) for o in AnswerOutcome}
    right = [row.count(AnswerOutcome.CORRECT) for row in planted]
    for k, value in found["pass_at_k"].items():
        closed = sum(1 - comb(n - c, int(k)) / comb(n, int(k)) for c in right) / len(right)
        assert value == pytest.approx(closed, rel=1e-12)


def test_a_log_of_another_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["grid", "--run", str(tmp_path), "--count", "2", "--algorithms", "rle", "--n", "1"]
    assert main(words) == 0
    log = tmp_path / "oracle-t0.2" / "replies.jsonl"
    replies = log.read_text()
    assert main(words) == 0
    log.write_text(replies.replace('"model": "oracle"', '"model": "other/oracle"'))
    capsys.readouterr()
    assert main(words) == 2
    assert "holds replies of other/oracle, not of oracle" in capsys.readouterr().err


@pytest.mark.usefixtures("local_ray")
def test_a_model_that_cannot_be_loaded_on_ray_is_the_users_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--run",
        tmp_path,
        "--count",
        2,
        "--models",
        "x",
        "--sampler.name",
        "openai",
        "--sampler.workers",
        1,
    ]
    os.environ.pop("OPENAI_API_KEY", None)
    assert main(["grid", *map(str, words)]) == 2
    error = capsys.readouterr().err.strip()
    assert "OPENAI_API_KEY" in error
    assert "\n" not in error.removeprefix("error: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["scor"], "did you mean 'score'"),
        ([], "no command given"),
        (["score"], "no replies file given"),
        (["score", "--replies", "nowhere.jsonl"], "No such file"),
        (["score", "--reply", "x"], "did you mean 'replies'"),
        (["generate", "--source", "dnaa", "--out", "x"], "did you mean 'dna'"),
        (["infer", "--prompts", "nowhere.jsonl", "--replies", "x"], "No such file"),
        (["grid", "--run", "{tmp}", "--algorithms", "lzw,hufman"], "did you mean 'huffman'"),
        (["grid", "--run", "{tmp}", "--formats", "hxe"], "did you mean 'hex'"),
        (["grid", "--run", "{tmp}", "--blinding", "4"], "expected one of 0, 1, 2, 3"),
        (["grid", "--run", "{tmp}", "--temperatures", "warm"], "expected numbers"),
        (["grid", "--run", "{tmp}", "--sampler.name", "gpt", "--models", "x"], "unknown sampler 'gpt'"),
        (["grid", "--run", "{tmp}", "--templates", "{tmp}"], "no template"),
        (["grid", "--run", "{tmp}", "--models", "oracle,x/oracle"], "two cells of the grid"),
        (["check", "--inputs", "nowhere.jsonl"], "No such file"),
        (["grid", "--run", "{tmp}", "--algorithms", ","], "name one or more"),
        (["grid", "--run", "{tmp}", "--shots", "-1"], "expected 0 or more"),
        (["grid", "--run", "{tmp}", "--seed", "-1"], "give 0 or more"),
    ],
)
def test_a_users_mistake_is_one_line_and_code_2(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([w.replace("{tmp}", str(tmp_path)) for w in words]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert message in error
    assert "\n" not in error


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    for command in COMMANDS:
        assert command in overview
        with pytest.raises(SystemExit) as done:
            main([command, "--help"])
        assert done.value.code == 0
        assert "--json" in capsys.readouterr().out


@pytest.mark.usefixtures("local_ray")
def test_a_dead_sampler_actor_is_replaced_and_no_reply_is_lost(tmp_path: Path) -> None:
    import ray

    from actors.invert import PoolSettings, RaySampler

    assert main(["generate", "--count", "10", "--out", str(tmp_path), "--algorithms", "rle"]) == 0
    prompts = tmp_path / "p.jsonl"
    assert main(["prompts", "--inputs", str(tmp_path / "items.jsonl"), "--out", str(prompts)]) == 0
    settings = SamplingSettings()
    requests = [SampleRequest(p, (0, 1)) for p in read_prompts(prompts)]
    sampler = RaySampler(SamplerSpec("oracle", settings), PoolSettings(workers=1, chunk=4))
    replies = []
    for reply in sampler.sample(requests, settings):
        if len(replies) in (8, 80):
            ray.kill(sampler._actors[0], no_restart=False)
        replies.append(reply)
    sampler.close()
    assert Counter((r.prompt_id, r.sample) for r in replies) == Counter(
        (r.prompt.id, i) for r in requests for i in r.samples
    )
