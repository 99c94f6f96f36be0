"""Options that exclude or need one another, and paths that cannot be: one line, exit code 2, nothing written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from jobs import compress, decompress, evaluate, generate, passk
from ktray.extras import missing
from ktray.rundir import RunDirectory

Main = Callable[[Sequence[str]], int]

_GIVEN = '{"sequence": [1, 2], "program": "output = [1, 2]"}\n'
MISTAKES: list[tuple[Main, list[str], str]] = [
    (evaluate.main, [], "no input given"),
    (evaluate.main, ["--input", "{given}", "--prior", ""], "--prior names nothing"),
    (evaluate.main, ["--input", "{given}", "--out", "{given}"], "is the input itself"),
    (evaluate.main, ["--input", "{given}", "--published"], "recipe of the GZIP baseline"),
    (evaluate.main, ["--input", "{given}", "--baseline", "gzip", "--rows", "{tmp}/r"], "leave them out"),
    (evaluate.main, ["--input", "{given}", "--rows", "{given}/r"], "a folder is expected there"),
    (compress.main, ["--corpus", "file", "--input", "{given}", "--out", "{given}"], "is the input itself"),
    (compress.main, ["--corpus", "file", "--input", "{given}", "--block", "5seq"], "--block 5seq"),
    (generate.main, ["--size", "much"], "--size much"),
    (passk.main, ["--runs", "{tmp}", "--out", "{given}/x"], "is no run directory"),
    (decompress.main, ["-q"], "-q"),
]


@pytest.mark.parametrize(("main", "words", "told"), MISTAKES, ids=lambda value: None)
def test_mistakes_are_told_in_one_line(
    main: Main, words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "given.jsonl"
    given.write_text(_GIVEN)
    assert main([w.replace("{given}", str(given)).replace("{tmp}", str(tmp_path)) for w in words]) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(error) == 1
    assert told in error[0]
    assert given.read_text() == _GIVEN


def test_help_of_a_job_with_a_positional() -> None:
    with pytest.raises(SystemExit) as done:
        decompress.main(["-h"])
    assert done.value.code == 0


def test_a_shipped_corpus_can_be_a_baselines() -> None:
    assert evaluate.main(["--corpus", "sample", "--baseline", "gzip"]) == 0


def test_blocks_of_another_version_are_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = RunDirectory(tmp_path, {"corpus": "sample"})
    plans = []
    for stamp in ("one", "one", "other"):
        monkeypatch.setattr(compress, "coder_stamp", lambda stamp=stamp: stamp)
        plans.append(compress.plan_of(compress.Config(corpus="sample"), [], {}, directory))
    assert plans[0] == plans[1]
    assert plans[0].out != plans[2].out


def test_a_missing_package_is_told_with_the_extra_that_brings_it() -> None:
    assert "EXTRA being api" in str(missing(ModuleNotFoundError("no", name="openai.types")))
    with pytest.raises(ModuleNotFoundError):
        missing(ModuleNotFoundError("no", name="elsewhere"))
