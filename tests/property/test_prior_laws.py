"""Laws of the static priors: blocks come back, and prices are what the code spends."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktray.coding.flags import decode_flags, encode_flags
from ktray.coding.symbols import SymbolReader, encode_symbols, packed, put_escape, symbol_bits
from ktray.dsl.parser import parse
from ktray.dsl.printer import to_text
from ktray.dsl.program import DslProgram
from ktray.errors import ArchiveError
from ktray.ports import Entry
from ktray.priors import make_prior
from ktray.priors.texts import pack_texts, unpack_texts
from ktray.priors.uniform import put_program, take_program
from ktray.programs import Language, Program
from ktray.sequences import Values
from ktray.testing.strategies import entries, plays, programs, python_texts, values

STATIC = ["raw", "gzip", "uniform"]


def _distinct(block: list[Entry]) -> list[Entry]:
    """Return the block without programs whose text occurs twice with other values."""
    seen: dict[Program, Values] = {}
    for entry in block:
        if entry.program is not None:
            seen.setdefault(entry.program, entry.values)
    return [Entry(seen[e.program], e.program) if e.program else e for e in block]


@pytest.mark.parametrize("name", STATIC)
@pytest.mark.parametrize("told", [True, False], ids=["lengths told", "lengths coded"])
@settings(deadline=None, max_examples=15)
@given(block=entries())
def test_blocks_come_back(name: str, told: bool, block: list[Entry]) -> None:
    block, prior = _distinct(block), make_prior(name)
    lengths = np.array([len(e.values) for e in block], np.int64) if told else None
    coded = prior.encode(block, lengths)
    back = prior.decode(coded.payload, len(block), lengths, plays(block))
    assert len(back) == len(block)
    for entry, decoded, as_program in zip(block, back, coded.as_program, strict=True):
        assert np.array_equal(decoded.values, entry.values)
        assert decoded.program == (entry.program if as_program else None)
        assert entry.program is None or as_program or (name == "raw" and "\x00" in entry.program.text)
    assert coded.payload == prior.encode(block, lengths).payload
    spent = coded.program_bits + coded.literal_bits + coded.flag_bits
    assert spent <= 8 * len(coded.payload) <= spent + 8 * 18


@settings(deadline=None, max_examples=40)
@given(st.lists(programs(), max_size=8))
def test_uniform_code_keeps_any_program_at_its_price(block: list[DslProgram]) -> None:
    codes: list[int] = []
    for program in block:
        put_program(codes, program)
    data = encode_symbols(codes)
    reader = SymbolReader(data)
    assert [take_program(reader) for _ in block] == block
    price = make_prior("uniform").prices([Program(Language.DSL, to_text(p)) for p in block])
    assert math.isclose(price.sum(), symbol_bits(np.array(codes, np.int64)).sum(), abs_tol=1e-6)
    assert price.sum() - 64 <= 8 * len(data) <= price.sum() + 64


@settings(deadline=None, max_examples=40)
@given(st.lists(programs(max_lines=3), min_size=1, max_size=3), st.data())
def test_damaged_programs_raise_or_are_programs(block: list[DslProgram], data: st.DataObject) -> None:
    codes: list[int] = []
    for program in block:
        put_program(codes, program)
    damaged = bytearray(encode_symbols(codes))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    reader = SymbolReader(bytes(damaged))
    try:
        for _ in block:
            assert isinstance(take_program(reader), DslProgram)
    except ArchiveError:
        pass


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(2, 1 << 20).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n)))))
def test_symbols_come_back(symbols: list[tuple[int, int]]) -> None:
    reader = SymbolReader(encode_symbols([packed(*pair) for pair in symbols]))
    assert [reader.take(total) for _, total in symbols] == [symbol for symbol, _ in symbols]


@settings(deadline=None, max_examples=40)
@given(st.integers(-(1 << 62), 1 << 62), st.integers(-300, 300), st.integers(0, 300))
def test_escapes_come_back(value: int, low: int, span: int) -> None:
    high = low + span
    if low <= value <= high:
        value = high + 1
    codes: list[int] = []
    put_escape(codes, value, low, high)
    assert SymbolReader(encode_symbols(codes)).take_escape(low, high) == value


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.one_of(st.integers(0, 300), st.integers(0, 1 << 62)))))
def test_flags_and_lengths_come_back(rows: list[tuple[int, int]]) -> None:
    flags = np.array([flag for flag, _ in rows], np.uint8)
    lengths = np.array([0 if flag else length for flag, length in rows], np.int64)
    for given_lengths in (None, lengths):
        back = decode_flags(encode_flags(flags, given_lengths), len(rows), given_lengths is not None)
        assert np.array_equal(back[0], flags)
        assert given_lengths is None or np.array_equal(back[1], lengths)


def test_flags_that_never_change_cost_nothing_much() -> None:
    assert len(encode_flags(np.ones(100_000, np.uint8), None)) < 8
    rare = np.ones(100_000, np.uint8)
    rare[::10_000] = 2
    assert len(encode_flags(rare, None)) < 40


@settings(deadline=None, max_examples=40)
@given(st.lists(python_texts()))
def test_texts_come_back(texts: list[str]) -> None:
    assert unpack_texts(pack_texts(texts), len(texts)) == texts


@settings(deadline=None, max_examples=40)
@given(values(), st.data())
def test_damaged_payloads_raise_what_the_archive_expects(elements: Values, data: st.DataObject) -> None:
    prior = make_prior("uniform")
    text = "sequence_1 = range_func_up(1, 9)\noutput = sequence_1"
    block = [Entry(elements), Entry(np.arange(1, 10, dtype=np.uint8), Program(Language.DSL, text))]
    payload = bytearray(prior.encode(block, None).payload)
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        back = prior.decode(bytes(payload), 2, None, lambda program: np.zeros(len(program.text), np.uint8))
        assert len(back) == 2
    except (ArchiveError, ValueError, IndexError, OverflowError):
        pass


@settings(deadline=None, max_examples=40)
@given(programs())
def test_other_spellings_come_back_canonical(program: DslProgram) -> None:
    text = "# spelled otherwise\n" + re.sub(r"\bsequence_", "sequence_7", to_text(program))
    prior = make_prior("uniform")
    made = np.zeros(3, np.uint8)
    coded = prior.encode([Entry(made, Program(Language.DSL, text))], None)
    back = prior.decode(coded.payload, 1, None, lambda _: made)[0].program
    assert back is not None
    assert back.text == to_text(program) == to_text(parse(text))
