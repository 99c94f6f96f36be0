"""Regenerates the shipped counts, in two steps that can be repeated to the bit:

    python -m ktray.priors.adaptive --search 600 --searched searched.jsonl --exclude published.jsonl.gz
    python -m ktray.priors.adaptive --learn --searched searched.jsonl --exclude published.jsonl.gz

The first finds programs for sequences of the sampler (minutes), the second learns from them and from sampled
programs. Sequences of the file to exclude, on which results are reported, take part in neither.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ktray.errors import InputError
from ktray.priors.adaptive.counts import SHIPPED, save_counts
from ktray.priors.adaptive.learn import learned_counts
from ktray.priors.adaptive.searched import excluded_hashes, read_searched, write_searched


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ktray.priors.adaptive",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--search", type=int, default=0, help="search programs for so many drawn sequences")
    parser.add_argument("--seconds", type=float, default=0.04, help="the search's seconds (default 0.04)")
    parser.add_argument("--search-seed", type=int, default=771, help="seed of those sequences (default 771)")
    parser.add_argument("--searched", type=Path, help="file of searched programs to write or learn from")
    parser.add_argument("--learn", action="store_true", help="learn and write the counts")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sampled programs (default 1)")
    parser.add_argument("--pairs", type=int, default=200_000, help="programs to learn from (default 200000)")
    parser.add_argument("--exclude", type=Path, help="JSONL (plain or .gz) whose sequences take no part")
    default = Path(__file__).parents[1] / "data" / SHIPPED
    parser.add_argument("--output", type=Path, default=default, help="counts (default: the shipped ones)")
    return parser


def main() -> None:
    """Search, learn, or both; print what was written."""
    parser = _parser()
    args = parser.parse_args()
    if not (args.search or args.learn) or (args.search and not args.searched):
        parser.error("give --learn, or --search N with --searched FILE")
    try:
        excluded = excluded_hashes(args.exclude)
        if args.search:
            write_searched(args.searched, args.search_seed, args.search, args.seconds, excluded)
            print(f"{args.searched}: programs for {args.search} drawn sequences")
        if args.learn:
            searched = [texts for _, texts in read_searched(args.searched)] if args.searched else []
            args.output.parent.mkdir(parents=True, exist_ok=True)
            save_counts(learned_counts(args.seed, args.pairs, searched, excluded), args.output)
            print(f"{args.output}: {args.output.stat().st_size} bytes")
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
