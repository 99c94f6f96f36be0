"""What choosing again is worth: `python -m ktray.priors.adaptive.second_pass searched.jsonl`.

The reducer prices candidates with the shipped counts. Here they are priced once more with the counts that the
block itself has taught, and chosen again; both blocks are coded. The file is `searched.py`'s, its programs the
candidates; `--limit` sequences of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from ktray.ports import Entry
from ktray.priors.adaptive.block import cheapest, flat_variants
from ktray.priors.adaptive.counts import Counts, shipped_counts
from ktray.priors.adaptive.desk import Desk
from ktray.priors.adaptive.prior import AdaptivePrior
from ktray.priors.adaptive.searched import read_searched
from ktray.programs import Language, Program
from ktray.sequences import Values

Candidates = Sequence[tuple[Values, Sequence[Program]]]


def chosen(prior: AdaptivePrior, candidates: Candidates) -> list[Entry]:
    """Return each sequence with its cheapest candidate, where that is cheaper than 8 bits an element."""
    entries = []
    for values, programs in candidates:
        prices = prior.prices(programs)
        best = int(prices.argmin()) if len(programs) else -1
        pays = best >= 0 and prices[best] < 8 * len(values)
        entries.append(Entry(values, programs[best] if pays else None))
    return entries


def taught_by(entries: Sequence[Entry]) -> Counts:
    """Return the counts after coding the entries' programs, from the shipped ones on."""
    desk = Desk(shipped_counts())
    for entry in entries:
        found = cheapest(desk, flat_variants(entry.program), entry.values) if entry.program else None
        if found is not None:
            desk.program(desk.load(found[1]))
            desk.mode[3] = 0
    return desk.counts()


def main() -> None:
    """Print the sizes of both blocks."""
    parser = argparse.ArgumentParser(prog="python -m ktray.priors.adaptive.second_pass", description=__doc__)
    parser.add_argument("searched", type=Path)
    parser.add_argument("--limit", type=int, default=1000)
    args = parser.parse_args()
    rows = islice(read_searched(args.searched), args.limit)
    candidates = [(values, [Program(Language.DSL, text) for text in texts]) for values, texts in rows]
    prior = AdaptivePrior()
    first = chosen(prior, candidates)
    again = chosen(AdaptivePrior(counts=taught_by(first)), candidates)
    changed = sum(a.program != b.program for a, b in zip(first, again, strict=True))
    sizes = [len(prior.encode(entries, None).payload) for entries in (first, again)]
    several = np.mean([len(set(programs)) > 1 for _, programs in candidates])
    print(f"{len(candidates)} sequences, {several:.1%} with several programs, {changed} chosen otherwise")
    print(f"first pass {sizes[0]} bytes, second {sizes[1]}: {sizes[1] / sizes[0] - 1:+.3%}")


if __name__ == "__main__":
    main()
