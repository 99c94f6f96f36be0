"""Drawing pairs on Ray: surveys and files of shards, a bounded number in flight, handed out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import RayError

from actors.runtime import cause
from ktray.corpora.pairs import ShardFile, Survey, survey, write_shard
from ktray.corpora.synthetic import SamplerSettings

R = TypeVar("R")


def survey_on_ray(
    settings: SamplerSettings, seed: int, shards: Iterable[int], count: int, workers: int
) -> Iterator[Survey]:
    """Yield the survey of each shard of `count` draws, in order."""
    return _in_order(survey, ((settings, seed, shard, count) for shard in shards), workers)


def write_on_ray(files: Iterable[tuple[ShardFile, NDArray[np.bool_]]], workers: int) -> Iterator[int]:
    """Write each shard's file and yield the number of its pairs, in order."""
    return _in_order(write_shard, files, workers)


def _in_order(function: Callable[..., R], calls: Iterable[tuple[Any, ...]], workers: int) -> Iterator[R]:
    task = ray.remote(function).options(num_cpus=1)
    flying: deque[Any] = deque()
    for arguments in calls:
        flying.append(task.remote(*arguments))
        if len(flying) >= 2 * workers:
            yield _landed(flying.popleft())
    while flying:
        yield _landed(flying.popleft())


def _landed(reference: Any) -> Any:
    try:
        return ray.get(reference)
    except RayError as error:
        raise cause(error) from error
