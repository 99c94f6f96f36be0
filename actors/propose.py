"""The proposing and verifying stages: a row is a shard, and a shard is committed by one rename.

A sequence whose proposing fails becomes a candidate with an error, counted as `no_program`; the other
sequences of its shard are not touched by it.
"""

from __future__ import annotations

import functools
import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from actors.metrics import ProposeMetrics, VerifyMetrics
from ktray.blockstore import block_path, read_block
from ktray.candidatelog import Shard, candidates_table, ids_hash, read_candidates, read_log, write_log
from ktray.dsl.interpreter import DslExecutor
from ktray.errors import EngineDeadError, InputError, KtrayError
from ktray.ports import Executor, Proposer
from ktray.programs import Candidate, CandidateKey, Language, Outcome, Program, Verdict
from ktray.proposers.model import Failure, ModelProposer, Usage
from ktray.proposers.spec import ProposerSpec, build_all
from ktray.sandbox import Sandbox, SandboxLimits, Verifier
from ktray.sequences import KtSequence, Values

#: Times that a shard is given to an engine whole, and then a sequence alone, before it counts as failed.
_TRIES = 2

#: Columns that tell what proposing a shard took: `began` and `ended` are seconds of the machine's clock,
#: `cpu_seconds` those of the replica's process (its children's, and GPUs', not included).
SPENT = ("samples", "tokens", "prompt_tokens", "errors", "began", "ended", "cpu_seconds")


Call = Callable[[Any, pa.Table], pa.Table]


def telling(call: Call) -> Call:
    """Wrap an actor's call: an error that a user can act on becomes the row's only column, `refused`, for
    `raise_refusal`. Ray Data would keep its text alone, within a stack of lines."""

    @functools.wraps(call)
    def told(actor: Any, row: pa.Table) -> pa.Table:
        if "refused" in row.column_names:
            return row
        try:
            return call(actor, row)
        except KtrayError as error:
            return pa.table({"refused": pa.array([pickle.dumps(error)], pa.binary())})

    return told


def raise_refusal(row: dict[str, Any]) -> None:
    """Raise the error that a row carries, if it carries one."""
    if row.get("refused"):
        raise pickle.loads(row["refused"])  # made by an actor of ours in this very run


class ProposeActor:
    """Hosts proposers on one engine, and adds the candidates of a shard (an Arrow IPC stream) to its row,
    made by the proposer that the row names."""

    def __init__(self, specs: Sequence[ProposerSpec], blocks: str) -> None:
        self._blocks = blocks
        self._metrics = ProposeMetrics(specs[0].name)
        self._refused: InputError | None = None
        try:
            self._proposers = build_all(specs)
        except InputError as error:
            # Raised here, it would be an actor's death to Ray.
            self._refused = error

    @telling
    def __call__(self, row: pa.Table) -> pa.Table:
        if self._refused:
            raise self._refused
        self._proposer: Proposer = self._proposers[row["series"][0].as_py()]
        shard, samples, path = unpack(row)
        began, cpu = time.time(), time.process_time()
        sequences = shard_sequences(self._blocks, shard)
        with Tries(path) as tries:
            candidates = list(self._shard(row, sequences, samples, tries))
        usage = self._usage(candidates)
        used = (usage.samples, usage.tokens, usage.prompt_tokens, usage.errors)
        spent = (*used, began, time.time(), time.process_time() - cpu)
        self._metrics.note(len(candidates), usage.tokens, time.time() - began)
        table = candidates_table(candidates, [None] * len(candidates))
        for name, value in zip(SPENT, spent, strict=True):
            row = row.append_column(name, pa.array([value]))
        return row.append_column("candidates", pa.array([to_ipc(table)], pa.large_binary()))

    def _shard(
        self, row: pa.Table, sequences: Sequence[KtSequence], samples: range, tries: Tries
    ) -> Iterator[Candidate]:
        if tries.of("") < _TRIES:
            tries.begin("")
            return self._candidates(sequences, samples)
        return (c for s in sequences for c in self._alone(s, samples, tries))

    def _alone(self, sequence: KtSequence, samples: range, tries: Tries) -> Iterator[Candidate]:
        if tries.of(sequence.id) >= _TRIES:
            yield from self._failed(sequence, samples, f"the engine died {_TRIES} times on this sequence")
            return
        tries.begin(sequence.id)
        yield from self._candidates([sequence], samples)
        tries.end(sequence.id)

    def _candidates(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]:
        try:
            yield from list(self._propose(sequences, samples))
        except InputError:
            raise
        except EngineDeadError:
            # Ray goes on sending work to an actor whose engine is dead; only a dead actor is replaced.
            os._exit(1)
        except Exception as error:  # one bad sequence must not take its shard, nor a run of millions, with it
            if len(sequences) == 1:
                yield from self._failed(sequences[0], samples, f"{type(error).__name__}: {error}")
                return
            for sequence in sequences:
                yield from self._candidates([sequence], samples)

    def _propose(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]:
        return self._proposer.propose(sequences, samples)

    def _failed(self, sequence: KtSequence, samples: range, error: str) -> Iterator[Candidate]:
        if isinstance(self._proposer, ModelProposer):
            return self._proposer.failed(sequence, samples, error)
        key = CandidateKey(sequence.id, self._proposer.name, "", "", "", 0, samples.start)
        return iter([Candidate(key, None, error=error[:200])])

    def _usage(self, candidates: Sequence[Candidate]) -> Usage:
        if isinstance(self._proposer, ModelProposer):
            return self._proposer.take_usage()
        return Usage(len(candidates), errors=sum(bool(c.error) for c in candidates))


