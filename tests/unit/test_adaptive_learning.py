"""What the shipped counts are learned from, and the measurements around them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ktray.corpora.pairs import sequence_hash
from ktray.priors.adaptive import __main__ as learning
from ktray.priors.adaptive import macros, second_pass
from ktray.priors.adaptive.counts import SHIPPED, load_counts
from ktray.priors.adaptive.learn import learned_counts
from ktray.priors.adaptive.prior import AdaptivePrior
from ktray.priors.adaptive.searched import drawn, read_searched, write_searched
from ktray.programs import Language, Program


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs that a short search finds for eight drawn sequences, one of nine excluded."""
    path = tmp_path_factory.mktemp("searched") / "searched.jsonl"
    first = next(drawn(5, 9, ()))
    write_searched(path, 5, 9, 0.001, {sequence_hash(first.tobytes())})
    return path


def test_excluded_sequences_are_not_searched(searched: Path) -> None:
    sequences = [values.tolist() for values, _ in read_searched(searched)]
    assert sequences == [values.tolist() for values in list(drawn(5, 9, ()))[1:]]


def test_searched_programs_are_learned_from(searched: Path) -> None:
    texts = [texts for _, texts in read_searched(searched) if texts]
    assert texts
    plain, taught = learned_counts(1, 400), learned_counts(1, 400, texts)
    programs = [Program(Language.DSL, text) for some in texts for text in some[:1]]
    prices = [AdaptivePrior(counts=counts).prices(programs).sum() for counts in (plain, taught)]
    assert prices[1] < prices[0]


def test_excluded_pairs_teach_nothing() -> None:
    every = {sequence_hash(values.tobytes()) for values in drawn(1, 60, ())}
    assert learned_counts(1, 60, (), every).digest() != learned_counts(1, 60).digest()
    assert learned_counts(1, 60, (), every).digest() == learned_counts(1, 0).digest()


def test_the_commands_write_and_measure(
    searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(module: object, *argv: object) -> str:
        monkeypatch.setattr(sys, "argv", ["command", *map(str, argv)])
        module.main()  # type: ignore[attr-defined]
        return capsys.readouterr().out

    command(learning, "--learn", "--pairs", 300, "--searched", searched, "--output", tmp_path / SHIPPED)
    assert not np.array_equal(load_counts(tmp_path / SHIPPED).counters, load_counts().counters)
    assert "first pass" in command(second_pass, searched)
    assert "functions and references" in command(macros, searched)
    with pytest.raises(SystemExit):
        command(learning, "--learn", "--exclude", tmp_path / "missing.jsonl")


def test_a_macro_in_every_program_is_worth_its_definition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unlikely run of lines, the same in all programs, is found, and saves bits."""
    text = (
        "sequence_1 = range_func_up(3, 40)\nsequence_2 = filter(is_odd, sequence_1)\n"
        "sequence_3 = max_n(sequence_2, 7)\nsequence_4 = filter(is_even, sequence_1)\n"
        "sequence_5 = modulo_two_lists(sequence_4, sequence_3)\noutput = sequence_5"
    )
    rows = [{"sequence": [1], "program": text.replace("40", str(40 + i))} for i in range(40)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr(sys, "argv", ["macros", str(path)])
    macros.main()
    assert float(capsys.readouterr().out.split()[-1].rstrip("%")) > 10


def test_the_shipped_file_is_small() -> None:
    assert (Path(learning.__file__).parents[1] / "data" / SHIPPED).stat().st_size < 1_000_000
