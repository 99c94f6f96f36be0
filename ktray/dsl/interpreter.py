"""Runs programs in bounded time and memory: whatever a program does, the result is an `Execution`.

Intermediate values are exact integers below 2**62 in magnitude and may leave 0..255; the output must not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ktray.dsl.ops import INTEGER_BOUND, OPERATIONS, Dialect, Operation, Param
from ktray.dsl.parser import parse
from ktray.dsl.program import DslProgram, Ref
from ktray.errors import ConfigError, ProgramError
from ktray.programs import Execution, Language, Outcome, Program


@dataclass(frozen=True, slots=True)
class Limits:
    """Longest list a line may make, and elements read and written by all lines together."""

    max_length: int = 1 << 18
    max_steps: int = 1 << 21

    def __post_init__(self) -> None:
        if self.max_length < 1 or self.max_steps < 1:
            raise ConfigError(f"limits of the interpreter must be at least 1, not {self}")


DEFAULT_LIMITS = Limits()


class ExecutionError(Exception):
    """A program that fails; `outcome` says how. Caught by `interpret`."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome


def _first_list(op: Operation) -> int:
    """Return the position of the first REF parameter, or -1."""
    return op.params.index(Param.REF) if Param.REF in op.params else -1


_TABLE = {op.name: (op.apply, op.size, op.grows, _first_list(op)) for op in OPERATIONS}


def run_lines(program: DslProgram, limits: Limits = DEFAULT_LIMITS) -> list[list[int]]:
    """Return the list that each line makes; raise ExecutionError where one fails or exceeds the limits."""
    made: list[list[int]] = []
    max_length, steps = limits.max_length, limits.max_steps
    for i, call in enumerate(program.lines):
        apply, size, grows, first = _TABLE[call.op]
        args = [made[arg.line] if type(arg) is Ref else arg for arg in call.args]
        try:
            if size is not None and size(*args) > max_length:
                raise ExecutionError(
                    Outcome.OUT_OF_MEMORY, f"line {i + 1}: a list over {max_length} elements"
                )
            result = apply(*args)
        except (ZeroDivisionError, ValueError) as error:
            raise ExecutionError(Outcome.RUNTIME_ERROR, f"line {i + 1}: {call.op}: {error}") from None
        if grows and result and not -INTEGER_BOUND < min(result) <= max(result) < INTEGER_BOUND:
            raise ExecutionError(Outcome.OUT_OF_MEMORY, f"line {i + 1}: an integer of 2**62 or more")
        steps -= 1 + len(result) + (len(args[first]) if first >= 0 else 0)  # type: ignore[arg-type]
        if steps < 0:
            raise ExecutionError(Outcome.TIMEOUT, f"line {i + 1}: over {limits.max_steps} steps")
        made.append(result)
    return made


def interpret(program: DslProgram, limits: Limits = DEFAULT_LIMITS) -> Execution:
    """Run `program`; failures, and outputs outside 0..255, are executions with a failure."""
    try:
        output = run_lines(program, limits)[program.output]
    except ExecutionError as error:
        return Execution(None, error.outcome, detail=str(error))
    try:
        data = bytes(output)
    except (ValueError, OverflowError):
        return Execution(None, Outcome.BAD_OUTPUT_TYPE, detail="an element of the output is not in 0..255")
    return Execution(np.frombuffer(data, dtype=np.uint8))


def execute_text(text: str, limits: Limits = DEFAULT_LIMITS, dialect: Dialect = Dialect.DSL) -> Execution:
    """Parse and run one program text."""
    try:
        program = parse(text, dialect)
    except ProgramError as error:
        return Execution(None, Outcome.SYNTAX_ERROR, detail=str(error))
    return interpret(program, limits)


def execute_texts(
    texts: Sequence[str], limits: Limits = DEFAULT_LIMITS, dialect: Dialect = Dialect.DSL
) -> list[Execution]:
    """Parse and run many program texts, each on its own, in order."""
    return [execute_text(text, limits, dialect) for text in texts]


@dataclass(frozen=True, slots=True)
class DslExecutor:
    """The Executor of DSL programs; a program in another language is a failure (forbidden).

    `clock` (seconds) measures run time; leave it None for executions that are the same every time.
    """

    limits: Limits = DEFAULT_LIMITS
    dialect: Dialect = Dialect.DSL
    clock: Callable[[], float] | None = time.perf_counter

    def execute(self, programs: Sequence[Program]) -> list[Execution]:
        """Return one execution for each program, in order."""
        return [self._execute(program) for program in programs]

    def _execute(self, program: Program) -> Execution:
        if program.language is not Language.DSL:
            return Execution(None, Outcome.FORBIDDEN, detail=f"not a DSL program but {program.language}")
        if self.clock is None:
            return execute_text(program.text, self.limits, self.dialect)
        start = self.clock()
        done = execute_text(program.text, self.limits, self.dialect)
        return Execution(done.values, done.failure, self.clock() - start, done.detail)
