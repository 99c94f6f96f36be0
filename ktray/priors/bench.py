"""Measures the priors on programs of the published sampler: price, encode, decode, in CPU time of one core.

python -m ktray.priors.bench
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np

from ktray.corpora.synthetic import SamplerSettings, sample_pairs
from ktray.dsl.interpreter import execute_text
from ktray.errors import ArchiveError
from ktray.ports import Entry
from ktray.priors import PRIORS, make_prior
from ktray.programs import Language, Program
from ktray.sequences import Values

_PROGRAMS = 2000

T = TypeVar("T")


def run(program: Program) -> Values:
    """Return what a DSL program gives. Raises ArchiveError where it fails."""
    values = execute_text(program.text).values
    if values is None:
        raise ArchiveError("a program of the sampler failed")
    return values


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the CPU seconds that `work` took, and its result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def main() -> None:
    """Print a line a prior."""
    pairs = sample_pairs(SamplerSettings(), seed=1, shard=0, count=_PROGRAMS)
    entries = [Entry(np.asarray(values, np.uint8), Program(Language.DSL, text)) for text, values in pairs]
    programs = [entry.program for entry in entries if entry.program]
    bits = 8 * sum(len(entry.values) for entry in entries)
    for name in PRIORS:
        prior = make_prior(name)
        prior.decode(prior.encode(entries[:64], None).payload, 64, None, run)  # compiles what is compiled
        pricing, _ = timed(partial(prior.prices, programs))
        encoding, block = timed(partial(prior.encode, entries, None))
        decoding, back = timed(partial(prior.decode, block.payload, len(entries), None, run))
        same = all(np.array_equal(a.values, b.values) for a, b in zip(back, entries, strict=True))
        speeds = [
            f"{what} {_PROGRAMS / s:>9,.0f}/s"
            for what, s in (("price", pricing), ("encode", encoding), ("decode", decoding))
        ]
        rate = 8 * len(block.payload) / bits
        spent = block.program_bits + block.literal_bits + block.flag_bits
        apart = 8 * (len(block.payload) - len(prior.encode([], None).payload)) - spent
        print(
            f"{name:9} {'  '.join(speeds)}  rate {rate:.4f}  {'restored' if same else 'DIFFERENT'}  "
            f"{apart / _PROGRAMS:+.4f} bits a program beyond its price"
        )


if __name__ == "__main__":
    main()
