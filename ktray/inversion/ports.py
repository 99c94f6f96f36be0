"""The seam to language models: a sampler answers prompts. Real ones wrap vLLM or an API; one is scripted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ktray.inversion.tasks import Prompt, Reply


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """How replies are drawn. The published settings are the defaults.

    `max_tokens` bounds a reply; `stop` strings end it and are not part of it. The seed of a sample is a
    function of `seed`, its prompt and its index, so that extending n keeps the samples that are there.
    """

    temperature: float = 0.2
    top_p: float = 0.95
    max_tokens: int = 16_384
    seed: int = 42
    stop: tuple[str, ...] = ("[/ANSWER]",)


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """A prompt and the sample indices that are wanted of it (those that a log lacks)."""

    prompt: Prompt
    samples: tuple[int, ...]


class SamplerOutOfMemory(Exception):
    """The sampler had too little memory for this many requests at once; fewer may work."""


class SamplerFailed(Exception):
    """The sampler's back-end is gone; another sampler may answer. One line says why."""


class Sampler(Protocol):
    """Answers prompts.

    `sample` yields one reply for each index of each request, in any order. It raises SamplerOutOfMemory
    or SamplerFailed; replies yielded before that count.
    """

    @property
    def name(self) -> str: ...

    def sample(self, requests: Sequence[SampleRequest], settings: SamplingSettings) -> Iterator[Reply]: ...
