"""Sampling with resume: what a log lacks is asked for, in batches that shrink when memory runs out.

Invariant: after a run that was not cut short, every (prompt, sample) with sample < n is in the log once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ktray.errors import PipelineError
from ktray.inversion.ports import (
    Sampler,
    SampleRequest,
    SamplerFailed,
    SamplerOutOfMemory,
    SamplingSettings,
)
from ktray.inversion.records import ReplyLog
from ktray.inversion.tasks import Prompt


@dataclass(frozen=True, slots=True)
class InferenceResult:
    """How many replies were there before, how many were added and by which samplers, how many of those are
    errors (tried again by the next run), and why the first of them failed."""

    present: int
    added: int
    by_sampler: dict[str, int]
    failed: int = 0
    reason: str = ""


def missing(prompts: Iterable[Prompt], n: int, done: set[tuple[str, int]]) -> list[SampleRequest]:
    """Return a request for every prompt with samples below n that the log lacks."""
    wanted = ((p, tuple(i for i in range(n) if (p.id, i) not in done)) for p in prompts)
    return [SampleRequest(p, samples) for p, samples in wanted if samples]


def infer(
    prompts: Sequence[Prompt],
    n: int,
    samplers: Sequence[Sampler],
    settings: SamplingSettings,
    log: ReplyLog,
    batch: int = 64,
    advance: Callable[[int], None] = lambda _: None,
) -> InferenceResult:
    """Complete a log to n samples of every prompt.

    `samplers` are tried in order: where one fails, the next named takes what is left. Out of memory
    halves the batch of prompts. Raises PipelineError where the last sampler fails, or a sampler that
    reports no fault leaves a sample out.
    """
    requests = missing(prompts, n, log.done)
    present = sum(n for _ in prompts) - sum(len(r.samples) for r in requests)
    by_sampler: dict[str, int] = {}
    for sampler in samplers:
        try:
            for added in _drain(prompts, n, sampler, settings, log, batch):
                by_sampler[sampler.name] = by_sampler.get(sampler.name, 0) + added
                advance(added)
            break
        except SamplerFailed as error:
            if sampler is samplers[-1]:
                raise PipelineError(
                    f"sampler {sampler.name} failed: {error}; run again to continue"
                ) from None
    reason = next(iter(log.failed.values()), "")
    return InferenceResult(present, sum(by_sampler.values()), by_sampler, len(log.failed), reason)


def _drain(
    prompts: Sequence[Prompt],
    n: int,
    sampler: Sampler,
    settings: SamplingSettings,
    log: ReplyLog,
    batch: int,
) -> Iterator[int]:
    """Ask for what is missing until nothing is; yield 1 for every reply appended."""
    waiting = missing(prompts, n, log.tried)
    while waiting:
        try:
            for reply in sampler.sample(waiting[:batch], settings):
                if log.append(reply):
                    yield 1
        except SamplerOutOfMemory:
            if batch == 1:
                raise SamplerFailed("out of memory with a single prompt") from None
            batch = max(1, batch // 2)
            waiting = missing([r.prompt for r in waiting], n, log.tried)
            continue
        lost = missing([r.prompt for r in waiting[:batch]], n, log.tried)
        if lost:
            raise PipelineError(f"sampler {sampler.name} left out samples of {len(lost)} prompts")
        waiting = waiting[batch:]
