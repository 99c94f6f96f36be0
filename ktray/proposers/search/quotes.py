"""The exact prices of the adaptive prior, for programs at work."""

from __future__ import annotations

import math

from ktray.dsl.program import DslProgram
from ktray.priors.adaptive.block import cheapest
from ktray.priors.adaptive.counts import shipped_counts
from ktray.priors.adaptive.desk import Desk
from ktray.priors.adaptive.flat import flatten
from ktray.priors.canonical import variants


class Quotes:
    """Prices programs under the shipped counts."""

    def __init__(self) -> None:
        self._desk = Desk(shipped_counts())

    def __call__(self, program: DslProgram) -> float:
        """Return the bits of a program in its cheapest form; inf where the prior cannot code it."""
        self._desk.bits[:] = 0.0  # so that no sum depends on what was priced before
        chosen = cheapest(self._desk, [flat for flat in map(flatten, variants(program)) if flat is not None])
        return chosen[0] if chosen else math.inf
