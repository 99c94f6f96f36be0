"""Files of traces: Parquet with a declared schema, nested columns built from flat ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ktray.commit import committed
from ktray.inversion.kinds import InversionError
from ktray.inversion.traces import Change, Step, Trace

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


def _trace(row: dict[str, Any]) -> Trace:
    steps = tuple(
        Step(s["line"], s["text"], tuple(Change(c["name"], c["value"]) for c in s["changes"]))
        for s in row["steps"]
    )
    return Trace(**{**row, "steps": steps})
