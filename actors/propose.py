"""The proposing and verifying stages: a row is a shard, and a shard is committed by one rename.

A sequence whose proposing fails becomes a candidate with an error, counted as `no_program`; the other
sequences of its shard are not touched by it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from ktray.blockstore import block_path, read_block
from ktray.candidatelog import Shard, candidates_table, ids_hash, read_candidates, write_log
from ktray.errors import EngineDeadError, InputError
from ktray.ports import Proposer
from ktray.programs import Candidate, CandidateKey, Outcome
from ktray.proposers.spec import ProposerSpec
from ktray.sandbox import SandboxLimits, Verifier
from ktray.sequences import KtSequence


class ProposeActor:
    """Hosts one proposer; adds the candidates of a shard (an Arrow IPC stream) to its row."""

    def __init__(self, spec: ProposerSpec, blocks: str) -> None:
        self._proposer: Proposer = spec.build()
        self._blocks = blocks

    def __call__(self, row: pa.Table) -> pa.Table:
        shard, samples, _ = unpack(row)
        sequences = shard_sequences(self._blocks, shard)
        candidates = list(self._candidates(sequences, samples))
        table = candidates_table(candidates, [None] * len(candidates))
        return row.append_column("candidates", pa.array([to_ipc(table)], pa.large_binary()))

    def _candidates(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]:
        try:
            yield from list(self._proposer.propose(sequences, samples))
        except InputError:
            raise
        except EngineDeadError:
            # Ray goes on sending work to an actor whose engine is dead; only a dead actor is replaced.
            os._exit(1)
        except Exception as error:  # one bad sequence must not take its shard, nor a run of millions, with it
            if len(sequences) == 1:
                yield _failed(self._proposer.name, sequences[0], samples, error)
                return
            for sequence in sequences:
                yield from self._candidates([sequence], samples)


def _failed(proposer: str, sequence: KtSequence, samples: range, error: Exception) -> Candidate:
    key = CandidateKey(sequence.id, proposer, "", "", "", 0, samples.start)
    return Candidate(key, None, error=f"{type(error).__name__}: {error}"[:200])


class VerifyActor:
    """Executes the candidates of a shard against their sequences and commits the shard's log file."""

    def __init__(self, blocks: str, limits: SandboxLimits) -> None:
        self._blocks = blocks
        self._verifier = Verifier(limits)

    def __call__(self, row: pa.Table) -> pa.Table:
        shard, _, path = unpack(row)
        sequences = {s.id: s for s in shard_sequences(self._blocks, shard)}
        candidates = [c for c, _ in read_candidates(from_ipc(row["candidates"][0].as_py()))]
        verdicts = self._verifier.verify(
            [(c.program, sequences[c.key.sequence_id].values) for c in candidates]
        )
        write_log(path, candidates_table(candidates, verdicts), len(sequences), ids_hash(sequences))
        correct = sum(v.outcome is Outcome.CORRECT for v in verdicts)
        done = {"sequences": [len(sequences)], "candidates": [len(candidates)], "correct": [correct]}
        return pa.table(done)


@functools.lru_cache(maxsize=2)
def _block_sequences(path: Path) -> list[KtSequence]:
    return list(read_block(path).sequences())


def shard_sequences(blocks: str, shard: Shard) -> list[KtSequence]:
    """Return the sequences of a shard, read from the run's block store."""
    return _block_sequences(block_path(Path(blocks), shard.block))[shard.first : shard.last]


def pack(shard: Shard, samples: range, path: Path) -> dict[str, int | str]:
    """Return the row of a shard: what to sample for it, and where its log goes."""
    fields = {"block": shard.block, "first": shard.first, "last": shard.last}
    return {**fields, "start": samples.start, "stop": samples.stop, "path": str(path)}


def unpack(row: pa.Table) -> tuple[Shard, range, Path]:
    """Return what `pack` put into a row."""
    cell = {name: row[name][0].as_py() for name in ("block", "first", "last", "start", "stop", "path")}
    shard = Shard(cell["block"], cell["first"], cell["last"])
    return shard, range(cell["start"], cell["stop"]), Path(cell["path"])


def to_ipc(table: pa.Table) -> bytes:
    """Return a table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def from_ipc(data: bytes) -> pa.Table:
    """Return the table of an Arrow IPC stream."""
    return pa.ipc.open_stream(data).read_all()
