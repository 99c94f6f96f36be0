"""Models of our own: those that ship, by name, and what a folder that `jobs.train` wrote tells of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ktray.errors import ConfigError

#: The model that is asked where none is named.
DEFAULT_MODEL = "seqcoder-nano"
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
    return str(_own(model, "form") or "")


def own_context(model: str) -> int:
    """Return the longest prompt and reply together of a model of ours, in tokens; 0 for any other model.

    Raises ConfigError where its folder is damaged.
    """
    return int(_own(model, "context") or 0)


def _own(model: str, field: str) -> Any:
    """Return what the folder of a model of ours tells, None for any other model."""
    file = Path(model_location(model)) / OWN_FILE
    if not model or not file.is_file():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))[field]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file}: {error}; expected a model's folder as jobs.train writes it") from None
