"""Models of our own: those that ship, by name, and what a folder that `jobs.train` wrote tells of itself."""

from __future__ import annotations

import json
from pathlib import Path

from ktray.errors import ConfigError

#: Tells in a model's folder that it is ours, and in which form it writes.
OWN_FILE = "seqcoder.json"
_HERE = Path(__file__).parent


def shipped() -> tuple[str, ...]:
    """Return the names of the models that ship."""
    return tuple(sorted(file.parent.name for file in _HERE.glob(f"*/{OWN_FILE}")))


def model_location(model: str) -> str:
    """Return the folder of a model that ships, any other name or folder as it is."""
    return str(_HERE / model) if model in shipped() else model


def own_form(model: str) -> str:
    """Return the form in which a model of ours writes programs, empty for any other model.

    Raises ConfigError where its folder is damaged.
    """
    file = Path(model_location(model)) / OWN_FILE
    if not model or not file.is_file():
        return ""
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["form"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file}: {error}; expected a model's folder as jobs.train writes it") from None
