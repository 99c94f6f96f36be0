"""How a proposer is named in a config and built where it runs: a spec is small, frozen and picklable.

`build` does the heavy part (loading a model, compiling kernels) and is called by the actor that hosts it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from ktray.errors import ConfigError
from ktray.ports import Proposer
from ktray.proposers.search import SearchProposer, SearchSettings


@dataclass(frozen=True, slots=True)
class ProposerSpec:
    """One proposer of a run.

    `samples` is how many samples a sequence it is asked for, `settings` what enters the fingerprint, and
    `cpus`, `gpus` what one replica of it takes.
    """

    name: str
    samples: int
    search: SearchSettings = field(default_factory=SearchSettings)
    replay: str = ""
    cpus: float = 1.0
    gpus: float = 0.0

    def build(self) -> Proposer:
        """Return the proposer itself."""
        if self.name == "search":
            return SearchProposer(self.search)
        if self.name == "replay":
            from ktray.proposers.replay import ReplayProposer

            if not self.replay:
                raise ConfigError("proposer 'replay' needs a file of candidates; give it with --replay FILE")
            return ReplayProposer(Path(self.replay))
        raise ConfigError(f"proposer {self.name!r} cannot be built from a spec")


def settings_hash(settings: dict[str, object]) -> str:
    """Return 8 hex digits that tell a proposer's generation settings apart."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
