"""Measures the searcher: `python -m ktray.proposers.search.bench --input F.jsonl.gz --limit 500`.

Prints the rate under the published uniform accounting, how it compares with given programs, and CPU time.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from ktray.proposers.replay import read_lines, sequence_values
from ktray.proposers.search.costs import uniform_prices
from ktray.proposers.search.minimise import program_bits
from ktray.proposers.search.proposer import SearchProposer, SearchSettings


def main() -> None:
    """Run the measurement that the command line asks for."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--input", type=Path, required=True)
    options.add_argument("--limit", type=int, default=500)
    options.add_argument("--stride", type=int, default=0)
    options.add_argument("--seconds", type=float, default=SearchSettings().seconds)
    options.add_argument("--rows", type=Path)
    given = options.parse_args()
    rows = [row for _, row in read_lines(given.input)]
    step = given.stride or max(1, len(rows) // given.limit)
    rows = rows[::step][: given.limit]
    proposer = SearchProposer(SearchSettings(seconds=given.seconds))
    proposer.find(np.arange(40, dtype=np.uint8))
    total = raw = gold_total = gold_min = 0.0
    worse = shorter = counted = wins = 0
    spent: dict[int, list[float]] = defaultdict(list)
    out = []
    for number, row in enumerate(rows):
        values = sequence_values(row, str(number))
        began = time.process_time()
        program = proposer.find(values)
        spent[len(values) // 50 * 50].append(time.process_time() - began)
        plain = 8.0 * len(values)
        bits = plain if program is None else program_bits(program, uniform_prices())
        total += 1 + bits
        raw += plain
        gold = row.get("uniform_bits")
        if gold is not None:
            gold_total += 1 + gold
            gold_min += 1 + min(gold, plain)
            worse += bits > gold + 1e-6
            shorter += bits < gold - 1e-6
            if gold < plain:
                counted += 1
                wins += bits <= gold + 1e-6
        out.append({"i": number * step, "bits": bits, "gold": gold, "raw": plain})
    n = len(rows)
    print(
        f"sequences {n}  rate {total / raw:.4f}  gold {gold_total / raw:.4f}  gold or raw {gold_min / raw:.4f}"
    )
    print(
        f"no longer than gold {1 - worse / n:.4f} (where gold < raw {wins / max(counted, 1):.4f})  "
        f"shorter {shorter / n:.4f}"
    )
    for band in sorted(spent):
        times = spent[band]
        print(
            f"length {band:5d}: {len(times):5d} sequences  {1000 * np.mean(times):8.2f} ms  "
            f"max {1000 * max(times):8.1f} ms"
        )
    everything = [t for times in spent.values() for t in times]
    print(f"all: {1000 * np.mean(everything):.2f} ms CPU a sequence, {sum(everything):.1f} s")
    if given.rows:
        given.rows.write_text("\n".join(map(json.dumps, out)))


if __name__ == "__main__":
    main()
