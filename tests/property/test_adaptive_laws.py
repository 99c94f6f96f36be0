"""Laws of the adaptive prior over programs that Hypothesis makes up."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ktray.dsl.interpreter import interpret
from ktray.dsl.printer import to_text
from ktray.dsl.program import DslProgram
from ktray.errors import InputError
from ktray.ports import Entry
from ktray.priors.adaptive import AdaptivePrior
from ktray.priors.adaptive.block import flat_variants
from ktray.priors.adaptive.counts import blank_counts
from ktray.priors.adaptive.desk import Desk, Sink
from ktray.priors.adaptive.flat import unflatten
from ktray.priors.canonical import canonicalise, variants
from ktray.programs import Language, Program
from ktray.testing import strategies


@settings(deadline=None, max_examples=60)
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


@settings(deadline=None, max_examples=100)
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


@settings(deadline=None, max_examples=100)
@given(
    programs=st.lists(st.one_of(strategies.programs(), strategies.solved().map(lambda s: s[0])), max_size=6)
)
def test_whatever_can_be_quoted_is_decoded_exactly(programs: list[DslProgram]) -> None:
    """Also programs whose arguments lie outside all constraints, and whose output is no sequence of bytes."""
    desk, sink, coded, spent = Desk(blank_counts()), Sink(), [], 0.0
    for program in programs:
        for flat in flat_variants(Program(Language.DSL, to_text(program))):
            if desk.quote(flat) is not None and desk.output(len(flat.rows)) is not None:
                spent += desk.program(flat)
                sink.drain(desk)
                coded.append(flat)
    payload = sink.finish()
    assert spent - 16 < 8 * len(payload) < spent + 16
    reader = Desk(blank_counts(), np.frombuffer(payload, np.uint8))
    for flat in coded:
        assert reader.next_program()[0] == unflatten(*flat)


@settings(deadline=None, max_examples=100)
@given(payload=st.binary(max_size=200), n=st.integers(0, 20))
def test_noise_is_an_error_of_the_input(payload: bytes, n: int) -> None:
    prior = AdaptivePrior()
    head = prior.encode([], None).payload[:5]
    try:
        entries = prior.decode(head + payload, n, None, lambda program: np.zeros(3, np.uint8))
    except (InputError, ValueError):
        return
    assert len(entries) == n
