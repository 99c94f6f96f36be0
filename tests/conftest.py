"""Fixtures shared by all tests, and the order they run in."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Crowded machines are slow now and then; CI draws the same examples every time.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "corpora"
#: The corpora of the KoLMogorov Test (`kt-1mb/` and others); tests that measure on them skip without.
PUBLISHED = Path(os.environ.get("KTRAY_PUBLISHED", _BESIDE))

#: Files that take longest, longest first: started early, they leave no process running alone at the end.
HEAVY = (
    "test_resilience.py",
    "test_sampling_job.py",
    "test_compress.py",
    "test_smoke.py",
    "test_sampling_smoke.py",
    "test_inversion_job.py",
    "test_train_job.py",
    "test_sampler_vllm.py",
    "test_sandbox_attacks.py",
    "test_dialect.py",
    "test_literals_interpreted.py",
    "test_decompress.py",
    "test_seqcoder_training.py",
    "test_literals.py",
)
_COMPILING_SECONDS = 900.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the heavy files first; within a file the order stays."""
    rank = {name: i for i, name in enumerate(HEAVY)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of the published corpora; the one permitted skip where it is absent."""
    if not PUBLISHED.is_dir():
        pytest.skip("the published corpora are not beside this checkout")
    return PUBLISHED


def pytest_sessionstart(session: pytest.Session) -> None:
    """Where several processes share the tests: compile the kernels of a fresh clone once, each kind in one of
    them, before anything starts that would compile them again in each of its own processes."""
    shared = _shared(session)
    if shared is None:
        return
    shared.mkdir(exist_ok=True)
    for compile_kind in (_compile_searcher, _compile_literals):
        _once(shared / f"{compile_kind.__name__}.begun", compile_kind)
    deadline = time.monotonic() + _COMPILING_SECONDS
    while len(list(shared.glob("*.ended"))) < 2:
        if time.monotonic() > deadline:
            raise pytest.UsageError("the process that compiles kernels beside this one died")
        time.sleep(0.1)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove what told the processes of each other."""
    if (shared := _shared(session)) is not None:
        shutil.rmtree(shared, ignore_errors=True)


def _shared(session: pytest.Session) -> Path | None:
    """Return the folder that the processes of this run share, None where there is only one."""
    worker = getattr(session.config, "workerinput", None)
    return None if worker is None else Path(tempfile.gettempdir()) / f"ktray-tests-{worker['testrunuid']}"


def _once(claim: Path, compile_kind: Callable[[], None]) -> None:
    """Call `compile_kind` unless another process has claimed it."""
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        return
    try:
        compile_kind()
    finally:
        claim.with_suffix(".ended").touch()


def _compile_searcher() -> None:
    import numpy as np

    from ktray.proposers.search import SearchProposer, SearchSettings

    values = np.array([*range(5, 60), *[3] * 20, *[1, 9, 200, 7] * 2], np.uint8)
    for prior in ("uniform", "adaptive"):
        SearchProposer(SearchSettings(0.02, prior)).find(values)


def _compile_literals() -> None:
    import numpy as np

    from ktray.literals import encode_bytes

    values = np.arange(64, dtype=np.uint8)
    for hint, data in (("general", values), ("nucleotides", values % 8), ("samples16", values)):
        encode_bytes(data, "default", hint=hint)
