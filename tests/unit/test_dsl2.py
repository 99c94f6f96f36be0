"""The second dialect: its proposer on classic sequences, and its way through priors and archives."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ktray.archive import ArchiveReader, decode_block, encode_block
from ktray.dsl.classics import CLASSICS
from ktray.dsl.interpreter import execute_text
from ktray.errors import ConfigError
from ktray.ports import Entry, Prior
from ktray.priors import make_prior
from ktray.programs import Language, Program
from ktray.proposers.dsl2 import Dsl2Proposer, find
from ktray.proposers.dsl2_bench import compressed_rate, compressors, program_rate
from ktray.sequences import Values, make_sequence
from ktray.testing.archives import uncut_block, write_archive

#: Classics that the proposer should say in at most so many bits.
BITS = {
    "squares": 80,
    "Fibonacci": 80,
    "tribonacci": 100,
    "LCG 75x + 74 modulo 241": 65,
    "fourth powers": 115,
    "Thue-Morse": 60,
    "Gray code": 50,
    "Fibonacci word": 65,
    "Rule 30": 170,
    "staircase": 45,
    "each number as often as it says": 80,
}


def run(program: Program) -> Values:
    values = execute_text(program.text).values
    assert values is not None
    return values


def classic(name: str, n: int = 128) -> Values:
    return np.array(CLASSICS[name](n), np.uint8)


@cache
def found(name: str) -> str | None:
    return find(classic(name))


def priors() -> list[Prior]:
    return [make_prior("uniform", dialect="dsl2"), make_prior("adaptive"), make_prior("gzip")]


def test_there_are_classics_enough() -> None:
    assert len(CLASSICS) >= 40
    for make in CLASSICS.values():
        values = make(50)
        assert len(values) == 50
        assert all(0 <= value < 256 for value in values)
        assert make(30) == values[:30]


@pytest.mark.parametrize("name", BITS)
def test_laws_are_found(name: str) -> None:
    values = classic(name)
    text = found(name)
    assert text is not None
    assert np.array_equal(run(Program(Language.DSL, text)), values)
    assert program_rate(text, "dsl2", values) * 8 * len(values) <= 1 + BITS[name]


def test_noise_has_no_law() -> None:
    noise = np.random.default_rng(2).integers(0, 256, 128, dtype=np.uint8)
    assert find(noise) is None
    assert find(noise[:3]) is None
    assert list(Dsl2Proposer().propose([make_sequence("noise", 0, noise)], range(2))) == []


def test_only_the_first_sample_is_given() -> None:
    sequence = make_sequence("squares", 0, classic("squares"))
    assert len(list(Dsl2Proposer().propose([sequence], range(3)))) == 1
    assert list(Dsl2Proposer().propose([sequence], range(1, 3))) == []


@pytest.mark.parametrize("prior", priors(), ids=lambda prior: prior.name)
def test_archives_of_both_dialects_come_back(prior: Prior, tmp_path: Path) -> None:
    names = [*BITS, "primes"]
    texts = [found(name) for name in names]
    texts += ["sequence_1 = repeat_num(40, 7)\noutput = sequence_1"]
    programs = [Program(Language.DSL, text) if text else None for text in texts]
    block = uncut_block("classics", [*(bytes(classic(name)) for name in names), bytes([7] * 40)])
    coded = encode_block(block, programs, prior)
    write_archive(tmp_path / "a.kt", [coded], {"dialect": "dsl2"})
    with ArchiveReader(tmp_path / "a.kt") as reader:
        assert reader.settings["dialect"] == "dsl2"
    back = decode_block(coded.stored, lambda _: prior, run)
    assert np.array_equal(back.block.values, block.values)
    assert coded.info.dsl == len(names)
    assert coded.program_bits <= 1.02 * sum(prior.prices([p])[0] for p in programs if p) + 16


def test_the_published_dialect_does_not_know_them() -> None:
    text = found("squares")
    program = Program(Language.DSL, text or "")
    prior = make_prior("uniform")
    assert np.isinf(prior.prices([program])[0])
    assert np.isinf(prior.published_bits([program])[0])
    assert np.isinf(make_prior("uniform", dialect="dsl2").published_bits([program])[0])
    block = prior.encode([Entry(classic("squares"), program)], None)
    assert not block.as_program[0]
    with pytest.raises(ConfigError, match="dsl2"):
        make_prior("uniform", dialect="dsl3")


def test_other_programs_are_dearer_in_the_second_dialect() -> None:
    program = Program(Language.DSL, "sequence_1 = repeat_num(40, 7)\noutput = sequence_1")
    prices = [make_prior("uniform", dialect=dialect).prices([program])[0] for dialect in ("dsl", "dsl2")]
    assert 0 < prices[1] - prices[0] < 2


def test_compressors_are_measured_without_their_frames() -> None:
    values = classic("primes")
    for compress in compressors().values():
        assert compressed_rate(compress, values) <= 1
        assert 0 < compressed_rate(compress, np.zeros(500, np.uint8)) < 0.1
