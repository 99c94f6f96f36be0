"""Classic sequences under both dialects and under gzip, xz and zpaq: `python -m ktray.proposers.dsl2_bench`.

Each rate is bits over 8 bits an element, of a sequence by itself; a program costs its bits and a flag, at most
1.0. What gzip, xz and zpaq need for a lone byte beyond itself (their frames) is not counted.
`--length` elements each (default 128).
"""

from __future__ import annotations

import argparse

import numpy as np

from ktray.dsl.classics import CLASSICS
from ktray.dsl.interpreter import execute_text
from ktray.dsl.printer import to_text
from ktray.errors import PipelineError
from ktray.peers import Transform, peer, peers_at_hand
from ktray.priors import make_prior
from ktray.programs import Language, Program
from ktray.proposers.dsl2 import find
from ktray.proposers.search import SearchProposer, SearchSettings
from ktray.sequences import Values


def compressors() -> dict[str, Transform]:
    """Return the general compressors at hand; zpaq only where it is installed."""
    return {name: peer(name).compress for name in ("gzip", "xz", "zpaq") if name in peers_at_hand()}


def compressed_rate(compress: Transform, values: Values) -> float:
    """Return the rate of a compressor on one sequence, less what a lone byte takes beyond itself; at most 1."""
    frame = len(compress(b"\0")) - 1
    return min(1.0, (len(compress(values.tobytes())) - frame) / len(values))


def program_rate(text: str | None, dialect: str, values: Values) -> float:
    """Return the rate of a program under the uniform prior of a dialect, with a flag; 1 where it does not pay.

    Raises PipelineError where the program gives something else.
    """
    if text is None:
        return 1.0
    made = execute_text(text).values
    if made is None or not np.array_equal(made, values):
        raise PipelineError("a proposed program does not give its sequence")
    bits = 1 + float(make_prior("uniform", dialect=dialect).prices([Program(Language.DSL, text)])[0])
    return min(1.0, bits / (8 * len(values)))


def rates(values: Values, searcher: SearchProposer) -> dict[str, float]:
    """Return the rate of each way on one sequence; `both` searches both dialects, at the second's prices."""
    program = searcher.find(values)
    published = None if program is None else to_text(program)
    second = find(values)
    made = {
        "dsl": program_rate(published, "dsl", values),
        "dsl2": program_rate(second, "dsl2", values),
    }
    both = min(made["dsl2"], program_rate(published, "dsl2", values))
    return made | {"both": both} | {k: compressed_rate(c, values) for k, c in compressors().items()}


def main() -> None:
    """Print a line a sequence, and the means."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--length", type=int, default=128)
    options.add_argument("--seconds", type=float, default=0.05)
    given = options.parse_args()
    searcher = SearchProposer(SearchSettings(seconds=given.seconds))
    rows = {name: rates(np.array(make(given.length), np.uint8), searcher) for name, make in CLASSICS.items()}
    names = list(next(iter(rows.values())))
    print(f"{'rate of ' + str(given.length) + ' elements':34}" + "".join(f"{name:>7}" for name in names))
    for title, row in rows.items():
        print(f"{title:34}" + "".join(f"{row[name]:7.3f}" for name in names))
    means = {name: sum(row[name] for row in rows.values()) / len(rows) for name in names}
    print(f"{f'mean of {len(rows)}':34}" + "".join(f"{means[name]:7.3f}" for name in names))
    solved = sum(row["dsl2"] < 1 for row in rows.values())
    print(f"the second dialect says {solved} of {len(rows)}")


if __name__ == "__main__":
    main()
