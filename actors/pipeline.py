"""The pipeline on Ray Data: propose and verify shards, then solve and encode blocks.

Every stage does what is missing and nothing else: a shard or block is done exactly when its file is
there, so a run that was killed continues, and its result does not depend on where it was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray.data
from ray.exceptions import RayError

from actors.encode import EncodeActor, EncodePlan, logged_samples
from actors.pilot import PilotActor
from actors.propose import ProposeActor, RefineActor, tries_path
from actors.rows import pack, raise_refusal
from actors.runtime import cause, cluster_gpus, places
from actors.verify import KeepActor, VerifyActor
from ktray.candidatelog import Shard, log_path
from ktray.errors import PipelineError
from ktray.proposers.spec import MODELS, ProposerSpec
from ktray.sandbox import SandboxLimits

#: Called with a finished row's fields.
Progress = Callable[[dict[str, Any]], None]

#: A verifier's pool waits on its proposers: it takes next to nothing of the CPUs that Ray hands out, and
#: proposers leave it that much.
_VERIFIER_CPUS = 0.01
_PROPOSER_SHARE = 0.96


def missing_shards(
    log: Path, folder: str, shards: Sequence[Shard], samples: int
) -> list[tuple[Shard, range]]:
    """Return the shards that lack samples, each with the range that is missing."""
    have = [(shard, logged_samples(log, folder, shard)) for shard in shards]
    return [(shard, range(n, samples)) for shard, n in have if n < samples]


@dataclass(frozen=True, slots=True)
class Task:
    """Shards that one proposer is to sample, the log folder of its candidates, and, where it repairs the
    candidates of another folder that are not correct, that folder."""

    spec: ProposerSpec
    folder: str
    todo: Sequence[tuple[Shard, range]]
    repair: str = ""


def propose_and_verify(
    spec: ProposerSpec,
    folder: str,
    todo: Sequence[tuple[Shard, range]],
    *,
    blocks: str,
    log: Path,
    limits: SandboxLimits,
    workers: int,
    progress: Progress,
) -> None:
    """Run one proposer over shards and commit each shard's verified candidates to the log.

    Raises PipelineError where a sequence did not come out exactly once.
    """
    tasks = [Task(spec, folder, todo)]
    run_tasks(tasks, blocks=blocks, log=log, limits=limits, workers=workers, progress=progress)


def run_tasks(
    tasks: Sequence[Task],
    *,
    blocks: str,
    log: Path,
    limits: SandboxLimits,
    workers: int,
    progress: Progress,
    verifying: bool = True,
) -> None:
    """Run tasks on one engine, and commit each shard's candidates to the log, verified or as they are.

    All tasks repair or none does. Rows tell their task's number in `series`. Raises PipelineError where a
    sequence did not come out exactly once.
    """
    if not any(task.todo for task in tasks):
        return
    data = _proposed(tasks, blocks, workers, _rows_of(log, tasks), limits)
    if verifying:
        pool = (1, max(1, workers // 2))
        data = _stage(data, VerifyActor, (blocks, limits), pool, _VERIFIER_CPUS)
    else:
        data = _stage(data, KeepActor, (blocks,), (1, 1), _VERIFIER_CPUS)
    _drain(data, progress, "sequences", sum(_count(task.todo) for task in tasks))


def verify(
    folder: str,
    todo: Sequence[tuple[Shard, range]],
    *,
    blocks: str,
    generated: Path,
    log: Path,
    limits: SandboxLimits,
    workers: int,
    progress: Progress,
) -> None:
    """Verify shards that were only generated and commit them to the log."""
    if not todo:
        return
    rows = [
        pack(
            shard, samples, log_path(log, folder, shard, samples), log_path(generated, folder, shard, samples)
        )
        for shard, samples in todo
    ]
    data = _stage(_rows(rows), VerifyActor, (blocks, limits), (1, workers), _PROPOSER_SHARE)
    _drain(data, progress, "sequences", _count(todo))


def _proposed(
    tasks: Sequence[Task], blocks: str, workers: int, rows: list[dict[str, Any]], limits: SandboxLimits
) -> ray.data.Dataset:
    specs = tuple(task.spec for task in tasks)
    need = specs[0].resources(workers, cluster_gpus())
    places(need.cpus * _PROPOSER_SHARE, need.gpus, f"a replica of proposer {specs[0].name}")
    replicas = min(need.replicas, len(rows))
    # A replica that must load a model is started at once, one that need not when there is work for it.
    pool = (replicas, replicas) if specs[0].name in MODELS else (1, replicas)
    actor: type = RefineActor if tasks[0].repair else ProposeActor
    arguments = (specs, blocks, limits) if tasks[0].repair else (specs, blocks)
    return _stage(_rows(rows), actor, arguments, pool, need.cpus * _PROPOSER_SHARE, need.gpus)


def _rows_of(log: Path, tasks: Sequence[Task]) -> list[dict[str, Any]]:
    rows = []
    for number, task in enumerate(tasks):
        for shard, samples in task.todo:
            path = log_path(log, task.folder, shard, samples)
            # Tries of a run that was stopped are no fault of the shard's.
            tries_path(path).unlink(missing_ok=True)
            source = log_path(log, task.repair, shard, samples) if task.repair else None
            rows.append(pack(shard, samples, path, source, number))
    return rows


def _count(todo: Sequence[tuple[Shard, range]]) -> int:
    return sum(len(shard) for shard, _ in todo)


def encode_blocks(plan: EncodePlan, todo: Sequence[int], *, workers: int, progress: Progress) -> None:
    """Solve and encode the blocks in `todo`, and commit each. Raises PipelineError where one is lost."""
    if not todo:
        return
    rows = _rows([{"block": number} for number in todo])
    pool = min(workers, len(todo))
    data = _stage(rows, EncodeActor, (plan,), (pool, pool), 1.0, waiting=0)
    finished: list[int] = []

    def note(row: dict[str, Any]) -> None:
        finished.append(row["block"])
        progress(row)

    _drain(data, note, None, 0)
    if sorted(finished) != sorted(todo):
        raise PipelineError(f"{len(todo)} blocks went in, {len(finished)} came out")


def blocks_without_programs(plan: EncodePlan, blocks: Sequence[int], count: int, *, workers: int) -> set[int]:
    """Return the blocks whose pilot (of `count` shards) found no programs that pay."""
    if not blocks:
        return set()
    rows = _rows([{"block": number} for number in blocks])
    found: dict[int, bool] = {}
    data = _stage(rows, PilotActor, (plan, count), (1, workers), 1.0)
    _drain(data, lambda row: found.update({row["block"]: row["pays"]}), None, 0)
    return {number for number, pays in found.items() if not pays}


def _rows(rows: list[dict[str, Any]]) -> ray.data.Dataset:
    return ray.data.from_items(rows, override_num_blocks=len(rows))


def _stage(
    data: ray.data.Dataset,
    actor: type,
    arguments: tuple[Any, ...],
    pool: tuple[int, int],
    cpus: float,
    gpus: float = 0.0,
    waiting: int | None = None,
) -> ray.data.Dataset:
    """Add a stage of actors, `pool` of them at least and at most. `waiting`: rows that an actor may have beside the
    one it works on; none where a row takes minutes, and the first actor to start would keep another's from it."""
    # Ray restarts an actor that dies and gives its row to another; `_drain` checks that each came out once.
    return data.map_batches(
        actor,
        fn_constructor_args=arguments,
        batch_size=1,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(
            min_size=pool[0],
            max_size=pool[1],
            max_tasks_in_flight_per_actor=None if waiting is None else 1 + waiting,
        ),
        num_cpus=cpus,
        num_gpus=gpus,
    )


def _drain(data: ray.data.Dataset, progress: Progress, counted: str | None, expected: int) -> None:
    total = 0
    try:
        for row in _iterate(data):
            raise_refusal(row)
            total += row[counted] if counted else 0
            progress(row)
    except RayError as error:
        raise cause(error) from error
    if counted and total != expected:
        raise PipelineError(f"{expected} {counted} went in, {total} came out")


def _iterate(data: ray.data.Dataset) -> Iterator[dict[str, Any]]:
    for batch in data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        yield from batch.to_pylist()
