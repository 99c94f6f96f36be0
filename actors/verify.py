"""The stages after proposing: candidates verified, or kept as they are, and a shard's log file committed.

Light to import: a process that only verifies loads neither the searcher nor a prior's kernels.
"""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa

from actors.metrics import VerifyMetrics
from actors.rows import PLACE, SPENT, from_ipc, shard_sequences, telling, unpack
from ktray.candidatelog import candidates_table, ids_hash, read_candidates, read_log, write_log
from ktray.programs import Outcome
from ktray.sandbox import SandboxLimits, Verifier


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
    kept = [name for name in ("series", *PLACE, *SPENT) if name in row.column_names]
    return pa.table({**{name: row[name] for name in kept}, **done})
