"""Execution traces of the reference programs, made in the sandbox. `tracefiles` keeps them, `tracefilter` picks.

A trace is correct when the traced execution ends in the right output, whatever was dropped from it.
"""

from __future__ import annotations

import inspect
import json
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from ktray.errors import PipelineError
from ktray.inversion import tracer
from ktray.inversion.algorithms import algorithm
from ktray.inversion.kinds import Value
from ktray.inversion.programs import ReferenceProgram
from ktray.inversion.prompting import coded, shown_program
from ktray.inversion.tasks import Item
from ktray.ports import Executor
from ktray.programs import Language, Program

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class TraceLimits:
    """Caps of one trace: steps kept, and characters of one value."""

    steps: int = 4000
    text: int = 160


# Changes and steps are tuples: they are made by the million.
class Change(NamedTuple):
    """A variable, or an item of one, and its new value as Python writes it."""

    name: str
    value: str


class Step(NamedTuple):
    """One executed line: its number and text in the program, and what it changed."""

    line: int
    text: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """One execution of an encoder (`encoder`) or decoder on an item. `output` is the JSON of what it
    returned; `dropped` counts steps beyond the cap."""

    algorithm: str
    encoder: bool
    blinding: int
    input: str
    category: str
    steps: tuple[Step, ...]
    dropped: int
    output: str
    correct: bool


#: Runs the tracer on one program with each of several argument lists, and gives back a result for each.
RunTracer = Callable[[ReferenceProgram, Sequence[Sequence[Value]], TraceLimits], list[dict[str, Any]]]

#: Items traced by one program of the sandbox.
_CALLS = 16


def trace_here(
    program: ReferenceProgram, calls: Sequence[Sequence[Value]], limits: TraceLimits
) -> list[dict[str, Any]]:
    """Run the tracer in this process. Only for reference programs: they are ours."""
    return [
        tracer.trace_lines(program.source, program.function, list(arguments), limits.steps, limits.text)
        for arguments in calls
    ]


def trace_in(executor: Executor) -> RunTracer:
    """Return a tracer that runs inside a sandbox: its results come back as the bytes of packed JSON."""

    def run(
        program: ReferenceProgram, calls: Sequence[Sequence[Value]], limits: TraceLimits
    ) -> list[dict[str, Any]]:
        text = sandboxed_text(program, calls, limits)
        (execution,) = executor.execute([Program(Language.PYTHON, text)])
        if execution.values is None:
            raise PipelineError(
                f"tracing {program.function} in the sandbox: {execution.failure} {execution.detail}"
            )
        results: list[dict[str, Any]] = json.loads(zlib.decompress(execution.values.tobytes()))
        return results

    return run


def sandboxed_text(program: ReferenceProgram, calls: Sequence[Sequence[Value]], limits: TraceLimits) -> str:
    """Return a Python program whose `output` is the traces: the tracer's own text, called for each."""
    body = inspect.getsource(tracer.trace_lines)
    call = f"trace_lines(source, {program.function!r}, list(a), {limits.steps}, {limits.text})"
    return (
        "from __future__ import annotations\n"
        f"import json, zlib\n{body}\n"
        f"source = {program.source!r}\n"
        f"calls = {[list(arguments) for arguments in calls]!r}\n"
        f"output = list(zlib.compress(json.dumps([{call} for a in calls]).encode(), 1))\n"
    )


def trace_items(
    items: Iterable[Item],
    algorithm_name: str,
    encoder: bool,
    blinding: int,
    run: RunTracer,
    limits: TraceLimits,
    pool: ThreadPoolExecutor | None = None,
) -> Iterator[Trace]:
    """Yield the trace of one direction on each item, in order. In a pool (of one thread, where `run` is a
    sandbox) the next items are traced while the caller uses these."""
    known = algorithm(algorithm_name)
    program = shown_program(known.name, encoder, blinding)

    def traced(batch: list[Item]) -> list[Trace]:
        codes = [coded(known.name, item.text) for item in batch]
        calls = [
            (item.text,) if encoder else known.decoder_arguments(c.code, c.side)
            for item, c in zip(batch, codes, strict=True)
        ]
        wholes = [[c.code, c.side] if known.has_side else c.code for c in codes]
        return [
            _as_trace(known.name, encoder, blinding, item, program, result, whole if encoder else item.text)
            for item, whole, result in zip(batch, wholes, run(program, calls, limits), strict=True)
        ]

    waiting = iter(items)
    batches = iter(lambda: list(islice(waiting, _CALLS)), [])
    for traces in _one_ahead(traced, batches, pool):
        yield from traces


def _one_ahead(
    function: Callable[[T], R], arguments: Iterable[T], pool: ThreadPoolExecutor | None
) -> Iterator[R]:
    """Yield function(argument) in order; in a pool, the next one is computed while a result is used."""
    if pool is None:
        yield from map(function, arguments)
        return
    running: deque[Future[R]] = deque()
    for argument in arguments:
        running.append(pool.submit(function, argument))
        if len(running) > 1:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


def _as_trace(
    name: str,
    encoder: bool,
    blinding: int,
    item: Item,
    program: ReferenceProgram,
    result: dict[str, Any],
    expected: Value,
) -> Trace:
    output = list(result["output"]) if isinstance(result["output"], tuple) else result["output"]
    lines = [line.strip() for line in program.source.splitlines()]
    return Trace(
        name,
        encoder,
        blinding,
        item.text,
        item.category,
        tuple(_step(line, changes, lines) for line, changes in result["steps"]),
        result["dropped"],
        json.dumps(output),
        not result["error"] and output == expected,
    )


def _step(line: int, changes: list[list[str]], lines: list[str]) -> Step:
    return Step(line, lines[line - 1], tuple([Change(name, value) for name, value in changes]))