class RefineActor(ProposeActor):
    """Repairs what the log file named in `source` holds of candidates that are not correct, once each."""

    def __init__(self, specs: Sequence[ProposerSpec], blocks: str, limits: SandboxLimits) -> None:
        super().__init__(specs, blocks)
        self._executors: dict[Language, Executor] = {
            Language.DSL: DslExecutor(),
            Language.PYTHON: Sandbox(limits),
        }
        self._failures: dict[str, list[Failure]] = {}

    def _shard(
        self, row: pa.Table, sequences: Sequence[KtSequence], samples: range, tries: Tries
    ) -> Iterator[Candidate]:
        judged = list(read_candidates(read_log(Path(row["source"][0].as_py())).table))
        failing = [
            (c, v) for c, v in judged if v is not None and v.outcome is not Outcome.CORRECT and not c.error
        ]
        self._failures = {}
        for failure in self._with_outputs(failing):
            self._failures.setdefault(failure.candidate.key.sequence_id, []).append(failure)
        wanted = [s for s in sequences if s.id in self._failures]
        return super()._shard(row, wanted, samples, tries)

    def _with_outputs(self, failing: Sequence[tuple[Candidate, Verdict]]) -> list[Failure]:
        outputs: dict[Program, Values | None] = {}
        ran = {c.program for c, v in failing if v.outcome is Outcome.WRONG_OUTPUT}
        for language, executor in self._executors.items():
            programs = sorted(p for p in ran if p is not None and p.language is language)
            made = executor.execute(programs)
            outputs |= {p: execution.values for p, execution in zip(programs, made, strict=True)}
        return [Failure(c, v, outputs.get(c.program) if c.program else None) for c, v in failing]

    def _propose(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]:
        assert isinstance(self._proposer, ModelProposer)
        return self._proposer.refine([(s, f) for s in sequences for f in self._failures[s.id]])


class KeepActor:
    """Commits the candidates of a shard as they are, to be verified later."""

    def __init__(self, blocks: str) -> None:
        self._blocks = blocks

    @telling
    def __call__(self, row: pa.Table) -> pa.Table:
        shard, _, path = unpack(row)
        sequences = shard_sequences(self._blocks, shard)
        table = from_ipc(row["candidates"][0].as_py())
        write_log(path, table, len(sequences), ids_hash(s.id for s in sequences))
        return _done(row, len(sequences), table.num_rows, 0)


