"""The pipeline on Ray Data: propose and verify shards, then solve and encode blocks.

Every stage does what is missing and nothing else: a shard or block is done exactly when its file is
there, so a run that was killed continues, and its result does not depend on where it was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import ray.data
from ray.exceptions import RayError

from actors.encode import EncodeActor, EncodePlan, logged_samples
from actors.propose import ProposeActor, VerifyActor, pack
from ktray.candidatelog import Shard, log_path
from ktray.errors import KtrayError, PipelineError
from ktray.proposers.spec import ProposerSpec
from ktray.sandbox import SandboxLimits

#: Called with a finished row's fields.
Progress = Callable[[dict[str, Any]], None]

#: A verifier's pool waits on its proposers: it takes next to nothing of the CPUs that Ray hands out.
_VERIFIER_CPUS = 0.01


def missing_shards(
    log: Path, folder: str, shards: Sequence[Shard], samples: int
) -> list[tuple[Shard, range]]:
    """Return the shards that lack samples, each with the range that is missing."""
    have = [(shard, logged_samples(log, folder, shard)) for shard in shards]
    return [(shard, range(n, samples)) for shard, n in have if n < samples]


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
    if not todo:
        return
    rows = [pack(shard, samples, log_path(log, folder, shard, samples)) for shard, samples in todo]
    data = _rows(rows)
    data = _stage(data, ProposeActor, (spec, blocks), workers, spec.cpus, spec.gpus)
    data = _stage(data, VerifyActor, (blocks, limits), max(1, workers // 2), _VERIFIER_CPUS)
    _drain(data, progress, "sequences", sum(len(shard) for shard, _ in todo))


def encode_blocks(plan: EncodePlan, todo: Sequence[int], *, workers: int, progress: Progress) -> None:
    """Solve and encode the blocks in `todo`, and commit each. Raises PipelineError where one is lost."""
    if not todo:
        return
    data = _stage(_rows([{"block": number} for number in todo]), EncodeActor, (plan,), workers, 1.0)
    finished: list[int] = []

    def note(row: dict[str, Any]) -> None:
        finished.append(row["block"])
        progress(row)

    _drain(data, note, None, 0)
    if sorted(finished) != sorted(todo):
        raise PipelineError(f"{len(todo)} blocks went in, {len(finished)} came out")


def _rows(rows: list[dict[str, Any]]) -> ray.data.Dataset:
    return ray.data.from_items(rows, override_num_blocks=len(rows))


def _stage(
    data: ray.data.Dataset,
    actor: type,
    arguments: tuple[Any, ...],
    workers: int,
    cpus: float,
    gpus: float = 0.0,
) -> ray.data.Dataset:
    # Ray restarts an actor that dies and gives its row to another; `_drain` checks that each came out once.
    return data.map_batches(
        actor,
        fn_constructor_args=arguments,
        batch_size=1,
        batch_format="pyarrow",
        concurrency=(1, max(1, workers)),
        num_cpus=cpus,
        num_gpus=gpus,
    )


def _drain(data: ray.data.Dataset, progress: Progress, counted: str | None, expected: int) -> None:
    total = 0
    try:
        for row in _iterate(data):
            total += row[counted] if counted else 0
            progress(row)
    except RayError as error:
        raise _cause(error) from error
    if counted and total != expected:
        raise PipelineError(f"{expected} {counted} went in, {total} came out")


def _cause(error: BaseException) -> BaseException:
    """Return the error a worker raised, where it is one that a user can act on; Ray's own otherwise."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, KtrayError) or (isinstance(inner, OSError) and inner.errno):
            return inner
        inner = getattr(inner, "cause", None) or inner.__cause__
    return error


def _iterate(data: ray.data.Dataset) -> Iterator[dict[str, Any]]:
    for batch in data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        yield from batch.to_pylist()
