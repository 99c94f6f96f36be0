"""Relations: a part of the text that one operation makes from another part. Read `kinds.py` first, then `rows.py`.

Each look fills rows with candidates of its kind; `derive.py` decides which of them pay.
"""

from ktray.proposers.search.relations.aligned import aligned
from ktray.proposers.search.relations.chosen import chosen, passes
from ktray.proposers.search.relations.extremes import extremes
from ktray.proposers.search.relations.pairs import pairwise
from ktray.proposers.search.relations.periods import periods
from ktray.proposers.search.relations.remainders import modulo_run
from ktray.proposers.search.relations.turned import turned

#: Every look, in the order in which rows are filled.
LOOKS = (periods, pairwise, aligned, turned, chosen, extremes)

__all__ = ["LOOKS", "modulo_run", "passes"]
