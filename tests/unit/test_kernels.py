"""Compiled code is kept as long as none of the sources that are linked into it changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ktray.kernels import imported, source_stamp

_INNER = """
from ktray.kernels import njit

@njit(cache=True)
def inner(x):
    return x + {added}
"""
_OUTER = """
from ktray.kernels import njit
from toy.parts.inner import (
    inner,
)

@njit(cache=True)
def outer(x):
    return inner(x)

if __name__ == "__main__":
    print(outer(0), sum(outer.stats.cache_hits.values()))
"""


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A package of which one module's compiled function calls another's."""
    package = tmp_path / "toy"
    (package / "parts").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "parts" / "__init__.py").touch()
    (package / "parts" / "inner.py").write_text(_INNER.format(added=1))
    (package / "outer.py").write_text(_OUTER)
    return package


def _run(package: Path) -> list[int]:
    """What `outer(0)` gives in a new process, and how often it came from the cache."""
    path = os.pathsep.join([str(package.parent), *sys.path])
    command = [sys.executable, "-m", "toy.outer"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


def test_unchanged_code_comes_from_the_cache(toy: Path) -> None:
    assert [_run(toy), _run(toy)] == [[1, 0], [1, 1]]


def test_a_change_of_linked_code_compiles_anew(toy: Path) -> None:
    _run(toy)
    (toy / "parts" / "inner.py").write_text(_INNER.format(added=2))
    assert [_run(toy), _run(toy)] == [[2, 0], [2, 1]]


def test_a_change_elsewhere_keeps_the_code(toy: Path) -> None:
    _run(toy)
    (toy / "other.py").write_text("")
    assert _run(toy) == [1, 1]


def test_imports_of_the_own_package_alone_count(toy: Path) -> None:
    names = {file.relative_to(toy).as_posix() for file in imported(toy / "outer.py")}
    assert names == {"parts/inner.py"}


def test_imports_of_modules_from_their_package_count(toy: Path) -> None:
    module = toy / "third.py"
    module.write_text("from toy.parts import inner\nimport toy.outer\nimport os\n")
    names = {file.relative_to(toy).as_posix() for file in imported(module)}
    assert names == {"parts/__init__.py", "parts/inner.py", "outer.py"}


def test_modules_that_import_one_another_have_stamps(toy: Path) -> None:
    (toy / "one.py").write_text("from toy.two import x\n")
    (toy / "two.py").write_text("import toy.one\n")
    assert source_stamp(toy / "one.py") == source_stamp(toy / "two.py")
