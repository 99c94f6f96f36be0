"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Crowded machines are slow now and then; CI draws the same examples every time.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "corpora"


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of the published corpora; the one permitted skip where it is absent."""
    if not PUBLISHED.is_dir():
        pytest.skip("the published corpora are not beside this checkout")
    return PUBLISHED
