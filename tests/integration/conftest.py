"""Ray for the integration tests: one local instance for all that run in this process."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """A local Ray with two CPUs, shared by every job that a test runs in this process."""
    from actors.runtime import running

    with running(workers=2):
        yield


def structured(seed: int) -> list[int]:
    """Return a sequence made of a counter, a run, a repeated list and noise."""
    random = np.random.default_rng(seed)
    start, times = int(random.integers(0, 200)), int(random.integers(5, 20))
    noise = random.integers(0, 256, int(random.integers(3, 12))).tolist()
    return [*range(start, start + 20), *[int(random.integers(256))] * times, *noise * 3, *noise]


@pytest.fixture(scope="session")
def sequences_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gzipped JSONL of 96 sequences: structured, random, empty and of one element."""
    random = np.random.default_rng(7)
    rows = [structured(seed) for seed in range(92)]
    rows += [random.integers(0, 256, 40).tolist(), [], [9], [0] * 500]
    path = tmp_path_factory.mktemp("data") / "s.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps({"sequence": row}) + "\n" for row in rows).encode()))
    return path
