"""Compiled loops: numba's `njit`, with a cache that knows which sources a loop was compiled from.

numba keeps the machine code of a function as long as the function's own file is unchanged, though code of other
modules is linked into it: after an update of one module, its callers would go on with the old code, and an archive
written by such a mixture could not be read elsewhere. Here the code is kept as long as no module of the package
that the function's module imports, directly or through others, has changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba import config
from numba.core import caching

_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+import\s+(\([^)]*\)|[^\n]*)|import\s+([\w.]+))", re.MULTILINE)


def njit(*arguments: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` (always with arguments: `@njit(cache=True)`)."""

    def compile_with_stamp(function: Callable[..., Any]) -> Any:
        with _stamped_cache():
            return numba.njit(*arguments, **options)(function)  # noqa: TID251

    return compile_with_stamp


@contextmanager
def _stamped_cache() -> Iterator[None]:
    """Have numba look for caches here; other packages' functions keep to its own ways."""
    before = config.CACHE_LOCATOR_CLASSES
    config.CACHE_LOCATOR_CLASSES = ",".join(f"{__name__}.{locator.__name__}" for locator in _LOCATORS)
    try:
        yield
    finally:
        config.CACHE_LOCATOR_CLASSES = before


class _Stamped:
    """A place for a cache that is fresh while all sources of its functions are."""

    _py_file: str

    def get_source_stamp(self) -> str:
        return source_stamp(Path(self._py_file))


class BesideOthers(_Stamped, caching.UserProvidedCacheLocator):  # type: ignore[misc]
    """In the folder that NUMBA_CACHE_DIR names."""


class BesideSource(_Stamped, caching.InTreeCacheLocator):  # type: ignore[misc]
    """In the source's own `__pycache__`."""


class InHome(_Stamped, caching.UserWideCacheLocator):  # type: ignore[misc]
    """In the user's cache folder, where the source's may not be written."""


_LOCATORS = (BesideOthers, BesideSource, InHome)


@cache
def source_stamp(file: Path) -> str:
    """A digest of the module at `file` and of those of its package that it imports, at any remove."""
    digest = sha256()
    for source in sorted(_closure(file)):
        digest.update(sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def _closure(file: Path) -> set[Path]:
    found, waiting = {file}, [file]
    while waiting:
        new = imported(waiting.pop()) - found
        found |= new
        waiting += new
    return found


@cache
def imported(file: Path) -> frozenset[Path]:
    """The modules of its own package that a module names in import statements, packages' `__init__` among them."""
    package = _package(file)
    return frozenset(
        source
        for module, names, alone in _IMPORT.findall(file.read_text())
        for name in (module or alone, *(f"{module}.{part}" for part in re.findall(r"\w+", names)))
        if (source := _source(package, name)) is not None
    )


@cache
def _package(file: Path) -> Path:
    """The folder of a module's top-level package."""
    folder = file.parent
    while (folder.parent / "__init__.py").exists():
        folder = folder.parent
    return folder


@cache
def _source(package: Path, name: str) -> Path | None:
    """The file of a module by its absolute name, if it is one of the package."""
    top, *parts = name.split(".")
    if top != package.name:
        return None
    place = package.joinpath(*parts)
    candidates = (place / "__init__.py", place.with_name(place.name + ".py"))
    return next((file for file in candidates if file.is_file()), None)
