"""The smoke configs with a model: vLLM on Ray, on the CPU, from sampling to the study and the archive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs import compress, decompress, passk, sample
from ktray.testing.models import make_tiny_model

pytestmark = pytest.mark.usefixtures("local_ray")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


def job(capsys: pytest.CaptureFixture[str], main: Any, *argv: object) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*map(str, argv), "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])  # type: ignore[no-any-return]


def test_sample_and_passk(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smoke = ("--config", "configs/sample/smoke.yaml", "--engine.model", model, "--run", tmp_path / "run")
    sampled = job(capsys, sample.main, *smoke)
    assert sampled["samples"] == 64
    assert sampled["errors"] == 0
    assert 64 < sampled["tokens"] <= 64 * 64
    assert sampled["outcomes"]["syntax_error"] == 0
    assert sampled["new"]["tokens_per_second"] > 0
    study = ("--config", "configs/passk/smoke.yaml", "--runs", tmp_path / "run", "--out", tmp_path / "study")
    found = job(capsys, passk.main, *study)
    (group,) = found["groups"]
    assert group["last"]["k"] == 4
    assert group["last"]["pass"] == sampled["series"][0]["solved_sequences"] / 16
    assert (tmp_path / "study" / "pass-sample.png").exists()
    assert (tmp_path / "study" / "prefixes.png").exists()


def test_compress_with_a_model(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smoke = (
        "--config",
        "configs/compress/vllm-smoke.yaml",
        "--engine.model",
        model,
        "--run",
        tmp_path / "run",
    )
    metrics = job(capsys, compress.main, *smoke, "--out", tmp_path / "a.kt")
    assert sum(metrics["chosen"].values()) == metrics["sequences"] == 16
    restored = job(capsys, decompress.main, tmp_path / "a.kt", "--out", tmp_path / "restored")
    assert restored["sha256"] == metrics["sha256"]


def test_the_model_that_ships_is_asked_where_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = (
        "--corpus",
        "synthetic",
        "--seed",
        5,
        "--limit",
        "24seq",
        "--proposers",
        "vllm,literal",
        "--n",
        2,
    )
    metrics = job(capsys, compress.main, *drawn, "--run", tmp_path / "run", "--out", tmp_path / "a.kt")
    assert metrics["correct_programs"] > 0
    restored = job(capsys, decompress.main, tmp_path / "a.kt", "--out", tmp_path / "restored")
    assert restored["sha256"] == metrics["sha256"]
