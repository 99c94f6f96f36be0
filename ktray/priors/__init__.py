"""Priors price programs and code blocks of programs and literals. Read `static.py` first, then `uniform.py`.

A prior is chosen by name through `make_prior`; its module is imported only then.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from ktray.errors import ConfigError
from ktray.ports import Prior

#: Where each prior is made: module and callable. To add a prior, write it and name it here.
PRIORS: dict[str, tuple[str, str]] = {
    "raw": ("ktray.priors.raw", "raw_prior"),
    "gzip": ("ktray.priors.gzip", "gzip_prior"),
    "uniform": ("ktray.priors.uniform", "uniform_prior"),
    "adaptive": ("ktray.priors.adaptive", "AdaptivePrior"),
}


def check_prior(name: str) -> None:
    """Raise ConfigError, naming the nearest known prior, where `name` is none."""
    if name not in PRIORS:
        from ktray.config import nearest  # loads the option parser, which only the message needs

        raise ConfigError(f"unknown prior {name!r}{nearest(name, list(PRIORS))}")


def make_prior(name: str, **settings: Any) -> Prior:
    """Return the prior called `name`, made with its own settings.

    Raises ConfigError for a name or a setting that is not known.
    """
    check_prior(name)
    module, factory = PRIORS[name]
    make: Any = getattr(importlib.import_module(module), factory)
    try:
        inspect.signature(make).bind(**settings)
    except TypeError as error:
        raise ConfigError(f"prior {name!r}: {error}") from error
    prior: Prior = make(**settings)
    return prior
