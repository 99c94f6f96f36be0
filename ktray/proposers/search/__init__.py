"""The symbolic searcher: finds short DSL programs from the values alone.

Read `proposer.py` first, then `solve.py`: `weave.py` undoes interleavings, `relations.py` and `derive.py` find
lists made from other lists, `parse.py` splits what is left, `assemble.py` and `graph.py` write the program.
`minimise.py` shortens any correct program.
"""

from ktray.proposers.search.costs import Prices, learned_prices, uniform_prices
from ktray.proposers.search.minimise import minimise, program_bits
from ktray.proposers.search.proposer import SearchProposer, SearchSettings

__all__ = [
    "Prices",
    "SearchProposer",
    "SearchSettings",
    "learned_prices",
    "minimise",
    "program_bits",
    "uniform_prices",
]
