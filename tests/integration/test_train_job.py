"""The train job on a local Ray: two processes reach what one reaches, and what it refuses."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jobs.train import main
from ktray.config import parse
from ktray.seqcoder.curves import read_curves
from ktray.seqcoder.settings import TrainSettings

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

TINY = """
model: {layers: 1, width: 32, heads: 2, context: 96}
data: {curriculum: [first-steps], pairs: 8, groups: 4, chunk: 2}
optimiser: {rate: 0.003, warmup: 2, steps: 6}
evaluate_every: 3
held_out: 8
"""


@pytest.mark.usefixtures("local_ray")
def test_two_processes_reach_what_one_reaches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ktray.seqcoder.loop import Trainer
    from ktray.seqcoder.sources import Sources
    from ktray.seqcoder.team import Team

    config = tmp_path / "tiny.yaml"
    config.write_text(TINY, encoding="utf-8")
    argv = ["--config", str(config), "--out", str(tmp_path / "two"), "--processes", "2", "--failures", "0"]
    assert main([*argv, "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    settings = parse(TrainSettings, ["--config", str(config)], prog="train", description="")
    alone = Trainer(settings, tmp_path / "one", Team(), Sources()).run()
    two = read_curves(tmp_path / "two")
    for name in ("step", "pairs", "loss", "held_out_loss"):
        assert [row[name] for row in two] == pytest.approx([row[name] for row in alone.curve], abs=1e-3)
    assert metrics["loss"] == two[-1]["loss"]
    assert {"curves.png", "curves.csv", "config.yaml", "metrics.json"} <= {
        p.name for p in (tmp_path / "two").iterdir()
    }
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        p.name for p in (tmp_path / "two" / "model").iterdir()
    }


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--model.width", "33"], "width a multiple of heads"),
        (["--own-share", "2"], "expected 0 to 1"),
        (["--failures", "-1"], "expected 0 or more"),
        (["--from-logs", "nowhere"], "nowhere is no run directory"),
        (["--exclude", "nothing.jsonl"], "nothing.jsonl"),
    ],
)
def test_what_is_wrong_is_one_line(
    flags: list[str], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "run"), *flags]) == 2
    error = capsys.readouterr().err
    assert what in error
    assert error.count("\n") == 1
