"""The `search` proposer: programs found by looking at the values alone. The same input gives the same output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ktray.config import nearest, option
from ktray.dsl.interpreter import interpret
from ktray.dsl.printer import to_text
from ktray.dsl.program import DslProgram
from ktray.errors import ConfigError
from ktray.programs import Candidate, CandidateKey, Language, Program
from ktray.proposers.search.assemble import assemble, assemble_fold
from ktray.proposers.search.costs import Prices, cost_vector, guiding_prices, learned_prices, uniform_prices
from ktray.proposers.search.minimise import minimise, program_bits
from ktray.proposers.search.polish import polish
from ktray.proposers.search.quotes import Quotes
from ktray.proposers.search.solve import Plan, search
from ktray.sequences import KtSequence, Values

#: Work units of one second on one core of the machine this was measured on: settings tell seconds, the search
#: counts units, so that what it finds depends on neither machine nor load.
UNITS_PER_SECOND = 85_000_000

#: `seconds` are for a sequence of this many elements; longer ones get in proportion more.
TYPICAL_LENGTH = 64

#: Widths of the passes: beam by split points, beam by the quick price, structures looked at closely.
STAGES = ((12, 2, 4), (100, 16, 16), (400, 48, 48))

#: Programs this many bits above the cheapest are polished too; exact prices that polishing the cheapest, and each
#: of the others, may ask for.
NEAR = 40.0
QUOTES, FEWER_QUOTES = 400, 100

#: The prices that a search can look for.
PRICES = {"uniform": uniform_prices, "adaptive": learned_prices}
#: Which of them serve each prior; `raw` and `gzip` have none of their own.
_SERVING = {"": "uniform", "raw": "uniform", "gzip": "uniform", "uniform": "uniform", "adaptive": "adaptive"}

#: Lines that a program is expected to have, for the price of references while searching.
_TYPICAL_LINES = 8


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How long to look, and for which prior.

    `seconds` bound the CPU time for 64 elements, turned into a fixed count of work units; most sequences take
    far less. `prior` is the one that programs are made cheap for; a second sample is made for the other of
    "uniform" and "adaptive".
    """

    seconds: float = option(0.3, "most CPU seconds for 64 elements; the count of work units is what is kept")
    prior: str = option("", "prior that programs are made cheap for (default: that of the job)")

    def __post_init__(self) -> None:
        if not 0 < self.seconds < 1e6:
            raise ConfigError(f"search.seconds is {self.seconds}; give a number of seconds above 0")
        if self.prior not in _SERVING:
            raise ConfigError(
                f"search.prior is {self.prior!r}{nearest(self.prior, list(filter(None, _SERVING)))}"
            )

    @property
    def prices(self) -> str:
        """Return the name of the prices that are looked for first."""
        return _SERVING[self.prior]


def shortest(plans: Sequence[Plan], prices: Prices, quotes: Quotes) -> tuple[DslProgram, float]:
    """Return the cheapest program of some plans (at least one), and its bits."""
    if not prices.folds:
        program = minimise(assemble(plans[0]), prices)
        return program, program_bits(program, prices)
    drafts = [written(plan, prices, quotes) for plan in plans]
    drafts.sort(key=lambda draft: draft[1])
    polished = [
        polish(program, prices, quotes, QUOTES if number == 0 else FEWER_QUOTES)
        for number, (program, bits) in enumerate(drafts)
        if bits < drafts[0][1] + NEAR
    ]
    return min(polished, key=lambda draft: draft[1])


def written(plan: Plan, prices: Prices, quotes: Quotes) -> tuple[DslProgram, float]:
    """Return the cheapest program of a plan, and its bits."""
    fold = assemble_fold(plan)
    options = [fold, minimise(fold, prices), minimise(assemble(plan), prices)]
    bits = [quotes(option) for option in options]
    best = int(np.argmin(bits))
    return options[best], bits[best]


class SearchProposer:
    """Proposes the cheapest program found for each sequence, where it is cheaper than the literal.

    Sample 0 is what the prices of `settings.prior` lead to, sample 1 what the other prior's do.
    """

    name = "search"

    def __init__(self, settings: SearchSettings | None = None) -> None:
        self._settings = settings or SearchSettings()
        self._quotes = Quotes()
        first = self._settings.prices
        self._prices = [PRICES[name]() for name in sorted(PRICES, key=lambda name: name != first)]

    def settings(self) -> dict[str, object]:
        """Return what the candidates depend on."""
        return {"seconds": self._settings.seconds, "prices": self._settings.prices}

    def propose(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]:
        """Yield a candidate for each sequence and each of samples 0 and 1, where one is found."""
        for sequence in sequences:
            for index in range(len(self._prices)):
                program = self.find(sequence.values, self._prices[index]) if index in samples else None
                if program is not None:
                    key = CandidateKey(sequence.id, self.name, "search", "", "", 0, index)
                    yield Candidate(key, Program(Language.DSL, to_text(program)))

    def find(self, values: Values, prices: Prices | None = None) -> DslProgram | None:
        """Return a program that makes `values` (uint8) and is cheaper than they are, or None.

        `prices` are those of the settings' prior unless given.
        """
        n = len(values)
        if n < 2:
            return None
        prices = prices or self._prices[0]
        budget = int(self._settings.seconds * UNITS_PER_SECOND * n / TYPICAL_LENGTH)
        costs = cost_vector(prices, _TYPICAL_LINES)
        guide = cost_vector(guiding_prices(prices.split), _TYPICAL_LINES)
        plans = search(values.astype(np.int64), costs, guide, STAGES, budget)
        if not plans:
            return None
        program, bits = shortest(plans, prices, self._quotes)
        if bits >= prices.element * n:
            return None
        made = interpret(program)
        return program if made.values is not None and np.array_equal(made.values, values) else None
