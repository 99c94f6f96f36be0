"""Undoing interleavings: which prefixes of a sequence, split by parity, make it cheap to write.

interleave(a, b) followed by concatenations equals one interleave of a longer list, so one peel is a number m of
pairs and a side: which parity holds the shorter list. Peels nest in the part merged so far. Read `peel.py` first,
then `sweep.py` (what each peel would cost) and `beam.py` (which to take).
"""

from ktray.proposers.search.weave.beam import weaves
from ktray.proposers.search.weave.peel import MAX_DEPTH, streams
from ktray.proposers.search.weave.sweep import hidden

__all__ = ["MAX_DEPTH", "hidden", "streams", "weaves"]
