"""Laws of the adaptive prior over programs that Hypothesis makes up."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ktray.corpora.synthetic import SamplerSettings, sample_pairs
from ktray.dsl.interpreter import interpret
from ktray.dsl.parser import parse
from ktray.dsl.printer import to_text
from ktray.dsl.program import DslProgram
from ktray.errors import InputError
from ktray.ports import Entry
from ktray.priors.adaptive import AdaptivePrior
from ktray.priors.adaptive.block import flat_variants
from ktray.priors.adaptive.counts import blank_counts
from ktray.priors.adaptive.desk import Desk, Sink
from ktray.priors.adaptive.flat import Flat, flatten, unflatten
from ktray.priors.adaptive.machine import OP, SET_LIST, X, Y
from ktray.priors.canonical import canonicalise, variants
from ktray.programs import Language, Program
from ktray.testing import strategies


@settings(deadline=None, max_examples=20)
@given(block=strategies.entries(), sized=st.booleans())
def test_blocks_come_back(block: list[Entry], sized: bool) -> None:
    block = list({entry.program or i: entry for i, entry in enumerate(block)}.values())
    lengths = None if sized else np.array([len(entry.values) for entry in block], np.int64)
    prior = AdaptivePrior()
    coded = prior.encode(block, lengths)
    back = prior.decode(coded.payload, len(block), lengths, strategies.plays(block))
    for entry, other, as_program in zip(block, back, coded.as_program, strict=True):
        assert np.array_equal(entry.values, other.values)
        assert (other.program is not None) == as_program


@settings(deadline=None, max_examples=25)
@given(program=st.one_of(strategies.programs(), strategies.programs(tame=True)))
def test_variants_give_the_same_output_and_settle(program: DslProgram) -> None:
    output = interpret(program)
    for variant in variants(program):
        again = interpret(variant)
        assert variant.output == len(variant.lines) - 1
        assert len(variant.lines) <= len(program.lines)
        if output.values is not None:
            assert np.array_equal(again.values, output.values)
    first = canonicalise(program)
    assert canonicalise(first) == first


@settings(deadline=None, max_examples=25)
@given(
    programs=st.lists(st.one_of(strategies.programs(), strategies.solved().map(lambda s: s[0])), max_size=6)
)
def test_whatever_can_be_quoted_is_decoded_exactly(programs: list[DslProgram]) -> None:
    """Also programs whose arguments lie outside all constraints, and whose output is no sequence of bytes."""
    desk, sink, coded, spent = Desk(blank_counts()), Sink(), [], 0.0
    for program in programs:
        for flat in flat_variants(Program(Language.DSL, to_text(program))):
            if desk.quote(desk.load(flat)) is not None and desk.output(len(flat.rows)) is not None:
                spent += desk.program(desk.load(flat))
                sink.drain(desk)
                coded.append(flat)
    payload = sink.finish()
    assert spent - 16 < 8 * len(payload) < spent + 16
    reader = Desk(blank_counts(), np.frombuffer(payload, np.uint8))
    for flat in coded:
        assert reader.next_program()[0] == unflatten(*flat)


@settings(deadline=None, max_examples=25)
@given(program=st.one_of(strategies.programs(), strategies.solved().map(lambda s: s[0])), data=st.data())
def test_the_quick_way_in_agrees_with_the_parser(program: DslProgram, data: st.DataObject) -> None:
    """Also texts with a letter changed or left out, of which most are no programs."""
    desk, text = Desk(blank_counts()), to_text(canonicalise(program))
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(["", *"0129-_, []()=\nas\u00e9"]))
    for spelled in (text, text[:at] + letter + text[at + 1 :]):
        quick = _quick(desk, spelled)
        assert quick is None or quick == _slow(spelled)


def test_most_programs_take_the_quick_way_in() -> None:
    desk = Desk(blank_counts())
    texts = [text for text, _ in sample_pairs(SamplerSettings(), 9, 0, 300)]
    assert sum(_quick(desk, text) is not None for text in texts) > 250


def _quick(desk: Desk, text: str) -> Flat | None:
    lines = desk.read(text)
    rows = desk.lines[: max(lines, 0)].tolist()
    used = max((row[X] + row[Y] for row in rows if row[OP] == SET_LIST), default=0)
    return Flat(rows, desk.items[:used].tolist()) if lines > 0 else None


def _slow(text: str) -> Flat | None:
    """Return the only variant of a text that can be read quickly."""
    found = list(variants(parse(text)))
    flat = flatten(found[0]) if len(found) == 1 else None
    lists = [arg for call in found[0].lines for arg in call.args if isinstance(arg, tuple)]
    return flat if all(lists) else None


@settings(deadline=None, max_examples=25)
@given(payload=st.binary(max_size=200), n=st.integers(0, 20))
def test_noise_is_an_error_of_the_input(payload: bytes, n: int) -> None:
    prior = AdaptivePrior()
    head = prior.encode([], None).payload[:5]
    try:
        entries = prior.decode(head + payload, n, None, lambda program: np.zeros(3, np.uint8))
    except (InputError, ValueError):
        return
    assert len(entries) == n
