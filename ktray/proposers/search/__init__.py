"""The symbolic searcher: finds short DSL programs from the values alone.

Read `proposer.py` first, then `solve.py`: `weave.py` undoes interleavings, `relations.py` and `derive.py` find
lists made from other lists, `parse.py` splits what is left, `assemble.py` and `graph.py` write the program.
"""

from ktray.proposers.search.proposer import SearchProposer, SearchSettings

__all__ = ["SearchProposer", "SearchSettings"]
