"""The `search` proposer: programs found by looking at the values alone. The same input gives the same output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ktray.dsl.interpreter import interpret
from ktray.dsl.ops import BY_NAME, LINE_BITS
from ktray.dsl.printer import to_text
from ktray.dsl.program import DslProgram
from ktray.errors import ConfigError
from ktray.programs import Candidate, CandidateKey, Language, Program
from ktray.proposers.search.assemble import assemble
from ktray.proposers.search.costs import Prices, cost_vector, uniform_prices
from ktray.proposers.search.solve import search
from ktray.sequences import KtSequence, Values

#: Work units (element visits) of one second on one core of the machine this was measured on.
UNITS_PER_SECOND = 100_000_000

#: Widths of the passes: beam by split points, beam by the quick price, structures looked at closely.
STAGES = np.array([[12, 2, 4], [100, 16, 16], [400, 48, 48]])


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How long to look: `seconds` a sequence, turned into a fixed count of work units."""

    seconds: float = 0.06

    def __post_init__(self) -> None:
        if not 0 < self.seconds < 1e6:
            raise ConfigError(f"search.seconds is {self.seconds}; give a number of seconds above 0")


def published_bits(program: DslProgram) -> float:
    """Return the published uniform price (bits) of a program with its output line."""
    bits = sum(BY_NAME[call.op].published_bits(call.args, i) for i, call in enumerate(program.lines))
    return bits + LINE_BITS


class SearchProposer:
    """Proposes the cheapest program found for each sequence, where it is cheaper than the literal."""

    name = "search"

    def __init__(self, settings: SearchSettings | None = None, prices: Prices | None = None) -> None:
        self._settings = settings or SearchSettings()
        self._prices = prices or uniform_prices()

    def settings(self) -> dict[str, object]:
        """Return what the candidates depend on."""
        return asdict(self._settings)

    def propose(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]:
        """Yield one candidate for each sequence that has one, as sample 0."""
        if 0 not in samples:
            return
        for sequence in sequences:
            program = self.find(sequence.values)
            if program is not None:
                key = CandidateKey(sequence.id, self.name, "search", "", "", 0, 0)
                yield Candidate(key, Program(Language.DSL, to_text(program)))

    def find(self, values: Values) -> DslProgram | None:
        """Return a program that makes `values` (uint8) and is cheaper than they are, or None."""
        n = len(values)
        if n < 2:
            return None
        costs = cost_vector(self._prices, 8)
        budget = int(self._settings.seconds * UNITS_PER_SECOND * n / 64)
        plan = search(values.astype(np.int64), costs, STAGES, budget)
        program = assemble(plan)
        made = interpret(program)
        if published_bits(program) >= 8.0 * n:
            return None
        if made.values is None or not np.array_equal(made.values, values):
            return None
        return program
