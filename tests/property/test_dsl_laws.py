"""Laws of the language over random programs."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ktray.dsl.interpreter import Limits, execute_texts, interpret, run_lines
from ktray.dsl.ops import BY_NAME
from ktray.dsl.parser import parse
from ktray.dsl.printer import to_text
from ktray.dsl.program import DslProgram, Ref
from ktray.errors import ProgramError
from ktray.programs import EXECUTABLE, Outcome
from ktray.testing.strategies import programs


@settings(deadline=None)
@given(programs())
def test_parse_undoes_print(program: DslProgram) -> None:
    assert parse(to_text(program)) == program


@settings(deadline=None)
@given(programs(), st.data())
def test_spaces_and_comments_do_not_matter(program: DslProgram, data: st.DataObject) -> None:
    text = to_text(program)
    for plain in (" = ", ", ", "(", ")", "\n"):
        spaced = data.draw(st.sampled_from([plain, f"  {plain}", f"{plain}\t ", plain.strip(" ")]))
        text = text.replace(plain, spaced)
    assert parse(text.replace("\n", " # [1](2)\n\n")) == program


@settings(deadline=None)
@given(programs(), st.data())
def test_damaged_text_is_refused_with_a_position_or_is_a_program(
    program: DslProgram, data: st.DataObject
) -> None:
    text = to_text(program)
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = (
        text[:at] + data.draw(st.sampled_from(["", " ", "(", "]", "9", "x", ",", "\n"])) + text[at + 1 :]
    )
    try:
        line, column = 1, 1
        assert isinstance(parse(damaged), DslProgram)
    except ProgramError as error:
        line, column = error.line, error.column
    rows = damaged.split("\n")
    assert 1 <= line <= len(rows)
    assert 1 <= column <= len(rows[line - 1]) + 1


@settings(deadline=None)
@given(programs(tame=True))
def test_interpreter_agrees_with_the_table_applied_directly(program: DslProgram) -> None:
    made: list[list[int]] = []
    try:
        for call in program.lines:
            args = [made[arg.line] if isinstance(arg, Ref) else arg for arg in call.args]
            made.append(BY_NAME[call.op].apply(*args))
    except (ZeroDivisionError, ValueError):
        assert interpret(program).failure is Outcome.RUNTIME_ERROR
        return
    assert run_lines(program) == made
    output = made[program.output]
    execution = interpret(program)
    if execution.values is None:
        assert execution.failure is Outcome.BAD_OUTPUT_TYPE
        assert not all(0 <= x <= 255 for x in output)
    else:
        assert execution.values.dtype == np.uint8
        assert execution.values.tolist() == output


@settings(deadline=None)
@given(programs(max_lines=20), st.integers(1, 300), st.integers(1, 2000))
def test_limits_hold(program: DslProgram, max_length: int, max_steps: int) -> None:
    limits = Limits(max_length, max_steps)
    failure = interpret(program, limits).failure
    if failure not in (None, Outcome.BAD_OUTPUT_TYPE):
        assert failure not in EXECUTABLE
        return
    made = run_lines(program, limits)
    assert sum(map(len, made)) <= max_steps
    assert max(map(len, made)) <= max(max_length, 40)


@settings(deadline=None)
@given(st.lists(st.one_of(programs().map(to_text), st.text()), max_size=5))
def test_a_batch_is_its_programs_one_by_one(texts: list[str]) -> None:
    for text, execution in zip(texts, execute_texts(texts), strict=True):
        alone = execute_texts([text])[0]
        assert (alone.failure, alone.detail) == (execution.failure, execution.detail)
        assert (alone.values is None) == (execution.values is None)
        assert alone.values is None or np.array_equal(alone.values, execution.values)
