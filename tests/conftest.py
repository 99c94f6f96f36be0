"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "corpora"


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of the published corpora; the one permitted skip where it is absent."""
    if not PUBLISHED.is_dir():
        pytest.skip("the published corpora are not beside this checkout")
    return PUBLISHED
