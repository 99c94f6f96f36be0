"""Priors by name, what they cannot price, and the published figures."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ktray.dsl.interpreter import execute_text
from ktray.errors import ArchiveError, ConfigError
from ktray.ports import Entry
from ktray.priors import PRIORS, check_prior, make_prior
from ktray.programs import Language, Program
from ktray.sequences import Values

TEXT = "sequence_1 = range_func_up(76, 80)\nsequence_2 = filter(is_odd, sequence_1)\noutput = sequence_2"


def _run(program: Program) -> Values:
    values = execute_text(program.text).values
    assert values is not None
    return values


def test_unknown_names_and_settings_are_config_errors() -> None:
    with pytest.raises(ConfigError, match="uniform"):
        check_prior("unifrom")
    with pytest.raises(ConfigError, match="colour"):
        make_prior("uniform", colour="red")
    assert {"raw", "gzip", "uniform", "adaptive"} <= set(PRIORS)


@pytest.mark.parametrize("name", ["raw", "gzip", "uniform"])
def test_what_cannot_be_coded_costs_inf_and_becomes_a_literal(name: str) -> None:
    prior = make_prior(name)
    assert prior.name == name
    surrogate = Program(Language.PYTHON, "output = '\ud800'")
    assert np.isinf(prior.prices([surrogate])).all()
    assert np.isinf(prior.published_bits([surrogate])).all()
    block = [Entry(np.array([1, 2], np.uint8), surrogate)]
    coded = prior.encode(block, None)
    assert coded.as_program.tolist() == [False]
    assert prior.decode(coded.payload, 1, None, _run)[0].values.tolist() == [1, 2]


@pytest.mark.parametrize("name", ["uniform", "adaptive"])
def test_a_program_whose_canonical_text_is_too_long_becomes_a_literal(name: str) -> None:
    text = f"sequence_1 = set_list([{','.join('7' * 30_000)}])\nsequence_2 = repeat_list(8, sequence_1)"
    program = Program(Language.DSL, f"{text}\noutput = sequence_2")
    entry = Entry(_run(program), program)
    prior = make_prior(name)
    coded = prior.encode([entry], None)
    (decoded,) = prior.decode(coded.payload, 1, None, _run)
    assert np.array_equal(decoded.values, entry.values)


def test_what_programs_give_is_what_the_layout_says() -> None:
    program = Program(Language.DSL, "sequence_1 = repeat_num(20000, 0)\noutput = sequence_1")
    prior = make_prior("uniform")
    coded = prior.encode([Entry(_run(program), program)], np.array([20_000]))
    with pytest.raises(ArchiveError, match="more or fewer elements"):
        prior.decode(coded.payload, 1, np.array([1]), _run)


def test_numbers_in_a_header_end() -> None:
    with pytest.raises(ArchiveError, match="too long"):
        make_prior("uniform").decode(b"\x08" + b"\xff" * 100_000, 1, None, _run)


def test_long_chains_have_a_price_in_time() -> None:
    lines = ["sequence_1 = set_list([1])", "sequence_2 = set_list([1])"]
    lines += [f"sequence_{i} = concatenate(sequence_1, sequence_{i - 1})" for i in range(3, 1000)]
    program = Program(Language.DSL, "\n".join([*lines, "output = sequence_999"]))
    assert np.isfinite(make_prior("adaptive").prices([program])).all()


def test_uniform_refuses_what_does_not_parse() -> None:
    prior = make_prior("uniform")
    programs = [Program(Language.DSL, TEXT), Program(Language.DSL, "nonsense")]
    assert np.isfinite(prior.prices(programs)).tolist() == [True, False]
    assert np.isfinite(prior.published_bits(programs)).tolist() == [True, False]


def test_uniform_by_hand() -> None:
    """Two calls and an output; a filter's reference on line 1 has two published choices and one real one."""
    prior = make_prior("uniform")
    line = np.log2(25)
    assert prior.published_bits([Program(Language.DSL, TEXT)])[0] == pytest.approx(3 * line + 16 + 1)
    expected = 3 * line + np.log2(257) + np.log2(258)
    assert prior.prices([Program(Language.DSL, TEXT)])[0] == pytest.approx(expected, abs=1e-3)


def test_small_alphabets_are_packed() -> None:
    dna = np.random.default_rng(5).integers(0, 8, 8000).astype(np.uint8)
    prior = make_prior("uniform")
    lengths = np.array([8000], np.int64)
    coded = prior.encode([Entry(dna)], lengths)
    assert len(coded.payload) <= 3000 + 10
    assert coded.literal_bits == 24_000
    assert np.array_equal(prior.decode(coded.payload, 1, lengths, _run)[0].values, dna)


def test_gold_programs_of_the_published_pairs(published: Path) -> None:
    with gzip.open(published / "kt-1mb" / "synthetic_pairs.jsonl.gz", "rt") as file:
        rows: list[dict[str, Any]] = [json.loads(line) for line in file]
    programs = [Program(Language.DSL, row["program"]) for row in rows]
    lengths = np.array([len(row["sequence"]) for row in rows], np.int64)
    prior = make_prior("uniform")
    bits = prior.published_bits(programs)
    assert np.abs(bits - [row["uniform_bits"] for row in rows]).max() < 1e-6
    assert (1 + bits).sum() / (8 * lengths.sum()) == pytest.approx(0.33189, abs=1e-5)
    assert ((1 + bits) / (8 * lengths)).mean() == pytest.approx(0.39166, abs=1e-5)
    entries = [
        Entry(np.array(row["sequence"], np.uint8), program)
        for row, program in zip(rows, programs, strict=True)
    ]
    payload = prior.encode(entries, lengths).payload
    assert 8 * len(payload) / (8 * lengths.sum()) < 0.336
    some, told = entries[:2500], lengths[:2500]
    payload = prior.encode(some, told).payload
    for entry, back in zip(some, prior.decode(payload, len(some), told, _run), strict=True):
        assert np.array_equal(entry.values, back.values)
        assert entry.program == back.program
