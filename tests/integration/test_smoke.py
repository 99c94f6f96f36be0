"""The smoke config of every job that needs no model, as its first line says to run it, in an empty folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from jobs import bench, compress, decompress, demo, evaluate, generate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fresh_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the configs and the data that they name, and nothing of an earlier run."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copytree(ROOT / "tests/data", tmp_path / "tests/data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def smoke(job: str) -> list[str]:
    return ["--config", f"configs/{job}/smoke.yaml", "--json"]


def test_compress_then_decompress(
    fresh_clone: Path, local_ray: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compress.main(smoke("compress")) == 0
    written = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert decompress.main(smoke("decompress")) == 0
    restored = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert restored["sha256"] == written["sha256"]


def test_evaluate_generate_and_bench(fresh_clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(smoke("evaluate")) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["n"] == 7
    assert generate.main(smoke("generate")) == 0
    assert list((fresh_clone / "runs/smoke").rglob("*.parquet"))
    capsys.readouterr()
    assert bench.main(smoke("bench")) == 0


def test_demo(fresh_clone: Path, local_ray: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(smoke("demo")) == 0
    assert "identical" in "".join(capsys.readouterr())
