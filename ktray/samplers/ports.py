"""The port between whoever needs sampled text (proposers, the inversion benchmark) and what samples it.

Sample `index` of a request is a function of model, prompt, settings and `seed + index` alone: asking for
`range(8, 32)` later gives what `range(32)` would have given from the eighth on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ktray.config import option
from ktray.errors import ConfigError

Finish = Literal["stop", "length", "error"]


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """Samples wanted of one prompt. `system` may be empty; `max_tokens` bounds each reply; `stop` texts
    are used where the settings have none, or, where `must_stop`, beside them."""

    key: str
    system: str
    user: str
    samples: range
    seed: int
    max_tokens: int
    stop: tuple[str, ...] = ()
    must_stop: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """One sample: its text, why it ended, its tokens, and the sum of its tokens' log-probabilities (nats).

    `error` tells why where `finish` is "error"; the text is then empty.
    """

    key: str
    index: int
    text: str
    finish: Finish
    tokens: int | None = None
    prompt_tokens: int | None = None
    logprob: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """How replies are drawn."""

    temperature: float = option(0.8, "temperature; 0 is greedy, so that all samples are the same")
    top_p: float = option(0.95, "draw from the likeliest tokens that make up this share, above 0 to 1")
    top_k: int = option(0, "draw from so many likeliest tokens (0: all)")
    min_p: float = option(0.0, "drop tokens below this share of the likeliest one's probability, 0 to 1")
    stop: tuple[str, ...] = option((), "texts that end a reply, as a YAML list (default: the prompt's own)")
    seed: int = option(0, "seed; sample i of a sequence depends on it, the sequence's id and i alone")

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 10:
            raise ConfigError(f"temperature is {self.temperature}, expected 0 (greedy) to 10")
        if not 0 < self.top_p <= 1 or not 0 <= self.min_p <= 1 or self.top_k < 0:
            raise ConfigError(
                f"top_p {self.top_p}, min_p {self.min_p}, top_k {self.top_k}: expected 0 < top_p <= 1, "
                "0 <= min_p <= 1, top_k >= 0"
            )

    def stops(self, request: SampleRequest) -> tuple[str, ...]:
        """Return the texts that end a reply to a request."""
        own = request.stop if request.must_stop or not self.stop else ()
        return tuple(dict.fromkeys((*self.stop, *own)))


class TextSampler(Protocol):
    """Samples replies; every (request, index) comes out exactly once, in any order."""

    model: str

    def sample(self, requests: Sequence[SampleRequest]) -> Iterator[Reply]: ...


def request_seed(seed: int, key: str) -> int:
    """Return the seed of a request's sample 0: 61 bits of a hash, so that seed + index stays an int64."""
    digest = hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 3
