"""Decoding blocks in parallel: a bounded window of blocks in flight, handed out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import Any

import ray
from ray.exceptions import RayError

from actors.runtime import cause
from ktray.archive import DecodedBlock, decode_block
from ktray.archive.reader import DecodeBlocks
from ktray.archive.running import ArchivePrograms
from ktray.corpora.blocks import CorpusBlock
from ktray.dsl.interpreter import DslExecutor
from ktray.ports import Prior
from ktray.priors import make_prior
from ktray.sandbox import Sandbox, SandboxLimits

#: Times that a block is given to a restarted actor: one that kills every actor is damaged.
_RETRIES = 5


class DecodeActor:
    """Decodes one stored block a call; its sandbox is started by the first Python program."""

    def __init__(self, prior_settings: dict[str, Any], limits: SandboxLimits) -> None:
        self._settings = prior_settings
        self._programs = ArchivePrograms(DslExecutor(clock=None), lambda: Sandbox(limits))
        self._prior = cache(self._make_prior)

    def _make_prior(self, name: str) -> Prior:
        return make_prior(name, **self._settings)

    def decode(self, stored: bytes) -> tuple[CorpusBlock, str, bytes]:
        """Return the block, its prior and its restored bytes (its entries would be costly to send)."""
        decoded = decode_block(stored, self._prior, self._programs)
        return decoded.block, decoded.prior, decoded.restored


def decode_on_ray(prior_settings: dict[str, Any], limits: SandboxLimits, workers: int) -> DecodeBlocks:
    """Return a decoder that keeps each of `workers` actors busy with one block and another waiting."""
    actor = ray.remote(DecodeActor).options(num_cpus=1, max_restarts=-1, max_task_retries=_RETRIES)
    pool = [actor.remote(prior_settings, limits) for _ in range(workers)]

    def decode(stored: Iterator[bytes]) -> Iterator[DecodedBlock]:
        flying: deque[Any] = deque()
        for number, block in enumerate(stored):
            flying.append(pool[number % workers].decode.remote(block))
            if len(flying) >= 2 * workers:
                yield _landed(flying.popleft())
        while flying:
            yield _landed(flying.popleft())

    return decode


def _landed(reference: Any) -> DecodedBlock:
    try:
        block, prior, restored = ray.get(reference)
    except RayError as error:
        raise cause(error) from error
    return DecodedBlock(block, prior, (), restored)
