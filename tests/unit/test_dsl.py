"""The language: semantics as data, error positions, bounds, and the published pairs."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest

from ktray.dsl.interpreter import DslExecutor, Limits, execute_texts, interpret, run_lines
from ktray.dsl.ops import BY_NAME, LINE_BITS, OPERATIONS, PREDICATES, Dialect
from ktray.dsl.parser import DIALECT_LINE, MAX_SOURCE, parse
from ktray.dsl.printer import to_text
from ktray.dsl.program import Call, DslProgram, Ref
from ktray.errors import ProgramError
from ktray.programs import Language, Outcome, Program

SEMANTICS: list[tuple[str, list[int]]] = [
    ("range_func_up(3, 6)", [3, 4, 5, 6]),
    ("range_func_up(6, 3)", []),
    ("range_func_interval(1, 8, 3)", [1, 4, 7]),
    ("range_func_interval(8, 1, -3)", [8, 5, 2]),
    ("repeat_num(3, 9)", [9, 9, 9]),
    ("repeat_num(-1, 9)", []),
    ("set_list([5, 250])", [5, 250]),
    ("set_list([])", []),
    ("repeat_list(2, sequence_1)", [3, 1, 4, 1, 5, 3, 1, 4, 1, 5]),
    ("reverse_list(sequence_1)", [5, 1, 4, 1, 3]),
    ("substitute(sequence_1, 1, 9)", [3, 9, 4, 9, 5]),
    ("get_subsequence_with_jumps(sequence_1, 2)", [3, 4, 5]),
    ("get_subsequence_between_indices(sequence_1, 1, 3)", [1, 4]),
    ("get_subsequence_between_indices(sequence_1, -2, 99)", [1, 5]),
    ("max_n(sequence_1, 2)", [5, 4]),
    ("max_n(sequence_1, -2)", []),
    ("min_n(sequence_1, 9)", [1, 1, 3, 4, 5]),
    ("add_item_list(sequence_1, 10)", [13, 11, 14, 11, 15]),
    ("subtract_item_list(sequence_1, 1)", [2, 0, 3, 0, 4]),
    ("modulo_item_list(sequence_1, 3)", [0, 1, 1, 1, 2]),
    ("filter(is_even, sequence_1)", [4]),
    ("filter(is_odd, sequence_1)", [3, 1, 1, 5]),
    ("filter(is_not_zero, sequence_2)", [2, 1]),
    ("scan_add(sequence_1)", [3, 4, 8, 9, 14]),
    ("add_two_lists(sequence_1, sequence_2)", [5, 1, 5]),
    ("subtract_two_lists(sequence_1, sequence_2)", [1, 1, 3]),
    ("modulo_two_lists(sequence_1, sequence_2)", [1, 0]),
    ("concatenate(sequence_2, sequence_1)", [2, 0, 1, 3, 1, 4, 1, 5]),
    ("interleave(sequence_1, sequence_2)", [3, 2, 1, 0, 4, 1, 1, 5]),
    ("interleave(sequence_2, sequence_1)", [2, 3, 0, 1, 1, 4, 1, 5]),
]
#: Cases of the second dialect.
SEMANTICS_2 = [
    ("recurrence([1, 1], [1, 1], 0, 10, 8)", [1, 1, 2, 3, 5, 8, 3, 1]),
    ("recurrence([7], [5], 3, 16, 4)", [7, 6, 1, 8]),
    ("recurrence([1, 2, 3], [1], 0, 256, 2)", [1, 2]),
    ("fill(sequence_2, 7)", [2, 0, 1, 2, 0, 1, 2]),
    ("fill(sequence_2, -1)", []),
    ("cellular_automaton(90, sequence_2, 3)", [0, 0, 1, 0, 1, 0, 1, 0, 1]),
    ("cellular_automaton(1, sequence_2, -3)", []),
    ("grow(sequence_2, sequence_1, 9)", [2, 0, 1, 2, 0, 1, 3, 1, 4]),
    ("digit_sum(sequence_1, 2)", [2, 1, 1, 1, 2]),
    ("xor_two_lists(sequence_1, sequence_2)", [1, 1, 5]),
    ("divide_item_list(sequence_1, 2)", [1, 0, 2, 0, 2]),
    ("look_up(sequence_1, sequence_2)", [2, 0, 0, 0, 1]),
    ("repeat_each(sequence_1, sequence_2)", [3, 3, 4]),
]
PRELUDE = "sequence_1 = set_list([3, 1, 4, 1, 5])\nsequence_2 = set_list([2, 0, 1])\n"


@pytest.mark.parametrize(("call", "expected"), SEMANTICS)
def test_semantics(call: str, expected: list[int]) -> None:
    program = parse(f"{PRELUDE}sequence_3 = {call}\noutput = sequence_3")
    assert run_lines(program)[-1] == expected
    values = interpret(program).values
    assert values is not None
    assert values.tolist() == expected


@pytest.mark.parametrize(("call", "expected"), SEMANTICS_2)
def test_semantics_of_the_second_dialect(call: str, expected: list[int]) -> None:
    text = f"{PRELUDE}sequence_3 = {call}\noutput = sequence_3"
    with pytest.raises(ProgramError, match="no operation"):
        parse(text)
    program = parse(DIALECT_LINE + text)
    assert parse(text, Dialect.DSL2) == program
    assert to_text(program) == DIALECT_LINE + text
    assert run_lines(program)[-1] == expected


@pytest.mark.parametrize(
    "call",
    [
        "recurrence([1], [1, 1], 0, 256, 9)",
        "recurrence([1], [1], 0, 0, 9)",
        "recurrence([1], [1], 0, 9, 999999999999)",
        "fill(sequence_3, 9)",
        "fill(sequence_1, 999999999999)",
        "cellular_automaton(30, sequence_1, 999999999999)",
        "grow(sequence_1, sequence_1, 999999999999)",
        "digit_sum(sequence_1, 1)",
        "divide_item_list(sequence_1, 0)",
        "look_up(sequence_1, sequence_3)",
    ],
)
def test_what_the_second_dialect_refuses_is_a_failed_execution(call: str) -> None:
    text = f"{PRELUDE}sequence_3 = set_list([])\nsequence_4 = {call}\noutput = sequence_4"
    assert interpret(parse(DIALECT_LINE + text)).failure in {Outcome.RUNTIME_ERROR, Outcome.OUT_OF_MEMORY}


def test_semantics_cover_every_operation_and_predicate() -> None:
    calls = " ".join(call for call, _ in SEMANTICS + SEMANTICS_2)
    assert all(f"{op.name}(" in calls for op in OPERATIONS)
    assert all(predicate.name in calls for predicate in PREDICATES)


def test_table_codes_are_positions() -> None:
    assert [op.code for op in OPERATIONS] == list(range(len(OPERATIONS)))
    assert [p.code for p in PREDICATES] == [0, 1, 2]


REFUSED: list[tuple[str, int, int, str]] = [
    ("", 1, 1, "without a last line"),
    ("output = sequence_1", 1, 10, "not defined"),
    ("sequence_1 = range_func_up(1)", 1, 29, "takes 2 arguments"),
    ("sequence_1 = range_func_up(1, 2, 3)", 1, 32, "takes 2 arguments"),
    ("sequence_1 = range_func_up(1, 2) x", 1, 34, "end of the line"),
    ("\n  sequence_1 = foo(1)", 2, 16, "no operation 'foo'"),
    ("sequence_1 = range_func_up(1, 99999999999999999999)", 1, 31, "2**62"),
    ("sequence_1 = set_list([9223372036854775807])", 1, 23, "2**62"),
    ("sequence_1 = range_func_up(01, 9)", 1, 28, "leading zeros"),
    ("x = 5", 1, 1, "sequence_N"),
    ("sequence_1 = filter(is_evn, sequence_1)", 1, 21, "predicate"),
    ("sequence_1 = set_list([1,2)", 1, 23, "literal list"),
    ("sequence_1 = set_list(1, 2)", 1, 23, "literal list"),
    ("sequence_1 = set_list([1.5])", 1, 23, "literal list"),
    ("sequence_1 = set_list([1])\nsequence_2 = reverse_list(1)", 2, 27, "earlier list"),
    ("sequence_1 = set_list([1])\nsequence_2 = max_n(sequence_1, is_even)", 2, 32, "integer"),
    ("sequence_1 = set_list([1,2])\noutput = sequence_1\nx", 3, 1, "nothing after"),
    ("sequence_1 = set_list([1,2])\noutput = sequence_1 + 2", 2, 21, "end of the line"),
    ("sequence_1 = reverse_list(sequence_1)", 1, 27, "not defined"),
    ("sequence_0 = set_list([1])", 1, 1, "sequence_N"),
    ("sequence_1 = set_list([1])\nimport os", 2, 1, "sequence_N"),
    ("#" * (MAX_SOURCE + 1), 1, 1, "at most"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), REFUSED)
def test_errors_say_where(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(ProgramError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column), str(caught.value)
    assert message in str(caught.value)
    assert execute_texts([text])[0].failure is Outcome.SYNTAX_ERROR


def test_comments_spaces_and_rebinding() -> None:
    text = (
        "# a comment\n\nsequence_7=set_list( [ 1 ,2 ] )  # [1, 2]\r\n"
        "\tsequence_7 = reverse_list(sequence_7) # again\noutput=sequence_7 # é\n\n"
    )
    program = parse(text)
    assert program == DslProgram((Call("set_list", ((1, 2),)), Call("reverse_list", (Ref(0),))), 1)
    assert to_text(program) == (
        "sequence_1 = set_list([1, 2])\nsequence_2 = reverse_list(sequence_1)\noutput = sequence_2"
    )


def test_output_may_be_an_earlier_line() -> None:
    program = parse(PRELUDE + "output = sequence_1\n")
    assert program.output == 0
    assert parse(to_text(program)) == program


FAILURES: list[tuple[str, Outcome]] = [
    ("repeat_num(1000000000000, 1)", Outcome.OUT_OF_MEMORY),
    ("range_func_up(0, 4611686018427387903)", Outcome.OUT_OF_MEMORY),
    ("range_func_interval(0, 4611686018427387903, 1)", Outcome.OUT_OF_MEMORY),
    ("range_func_interval(0, 10, 0)", Outcome.RUNTIME_ERROR),
    ("repeat_list(1000000000, sequence_1)", Outcome.OUT_OF_MEMORY),
    ("get_subsequence_with_jumps(sequence_1, 0)", Outcome.RUNTIME_ERROR),
    ("modulo_item_list(sequence_1, 0)", Outcome.RUNTIME_ERROR),
    ("add_item_list(sequence_1, 4611686018427387903)", Outcome.OUT_OF_MEMORY),
    ("subtract_item_list(sequence_1, 2)", Outcome.BAD_OUTPUT_TYPE),
    ("add_item_list(sequence_1, 251)", Outcome.BAD_OUTPUT_TYPE),
]


@pytest.mark.parametrize(("call", "outcome"), FAILURES)
def test_failures_are_verdicts(call: str, outcome: Outcome) -> None:
    execution = execute_texts([f"{PRELUDE}sequence_3 = {call}\noutput = sequence_3"])[0]
    assert execution.failure is outcome
    assert execution.values is None
    assert execution.detail


GREEDY = [
    "sequence_1 = concatenate(sequence_1, sequence_1)\n" * 60,
    "sequence_1 = range_func_up(1, 200000)\n" + "sequence_1 = max_n(sequence_1, 1)\n" * 900,
    "sequence_1 = range_func_up(1, 200000)\n" + "sequence_2 = max_n(sequence_1, 1)\n" * 900,
    "sequence_1 = repeat_num(1000, 255)\n" + "sequence_1 = scan_add(sequence_1)\n" * 900,
    "sequence_1 = set_list([" + " " * 60_000,
    "sequence_1 = set_list([" + "1, " * 20_000 + "])\noutput = sequence_1",
]


@pytest.mark.parametrize("text", GREEDY, ids=range(len(GREEDY)))
def test_no_program_is_slow(text: str) -> None:
    start = time.process_time()
    execution = execute_texts([PRELUDE + text + "output = sequence_1"])[0]
    assert time.process_time() - start < 1.0
    assert execution.failure is not None or execution.values is not None


def test_intermediate_values_may_leave_the_byte() -> None:
    text = f"{PRELUDE}sequence_3 = add_item_list(sequence_1, 1000)\n"
    text += "sequence_4 = modulo_item_list(sequence_3, 256)\noutput = sequence_4"
    execution = execute_texts([text])[0]
    assert execution.values is not None
    assert execution.values.tolist() == [(x + 1000) % 256 for x in (3, 1, 4, 1, 5)]


def test_limits_are_settings() -> None:
    text = "sequence_1 = range_func_up(1, 100)\noutput = sequence_1"
    assert execute_texts([text], Limits(max_length=99))[0].failure is Outcome.OUT_OF_MEMORY
    assert execute_texts([text], Limits(max_length=100))[0].failure is None
    assert execute_texts([text], Limits(max_steps=100))[0].failure is Outcome.TIMEOUT
    assert execute_texts([text], Limits(max_steps=101))[0].failure is None


def test_executor_refuses_python_and_takes_its_clock() -> None:
    ticks = iter(range(10))
    executor = DslExecutor(clock=lambda: float(next(ticks)))
    good = Program(Language.DSL, PRELUDE + "output = sequence_2")
    done, refused = executor.execute([good, Program(Language.PYTHON, "output = [1]")])
    assert done.values is not None
    assert done.values.tolist() == [2, 0, 1]
    assert done.seconds == 1.0
    assert refused.failure is Outcome.FORBIDDEN


def test_published_pairs(published: Path) -> None:
    """Every published program prints as it was, gives its sequence, and costs its published bits."""
    with gzip.open(published / "kt-1mb" / "synthetic_pairs.jsonl.gz", "rt") as file:
        rows: list[dict[str, Any]] = [json.loads(line) for line in file]
    assert len(rows) == 13_406
    for row, execution in zip(rows, execute_texts([row["program"] for row in rows]), strict=True):
        program = parse(row["program"])
        assert to_text(program) == row["program"]
        assert execution.values is not None
        assert execution.values.tolist() == row["sequence"]
        bits = sum(BY_NAME[call.op].published_bits(call.args, i) for i, call in enumerate(program.lines))
        assert abs(bits + LINE_BITS - row["uniform_bits"]) < 1e-6
