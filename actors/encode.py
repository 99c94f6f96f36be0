"""The encoding stage: a row is a block; its encoded form, solutions and report are committed by rename."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from actors.rows import telling
from ktray.blockstore import block_path, read_block
from ktray.candidatelog import LogFile, Shard, ids_hash, log_path, read_log, read_place, shards_of
from ktray.commit import committed
from ktray.errors import PipelineError
from ktray.priors import make_prior
from ktray.proposers.search import Improver
from ktray.rundir import write_json
from ktray.solve import SETTLED, SolvedBlock, solve_block


@dataclass(frozen=True, slots=True)
class EncodePlan:
    """What every block of a run is encoded with. `logs` are folder names below `log` of the proposers to
    reduce over, each with the number of samples that count. `piloted`: folders and blocks whose log may lack
    shards, those that were not searched since a pilot of their block found nothing that pays."""

    blocks: str
    log: str
    out: str
    logs: tuple[tuple[str, int], ...]
    shard: int
    prior: str
    prior_settings: dict[str, Any]
    piloted: frozenset[tuple[str, int]] = frozenset()

    @property
    def improves(self) -> bool:
        """Whether programs of other proposers than the searcher are made shorter: under its exact prices only."""
        return self.prior == "adaptive" and any(
            folder.split("-")[0] not in SETTLED for folder, _ in self.logs
        )

    def encoded_path(self, number: int) -> Path:
        """Return where the encoded block lies; its report and solutions lie beside it."""
        return Path(self.out) / f"{number:06d}.block"


class EncodeActor:
    """Solves and encodes one block a call."""

    def __init__(self, plan: EncodePlan) -> None:
        self._plan = plan
        self._prior = make_prior(plan.prior, **plan.prior_settings)
        self._improve = Improver() if plan.improves else None

    @telling
    def __call__(self, row: pa.Table) -> pa.Table:
        number = row["block"][0].as_py()
        solved = self._solve(number)
        _commit(self._plan.encoded_path(number), solved)
        bits = {"input_bits": solved.report.input_bits, "stored_bits": solved.report.stored_bits}
        return pa.table({name: [value] for name, value in {"block": number, **bits}.items()})

    def _solve(self, number: int) -> SolvedBlock:
        block = read_block(block_path(Path(self._plan.blocks), number))
        ids = [s.id for s in block.sequences()] if self._plan.logs else []
        logs = [
            log
            for proposer, samples in self._plan.logs
            for shard in shards_of(number, len(block.lengths), self._plan.shard)
            for log in self._logs(proposer, shard, samples, ids)
        ]
        samples = max((n for _, n in self._plan.logs), default=0)
        return solve_block(block, ids, logs, samples, self._prior, self._improve)

    def _logs(self, proposer: str, shard: Shard, samples: int, ids: list[str]) -> list[LogFile]:
        root = Path(self._plan.log)
        if (proposer, shard.block) in self._plan.piloted and not shard_log_paths(root, proposer, shard):
            return []
        return shard_logs(root, proposer, shard, samples, ids[shard.first : shard.last])


def shard_logs(root: Path, proposer: str, shard: Shard, samples: int, ids: Sequence[str]) -> list[LogFile]:
    """Return a shard's logs, checked by count and by the shard's `ids`. Raises PipelineError where samples are
    missing."""
    logs, reached = [], 0
    for path in shard_log_paths(root, proposer, shard):
        drawn = read_place(path).samples
        if drawn.start >= samples:
            continue
        log = read_log(path)
        if drawn.start != reached or log.ids != ids_hash(ids):
            raise PipelineError(f"candidate log {path} does not fit its shard; remove it and run again")
        logs.append(log)
        reached = drawn.stop
    if reached < samples:
        raise PipelineError(f"shard {shard} of {proposer} has {reached} of {samples} samples")
    return logs


def shard_log_paths(root: Path, proposer: str, shard: Shard) -> list[Path]:
    """Return the log files of a shard in the order of their sample indices."""
    pattern = log_path(root, proposer, shard, range(0)).name.split("-n")[0] + "-n*.parquet"
    return sorted((root / proposer).glob(pattern))


def logged_samples(root: Path, proposer: str, shard: Shard) -> int:
    """Return how many samples a sequence the log of a shard holds."""
    return max((read_place(path).samples.stop for path in shard_log_paths(root, proposer, shard)), default=0)


def _commit(path: Path, solved: SolvedBlock) -> None:
    with committed(path.with_suffix(".solutions.parquet")) as temporary:
        pq.write_table(solved.solutions, temporary, compression="zstd")
    write_json(path.with_suffix(".report.json"), solved.report.to_json())
    with committed(path) as temporary:  # last: a block is done when this file is there
        temporary.write_bytes(solved.encoded.to_bytes())


def read_report(path: Path) -> dict[str, Any]:
    """Return the JSON data of the report beside an encoded block."""
    data: dict[str, Any] = json.loads(path.with_suffix(".report.json").read_text(encoding="utf-8"))
    return data
