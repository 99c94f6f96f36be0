"""The symbolic searcher: finds short DSL programs from the values alone.

Read `proposer.py` first, then `solve.py`: `weave/` undoes interleavings, `vary.py` betters how, `relations/` and
`derive.py` find lists made from other lists, `parse.py` splits what is left, `assemble.py` and `graph.py` write the
program. `minimise.py` and `polish.py` shorten any correct program, the latter move by move over its spine
(`spine.py`, `moves.py`) and a bank of lists (`bank.py`, `oneop.py`); `repair.py` makes those right that nearly are.
"""

from ktray.proposers.search.costs import Prices, learned_prices, uniform_prices
from ktray.proposers.search.minimise import minimise, program_bits
from ktray.proposers.search.polish import polish
from ktray.proposers.search.proposer import SearchProposer, SearchSettings
from ktray.proposers.search.quotes import Quotes
from ktray.proposers.search.repair import Improver, corrected, shorten

__all__ = [
    "Improver",
    "Prices",
    "Quotes",
    "SearchProposer",
    "SearchSettings",
    "corrected",
    "learned_prices",
    "minimise",
    "polish",
    "program_bits",
    "shorten",
    "uniform_prices",
]
