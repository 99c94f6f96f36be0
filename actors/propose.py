"""The proposing stage: hosts proposers, and adds a shard's candidates to its row.

A sequence whose proposing fails becomes a candidate with an error, counted as `no_program`; the other
sequences of its shard are not touched by it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from actors.metrics import ProposeMetrics
from actors.rows import SPENT, shard_sequences, telling, to_ipc, unpack
from ktray.candidatelog import candidates_table, read_candidates, read_log
from ktray.dsl.interpreter import DslExecutor
from ktray.errors import EngineDeadError, InputError
from ktray.ports import Executor, Proposer
from ktray.programs import Candidate, CandidateKey, Language, Outcome, Program, Verdict
from ktray.proposers.model import Failure, ModelProposer, Usage
from ktray.proposers.spec import ProposerSpec, build_all
from ktray.sandbox import Sandbox, SandboxLimits
from ktray.sequences import KtSequence, Values

#: Times that a shard is given to an engine whole, and then a sequence alone, before it counts as failed.
_TRIES = 2


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

    def _failed(self, sequence: KtSequence, samples: range, error: str) -> Iterator[Candidate]:
        asked = {failure.candidate.key.sample_index for failure in self._failures[sequence.id]}
        failed = super()._failed(sequence, samples, error)
        return (candidate for candidate in failed if candidate.key.sample_index in asked)

    def _propose(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]:
        assert isinstance(self._proposer, ModelProposer)
        return self._proposer.refine([(s, f) for s in sequences for f in self._failures[s.id]])


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
