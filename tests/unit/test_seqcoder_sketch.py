"""Sketches: what they point at, what fills their holes, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from ktray.dsl.interpreter import interpret
from ktray.dsl.parser import parse
from ktray.dsl.printer import to_text
from ktray.errors import ProgramError
from ktray.seqcoder.forms import form_called
from ktray.seqcoder.sketch import fill, parse_sketch, sketch_of

PROGRAM = """sequence_1 = set_list([7, 3, 9])
sequence_2 = range_func_up(20, 25)
sequence_3 = reverse_list(sequence_1)
sequence_4 = concatenate(sequence_1, sequence_2)
sequence_5 = interleave(sequence_4, sequence_3)
output = sequence_5"""


def values_of(text: str) -> list[int]:
    made = interpret(parse(text)).values
    assert made is not None
    return [int(x) for x in made]


def filled(sketch: str, values: list[int]) -> str:
    return to_text(fill(parse_sketch(sketch), values))


def test_a_program_becomes_its_sketch_and_back() -> None:
    sketch = "set_list concatenate @6 range_func_up interleave @6 reverse_list @0"
    values = values_of(PROGRAM)
    assert values == [7, 9, 3, 3, 9, 7, 20, 21, 22, 23, 24, 25]
    assert sketch_of(parse(PROGRAM)).text() == sketch
    assert values_of(filled(sketch, values)) == values
    assert filled(sketch, values).splitlines()[:3] == [
        "sequence_1 = set_list([7, 3, 9])",
        "sequence_2 = range_func_up(20, 25)",
        "sequence_3 = reverse_list(sequence_1)",
    ]


@pytest.mark.parametrize(
    ("sketch", "values", "line"),
    [
        ("range_func_interval", [4, 7, 10], "range_func_interval(4, 11, 3)"),
        ("repeat_num", [5, 5, 5], "repeat_num(3, 5)"),
        ("set_list concatenate @3 repeat_list @0", [1, 9, 2] * 3, "repeat_list(2, sequence_1)"),
        ("set_list concatenate @3 substitute @0", [1, 9, 2, 1, 8, 2], "substitute(sequence_1, 9, 8)"),
        ("substitute range_func_up", [3, 4, 9, 6], "substitute(sequence_1, 5, 9)"),
        ("set_list concatenate @4 get_subsequence_with_jumps @0", [1, 2, 3, 9, 1, 9], "jumps(sequence_1, 3)"),
        (
            "set_list concatenate @4 get_subsequence_between_indices @0",
            [5, 1, 2, 9, 1, 2],
            "get_subsequence_between_indices(sequence_1, 1, 3)",
        ),
        ("set_list concatenate @4 max_n @0", [5, 1, 2, 9, 9, 5], "max_n(sequence_1, 2)"),
        ("set_list concatenate @2 add_item_list @0", [5, 1, 8, 4], "add_item_list(sequence_1, 3)"),
        ("set_list concatenate @2 subtract_item_list @0", [8, 4, 5, 1], "subtract_item_list(sequence_1, 3)"),
        (
            "set_list concatenate @3 modulo_item_list @0",
            [9, 14, 3, 2, 0, 3],
            "modulo_item_list(sequence_1, 7)",
        ),
        ("set_list concatenate @4 filter is_odd @0", [1, 2, 3, 5, 1, 3, 5], "filter(is_odd, sequence_1)"),
        ("set_list concatenate @3 scan_add @0", [1, 2, 3, 1, 3, 6], "scan_add(sequence_1)"),
        (
            "set_list concatenate @2 range_func_up concatenate @4 add_two_lists @0 @2",
            [5, 9, 1, 2, 6, 11],
            "add_two_lists(sequence_1, sequence_2)",
        ),
    ],
)
def test_values_settle_every_number(sketch: str, values: list[int], line: str) -> None:
    text = filled(sketch, values)
    assert line in text
    assert values_of(text) == values


def test_a_longer_piece_interleaves_the_result_so_far() -> None:
    text = "set_list interleave_longer @4 range_func_up"
    values = [9, 1, 7, 2, 3, 4]
    assert "set_list([9, 7])" in filled(text, values)
    assert values_of(filled(text, values)) == values


def test_a_piece_again_costs_no_line() -> None:
    values = [4, 8, 1, 4, 8, 1]
    assert filled("set_list concatenate @3 @0", values).count("\n") == 2


def test_a_list_that_is_not_in_the_output_becomes_a_literal() -> None:
    text = "sequence_1 = set_list([4, 8, 1])\nsequence_2 = reverse_list(sequence_1)\noutput = sequence_2"
    assert sketch_of(parse(text)).text() == "set_list"


@pytest.mark.parametrize(
    ("sketch", "what"),
    [
        ("", "ends where"),
        ("halve", "an operation or an element, found 'halve'"),
        ("set_list concatenate", "ends where an element"),
        ("set_list concatenate 3 set_list", "such as @12, found '3'"),
        ("set_list set_list", "a merge"),
        ("set_list concatenate @0 set_list", "leaves nothing"),
        ("set_list concatenate @99 set_list", "leaves nothing"),
        ("set_list interleave @3 set_list", "come out even"),
        ("set_list concatenate @2 reverse_list @1", "no earlier piece begins at element 1"),
        ("@0", "no earlier piece"),
        ("filter is_big @0", "a predicate"),
    ],
)
def test_what_does_not_fit_is_refused(sketch: str, what: str) -> None:
    with pytest.raises(ProgramError, match=what):
        filled(sketch, [1, 2, 3, 4])


def test_an_empty_sequence_has_no_sketch() -> None:
    with pytest.raises(ProgramError, match="empty"):
        filled("set_list", [])


def test_merged_lists_in_merged_lists_have_no_sketch() -> None:
    text = (
        "sequence_1 = repeat_num(2, 1)\nsequence_2 = concatenate(sequence_1, sequence_1)\n"
        "sequence_3 = concatenate(sequence_1, sequence_2)\noutput = sequence_3"
    )
    with pytest.raises(ProgramError, match="merged"):
        sketch_of(parse(text))


def test_hints_tell_runs_and_repeats() -> None:
    def told(values: list[int]) -> str:
        return form_called("sketch").prompt(np.array(values, np.uint8))

    assert told([9, 9, 9, 1, 2, 3]) == "[9a 9b 9b 1c 2d 3d]"
    assert told([5, 8, 11, 40, 30, 20]) == "[5e 8f 11f 40g 30h 20h]"
    assert told([1, 90, 2, 40, 3, 7, 4, 8]) == "[1i 90 2j 40 3j 7 4j 8]"
    assert told([7, 1, 9, 3, 7, 1, 9, 3]) == "[7 1 9 3 7C 1C 9C 3C]"
    assert told([7, 1, 9, 3, 3, 9, 1, 7]) == "[7 1 9 3 3R 9R 1R 7R]"
    assert told([]) == "[]"