class VerifyActor:
    """Executes the candidates of a shard against their sequences and commits the shard's log file.

    The candidates are the row's own, or those that the file named in `source` holds.
    """

    def __init__(self, blocks: str, limits: SandboxLimits) -> None:
        self._blocks = blocks
        self._verifier = Verifier(limits)
        self._metrics = VerifyMetrics()

    @telling
    def __call__(self, row: pa.Table) -> pa.Table:
        shard, _, path = unpack(row)
        started = time.monotonic()
        sequences = {s.id: s for s in shard_sequences(self._blocks, shard)}
        candidates = [c for c, _ in read_candidates(_candidates_of(row))]
        verdicts = self._verifier.verify(
            [(c.program, sequences[c.key.sequence_id].values) for c in candidates]
        )
        write_log(path, candidates_table(candidates, verdicts), len(sequences), ids_hash(sequences))
        self._metrics.note(candidates, verdicts, sequences, started)
        correct = sum(v.outcome is Outcome.CORRECT for v in verdicts)
        return _done(row, len(sequences), len(candidates), correct)


def _candidates_of(row: pa.Table) -> pa.Table:
    if "candidates" in row.column_names:
        return from_ipc(row["candidates"][0].as_py())
    return read_log(Path(row["source"][0].as_py())).table


def _done(row: pa.Table, sequences: int, candidates: int, correct: int) -> pa.Table:
    """Return what the driver hears of a finished shard."""
    done = {"sequences": [sequences], "candidates": [candidates], "correct": [correct]}
    kept = [name for name in ("series", *_PLACE, *SPENT) if name in row.column_names]
    return pa.table({**{name: row[name] for name in kept}, **done})


class Tries:
    """Counts, in a file beside a shard's log, the tries that a dead engine cut short ("": the whole shard).

    What kills every engine that it is given to would otherwise be tried for ever.
    """

    def __init__(self, log: Path) -> None:
        self._file = tries_path(log)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
        self._tries = {line: lines.count(line) for line in lines}

    def __enter__(self) -> Tries:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._file.unlink(missing_ok=True)

    def of(self, name: str) -> int:
        """Return how often it was begun and not ended."""
        return self._tries.get(name, 0)

    def begin(self, name: str) -> None:
        """Note that it begins."""
        self._tries[name] = self.of(name) + 1
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(name + "\n")

    def end(self, name: str) -> None:
        """Note that it ended well."""
        self._tries.pop(name, None)
        lines = [line for line, count in self._tries.items() for _ in range(count)]
        self._file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def tries_path(log: Path) -> Path:
    """Return where the tries of a shard are counted."""
    return log.with_name(f".{log.name}.tries")


@functools.lru_cache(maxsize=2)
def _block_sequences(path: Path) -> list[KtSequence]:
    return list(read_block(path).sequences())


def shard_sequences(blocks: str, shard: Shard) -> list[KtSequence]:
    """Return the sequences of a shard, read from the run's block store."""
    return _block_sequences(block_path(Path(blocks), shard.block))[shard.first : shard.last]


_PLACE = ("block", "first", "last", "start", "stop")


def pack(
    shard: Shard, samples: range, path: Path, source: Path | None = None, series: int = 0
) -> dict[str, int | str]:
    """Return the row of a shard: what to sample for it and by which of the actor's proposers, where its log
    goes, and what log it starts from."""
    fields = (shard.block, shard.first, shard.last, samples.start, samples.stop)
    place = dict(zip(_PLACE, fields, strict=True))
    return {**place, "path": str(path), "source": str(source or ""), "series": series}


def unpack(row: pa.Table) -> tuple[Shard, range, Path]:
    """Return what `pack` put into a row, but for source and series."""
    block, first, last, start, stop = (row[name][0].as_py() for name in _PLACE)
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
