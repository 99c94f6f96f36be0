"""Sampling for the inversion benchmark on Ray: a pool of sampler actors behind the benchmark's own port.

A reply reaches the caller's log as soon as its chunk is done, so a run that is killed loses chunks in
flight and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from actors.runtime import places
from ktray.errors import KtrayError
from ktray.inversion.ports import SampleRequest, SamplerFailed, SamplerOutOfMemory, SamplingSettings
from ktray.inversion.sampling import LazySampler, SamplerSpec
from ktray.inversion.tasks import Reply

#: Times that Ray gives a chunk to its restarted actor before the back-end counts as failed.
_RETRIES = 2


class SamplerActor:
    """Hosts one sampler in a process of its own. It is made by the first requests, so that a model that
    cannot be loaded is an error of theirs, told as it is."""

    def __init__(self, spec: SamplerSpec) -> None:
        self._sampler = LazySampler(spec)

    def sample(self, requests: list[SampleRequest], settings: SamplingSettings) -> list[Reply]:
        """Return the replies of a chunk of requests. A dead engine ends the process: Ray replaces it."""
        try:
            return list(self._sampler.sample(requests, settings))
        except SamplerFailed:
            os._exit(1)


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Actors, the CPUs and GPUs of each, and the prompts a chunk."""

    workers: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    chunk: int = 16


class RaySampler:
    """Spreads requests over sampler actors, which start with the first requests. Use it while Ray runs."""

    def __init__(self, spec: SamplerSpec, pool: PoolSettings) -> None:
        self._spec, self._pool = spec, pool
        self._actors: list[Any] = []

    def _start(self) -> None:
        pool = self._pool
        remote = ray.remote(SamplerActor).options(
            num_cpus=pool.cpus, num_gpus=pool.gpus, max_restarts=-1, max_task_retries=_RETRIES
        )
        # An actor that finds no place would keep its chunk for ever.
        room = places(pool.cpus, pool.gpus, f"a sampler actor of {self.name}")
        count = min(max(1, pool.workers), room)
        self._actors = [remote.remote(self._spec) for _ in range(count)]

    @property
    def name(self) -> str:
        """The sampler's name, and its model where it has one."""
        return self._spec.model or self._spec.name

    def close(self) -> None:
        """End the actors, and so give their memory and GPUs back."""
        while self._actors:
            ray.kill(self._actors.pop())

    def sample(self, requests: Sequence[SampleRequest], settings: SamplingSettings) -> Iterator[Reply]:
        """Yield every requested sample, a chunk at a time, in the order chunks finish. A chunk that is too
        large for its actor's memory is halved."""
        if not self._actors:
            self._start()
        size = self._pool.chunk
        waiting = [list(requests[i : i + size]) for i in range(0, len(requests), size)][::-1]
        idle = list(self._actors)
        running: dict[Any, tuple[Any, list[SampleRequest]]] = {}
        while waiting or running:
            while waiting and idle:
                actor, chunk = idle.pop(), waiting.pop()
                running[actor.sample.remote(chunk, settings)] = (actor, chunk)
            (ready,), _ = ray.wait(list(running), num_returns=1)
            actor, chunk = running.pop(ready)
            idle.append(actor)
            try:
                yield from ray.get(ready)
            except RayActorError as error:
                self.close()  # what the actors hold is a fallback's to use
                raise SamplerFailed(f"its process died {_RETRIES + 1} times on one chunk") from error
            except RayTaskError as error:
                cause = _cause(error)
                if not isinstance(cause, SamplerOutOfMemory) or len(chunk) == 1:
                    raise cause from error
                half = len(chunk) // 2
                waiting += [chunk[half:], chunk[:half]]


def _cause(error: RayTaskError) -> BaseException:
    cause = error.cause
    return cause if isinstance(cause, KtrayError | SamplerOutOfMemory) else error
