"""The algorithms, one module each. A module that defines `ALGORITHM` is registered by being here.

Invariant: for every lossless algorithm, decode(*encode(x)) == x, checked wherever a code is made.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache

from ktray.config import nearest
from ktray.inversion.algorithms.base import Algorithm, Coded
from ktray.inversion.kinds import InversionError

__all__ = ["PUBLISHED", "Algorithm", "Coded", "algorithm", "algorithms"]

#: The four algorithms of the published benchmark.
PUBLISHED = ("lzw", "ae", "rle", "huffman")


@lru_cache(maxsize=1)
def algorithms() -> dict[str, Algorithm]:
    """Return every registered algorithm by name, in alphabetical order."""
    found = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "base"):
        item: Algorithm = importlib.import_module(f"{__name__}.{module}").ALGORITHM
        found[item.name] = item
    return found


def algorithm(name: str) -> Algorithm:
    """Return the algorithm of that name (case does not matter). Raises InversionError, naming the nearest."""
    found = algorithms().get(name.strip().lower())
    if found is None:
        raise InversionError(f"unknown algorithm {name[:40]!r}{nearest(name.lower(), list(algorithms()))}")
    return found
