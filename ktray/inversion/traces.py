"""Execution traces of the reference programs: made in the sandbox, kept as Parquet, filtered.

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
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from ktray.commit import committed
from ktray.errors import PipelineError
from ktray.inversion import tracer
from ktray.inversion.algorithms import algorithm
from ktray.inversion.kinds import InversionError, Value
from ktray.inversion.programs import ReferenceProgram
from ktray.inversion.prompting import coded, shown_program
from ktray.inversion.tasks import Item
from ktray.ports import Executor
from ktray.programs import Language, Program
from ktray.sequences import content_hash

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

_CHANGE = pa.struct([("name", pa.string()), ("value", pa.string())])
_STEP = pa.struct([("line", pa.int32()), ("text", pa.string()), ("changes", pa.list_(_CHANGE))])
_SCHEMA = pa.schema(
    [
        ("algorithm", pa.string()),
        ("encoder", pa.bool_()),
        ("blinding", pa.int32()),
        ("input", pa.string()),
        ("category", pa.string()),
        ("steps", pa.list_(_STEP)),
        ("dropped", pa.int32()),
        ("output", pa.string()),
        ("correct", pa.bool_()),
    ]
)
#: Traces written as one row group: bounds memory when writing and reading.
_GROUP = 64
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


def write_traces(path: Path, traces: Iterable[Trace]) -> int:
    """Write traces as Parquet with the declared schema, whole or not at all; return how many."""
    count = 0
    with committed(path) as temporary, pq.ParquetWriter(temporary, _SCHEMA, compression="zstd") as writer:
        waiting = iter(traces)
        while batch := list(islice(waiting, _GROUP)):
            writer.write_batch(_record_batch(batch))
            count += len(batch)
    return count


def _record_batch(traces: Sequence[Trace]) -> pa.RecordBatch:
    """Return traces as one Arrow batch; nested columns are built from flat ones."""
    columns = [
        _steps_column(traces)
        if field.name == "steps"
        else pa.array([getattr(t, field.name) for t in traces], field.type)
        for field in _SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


def _steps_column(traces: Sequence[Trace]) -> pa.Array:
    steps = [step for trace in traces for step in trace.steps]
    changes = [change for step in steps for change in step.changes]
    change = _struct(_CHANGE, [[c.name for c in changes], [c.value for c in changes]])
    changed = pa.ListArray.from_arrays(_offsets(len(s.changes) for s in steps), change)
    lines = pa.array([s.line for s in steps], pa.int32())
    texts = pa.array([s.text for s in steps], pa.string())
    told = pa.StructArray.from_arrays([lines, texts, changed], fields=list(_STEP))
    return pa.ListArray.from_arrays(_offsets(len(t.steps) for t in traces), told)


def _struct(kind: pa.StructType, columns: Sequence[list[str]]) -> pa.Array:
    arrays = [pa.array(column, pa.string()) for column in columns]
    return pa.StructArray.from_arrays(arrays, fields=list(kind))


def _offsets(lengths: Iterable[int]) -> pa.Array:
    return pa.array(accumulate(lengths, initial=0), pa.int32())


def read_traces(path: Path) -> Iterator[Trace]:
    """Yield the traces of a file. Raises InversionError where it is none of ours."""
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InversionError(
            f"{path}: {str(error).splitlines()[0]}; expected a Parquet file of traces"
        ) from None
    with file:
        if not file.schema_arrow.equals(_SCHEMA):
            raise InversionError(
                f"{path}: not a file of traces; expected the columns {', '.join(_SCHEMA.names)}"
            )
        for batch in file.iter_batches(_GROUP):
            yield from map(_trace, batch.to_pylist())


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Which traces to keep: right ones, complete ones of at most `max_steps`, of which at most `idle_share`
    change nothing, and (`distinct_paths`) no two of one program that execute the same lines in order."""

    max_steps: int = 2000
    idle_share: float = 0.9
    distinct_paths: bool = True


@dataclass(frozen=True, slots=True)
class Filtered:
    """What a filter kept, and how many it dropped for which reason."""

    kept: tuple[Trace, ...]
    dropped: dict[str, int]


def filter_traces(traces: Iterable[Trace], rules: TraceFilter) -> Filtered:
    """Return the traces that pass, in order; each dropped one is counted under its first reason."""
    kept: list[Trace] = []
    dropped = {"wrong": 0, "too_long": 0, "idle": 0, "same_path": 0}
    paths: set[tuple[str, bool, int, str]] = set()
    for trace in traces:
        key = (trace.algorithm, trace.encoder, trace.blinding, path_hash(trace))
        reason = _reason_to_drop(trace, rules) or ("same_path" if key in paths else "")
        if reason:
            dropped[reason] += 1
            continue
        kept.append(trace)
        if rules.distinct_paths:
            paths.add(key)
    return Filtered(tuple(kept), dropped)


def path_hash(trace: Trace) -> str:
    """Return a hash of the lines executed, in order."""
    return content_hash(",".join(str(s.line) for s in trace.steps).encode())


def _reason_to_drop(trace: Trace, rules: TraceFilter) -> str:
    if not trace.correct:
        return "wrong"
    if trace.dropped or len(trace.steps) > rules.max_steps:
        return "too_long"
    idle = sum(not s.changes for s in trace.steps)
    return "idle" if idle > rules.idle_share * len(trace.steps) else ""


def _step(line: int, changes: list[list[str]], lines: list[str]) -> Step:
    return Step(line, lines[line - 1], tuple([Change(name, value) for name, value in changes]))


def _trace(row: dict[str, Any]) -> Trace:
    steps = tuple(
        Step(s["line"], s["text"], tuple(Change(c["name"], c["value"]) for c in s["changes"]))
        for s in row["steps"]
    )
    return Trace(**{**row, "steps": steps})
