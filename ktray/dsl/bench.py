"""Measures the language: parsing, interpreting, and both for a batch, in CPU time of one core.

python -m ktray.dsl.bench
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ktray.corpora.synthetic import SamplerSettings, sample_pairs
from ktray.dsl.interpreter import execute_texts, interpret
from ktray.dsl.parser import parse

_PROGRAMS = 2000


def per_program(work: Callable[[], object], programs: int) -> float:
    """Return the best of five CPU times of `work`, in microseconds a program."""
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return 1e6 * best / programs


def main() -> None:
    """Print the speeds on programs of the published sampler."""
    texts = [text for text, _ in sample_pairs(SamplerSettings(), seed=1, shard=0, count=_PROGRAMS)]
    parsed = [parse(text) for text in texts]
    lines = sum(len(program.lines) for program in parsed) / len(parsed)
    print(f"{len(texts):,} programs of {lines:.2f} lines on average, CPU time of one core")
    print(f"parse      {per_program(lambda: [parse(t) for t in texts], len(texts)):8.1f} us a program")
    print(f"interpret  {per_program(lambda: [interpret(p) for p in parsed], len(texts)):8.1f} us a program")
    batch = per_program(lambda: execute_texts(texts), len(texts))
    print(f"batch      {batch:8.1f} us a program, {1e6 / batch:,.0f} programs/s with parsing")


if __name__ == "__main__":
    main()
