"""Laws of sketches: of any drawn program, the sketch makes its sequence, nearly as cheaply."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ktray.corpora.synthetic import PRESETS, sample_columns
from ktray.dsl.encoded import decode_program
from ktray.dsl.interpreter import interpret
from ktray.errors import ProgramError
from ktray.priors.uniform import published_bits
from ktray.seqcoder.sketch import fill, parse_sketch, sketch_of


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(PRESETS)))
def test_a_sketch_makes_its_programs_sequence(seed: int, name: str) -> None:
    gold = sketched = 0.0
    for flat, values in sample_columns(PRESETS[name], seed, 0, 20).rows():
        program = decode_program(flat.tolist())
        sketch = sketch_of(program)
        assert parse_sketch(sketch.text()) == sketch
        again = fill(sketch, values.tolist())
        made = interpret(again).values
        assert made is not None
        assert np.array_equal(made, values)
        gold, sketched = gold + published_bits(program), sketched + published_bits(again)
    assert sketched < 1.5 * gold


OPERATIONS = (
    "set_list range_func_up repeat_num concatenate interleave interleave_longer modulo_item_list reverse_list "
    "filter is_even add_two_lists substitute"
)
WORDS = st.sampled_from([*OPERATIONS.split(), *(f"@{i}" for i in range(12))])


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=12), st.lists(st.integers(0, 255), max_size=12))
def test_any_words_make_a_program_or_are_refused(words: list[str], values: list[int]) -> None:
    try:
        program = fill(parse_sketch(" ".join(words)), values)
    except ProgramError:
        return
    execution = interpret(program)
    assert execution.values is not None or execution.failure is not None
