"""What passes between the stages: a row is a shard, with its candidates as an Arrow IPC stream in a column."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from ktray.blockstore import block_path, read_block
from ktray.candidatelog import Shard
from ktray.errors import KtrayError
from ktray.sequences import KtSequence

#: Columns that tell what proposing a shard took: `began` and `ended` are seconds of the machine's clock,
#: `cpu_seconds` those of the replica's process (its children's, and GPUs', not included).
SPENT = ("samples", "tokens", "prompt_tokens", "errors", "began", "ended", "cpu_seconds")

Call = Callable[[Any, pa.Table], pa.Table]


def telling(call: Call) -> Call:
    """Wrap an actor's call: an error that a user can act on, ours or the system's, becomes the row's only
    column, `refused`, for `raise_refusal`. Ray Data would keep its text alone, within a stack of lines."""

    @functools.wraps(call)
    def told(actor: Any, row: pa.Table) -> pa.Table:
        if "refused" in row.column_names:
            return row
        try:
            return call(actor, row)
        except (KtrayError, OSError) as error:
            if isinstance(error, OSError) and not error.errno:
                raise
            return pa.table({"refused": pa.array([pickle.dumps(error)], pa.binary())})

    return told


def raise_refusal(row: dict[str, Any]) -> None:
    """Raise the error that a row carries, if it carries one."""
    if row.get("refused"):
        raise pickle.loads(row["refused"])  # made by an actor of ours in this very run


@functools.lru_cache(maxsize=2)
def _block_sequences(path: Path) -> list[KtSequence]:
    return list(read_block(path).sequences())


def shard_sequences(blocks: str, shard: Shard) -> list[KtSequence]:
    """Return the sequences of a shard, read from the run's block store."""
    return _block_sequences(block_path(Path(blocks), shard.block))[shard.first : shard.last]


PLACE = ("block", "first", "last", "start", "stop")


def pack(
    shard: Shard, samples: range, path: Path, source: Path | None = None, series: int = 0
) -> dict[str, int | str]:
    """Return the row of a shard: what to sample for it and by which of the actor's proposers, where its log
    goes, and what log it starts from."""
    fields = (shard.block, shard.first, shard.last, samples.start, samples.stop)
    place = dict(zip(PLACE, fields, strict=True))
    return {**place, "path": str(path), "source": str(source or ""), "series": series}


def unpack(row: pa.Table) -> tuple[Shard, range, Path]:
    """Return what `pack` put into a row, but for source and series."""
    block, first, last, start, stop = (row[name][0].as_py() for name in PLACE)
    return Shard(block, first, last), range(start, stop), Path(row["path"][0].as_py())


def to_ipc(table: pa.Table) -> bytes:
    """Return a table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def from_ipc(data: bytes) -> pa.Table:
    """Return the table of an Arrow IPC stream."""
    return pa.ipc.open_stream(data).read_all()
