"""Proposers: what yields candidate programs. The port is `ktray.ports.Proposer`; each module has one.

`literal` needs no module: it is the back-off that the reducer and the archive imply for every sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

from ktray.config import nearest
from ktray.errors import ConfigError

#: Every proposer that can be named with `--proposers`.
PROPOSERS = ("literal", "search", "dsl2", "vllm", "openai", "replay")


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names without duplicates, in order. Raises ConfigError for one that is not known."""
    for name in names:
        if name not in PROPOSERS:
            raise ConfigError(f"unknown proposer {name!r}{nearest(name, PROPOSERS)}")
    return tuple(dict.fromkeys(names))
