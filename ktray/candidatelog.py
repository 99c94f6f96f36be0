"""The candidate log: every candidate ever made, in Parquet, one file a shard, never changed.

A log file holds the candidates of one shard (a run of sequences of one block) and one range of sample
indices, with the number of sequences it covers and a hash of their ids: what is not in it was not made,
and a shard is done exactly when its file is there. The literal is implied and never logged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ktray.commit import committed
from ktray.errors import RunDirectoryError
from ktray.programs import Candidate, CandidateKey, Language, Outcome, Program, Verdict

SCHEMA = pa.schema(
    [
        pa.field("sequence_id", pa.string(), nullable=False),
        pa.field("proposer", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("prompt_hash", pa.string(), nullable=False),
        pa.field("sampling_hash", pa.string(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("sample_index", pa.int64(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("program", pa.large_string()),
        pa.field("reply", pa.large_string(), nullable=False),
        pa.field("tokens", pa.int64()),
        pa.field("logprob", pa.float64()),
        pa.field("error", pa.string(), nullable=False),
        pa.field("outcome", pa.string()),
        pa.field("seconds", pa.float64()),
        pa.field("detail", pa.string()),
        pa.field("correct_prefix", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """Sequences `first` to `last` (half-open, numbered within the block) of one block."""

    block: int
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first


def shards_of(block: int, sequences: int, size: int) -> list[Shard]:
    """Cut a block of `sequences` sequences into shards of at most `size`."""
    return [Shard(block, first, min(first + size, sequences)) for first in range(0, sequences, size)]


def ids_hash(ids: Iterable[str]) -> str:
    """Return a hash over sequence ids in order: equal hashes, same sequences."""
    digest = hashlib.blake2b(digest_size=16)
    for sequence_id in ids:
        digest.update(sequence_id.encode() + b"\n")
    return digest.hexdigest()


def log_path(root: Path, proposer: str, shard: Shard, samples: range) -> Path:
    """Return where the log of a shard and a range of samples lies below a run's log folder."""
    name = f"b{shard.block:06d}-s{shard.first:08d}-n{samples.start:06d}-{samples.stop:06d}.parquet"
    return root / proposer / name


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where a log file belongs: its block, its shard's first sequence, its range of samples."""

    block: int
    first: int
    samples: range


def read_place(path: Path) -> LogPlace:
    """Return what `log_path` wrote into a file's name."""
    block, first, start, stop = (int(part.lstrip("bsn")) for part in path.stem.split("-"))
    return LogPlace(block, first, range(start, stop))


def candidates_table(candidates: Sequence[Candidate], verdicts: Sequence[Verdict | None]) -> pa.Table:
    """Return candidates and their verdicts (None: not verified yet) as a table of `SCHEMA`."""
    rows = [_row(candidate, verdict) for candidate, verdict in zip(candidates, verdicts, strict=True)]
    return pa.Table.from_pylist(rows, SCHEMA)


def _row(candidate: Candidate, verdict: Verdict | None) -> dict[str, object]:
    key, program = candidate.key, candidate.program
    return {
        **{name: getattr(key, name) for name in CandidateKey.__slots__},
        "language": program.language.value if program else None,
        "program": program.text if program else None,
        "reply": candidate.reply,
        "tokens": candidate.tokens,
        "logprob": candidate.logprob,
        "error": candidate.error,
        "outcome": verdict.outcome.value if verdict else None,
        "seconds": verdict.seconds if verdict else None,
        "detail": verdict.detail if verdict else None,
        "correct_prefix": verdict.correct_prefix if verdict else None,
    }


def read_candidates(table: pa.Table) -> Iterator[tuple[Candidate, Verdict | None]]:
    """Yield the candidates of a table of `SCHEMA` with their verdicts."""
    for row in table.to_pylist():
        key = CandidateKey(**{name: row[name] for name in CandidateKey.__slots__})
        program = Program(Language(row["language"]), row["program"]) if row["program"] is not None else None
        candidate = Candidate(key, program, row["reply"], row["tokens"], row["logprob"], row["error"])
        yield candidate, _verdict(row)


def _verdict(row: dict[str, object]) -> Verdict | None:
    if row["outcome"] is None:
        return None
    return Verdict(Outcome(row["outcome"]), row["seconds"], row["detail"], row["correct_prefix"])  # type: ignore[arg-type]


def write_log(path: Path, table: pa.Table, sequences: int, ids: str) -> None:
    """Commit one log file, whole or not at all. `ids` is the `ids_hash` of the shard's sequences."""
    meta = {b"ktray.sequences": str(sequences).encode(), b"ktray.ids": ids.encode()}
    with committed(path) as temporary:
        pq.write_table(table.replace_schema_metadata(meta), temporary, compression="zstd")


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log: its candidates, the number of sequences it covers and the hash of their ids."""

    table: pa.Table
    sequences: int
    ids: str


def read_log(path: Path) -> LogFile:
    """Return a log file. Raises RunDirectoryError where it is not one."""
    try:
        table = pq.read_table(path)
        meta = table.schema.metadata or {}
        sequences, ids = int(meta[b"ktray.sequences"]), meta[b"ktray.ids"].decode()
    except (pa.ArrowInvalid, OSError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunDirectoryError(
            f"candidate log {path}: not readable ({reason}); remove the file and run again to make it anew"
        ) from None
    if not table.schema.equals(SCHEMA):
        raise RunDirectoryError(f"candidate log {path}: unexpected columns; remove the file and run again")
    return LogFile(table.replace_schema_metadata(None), sequences, ids)


def correct_only(table: pa.Table, samples: int) -> pa.Table:
    """Return the correct candidates with a sample index below `samples`."""
    mask = pc.and_(pc.equal(table["outcome"], Outcome.CORRECT.value), pc.less(table["sample_index"], samples))
    return table.filter(mask)
