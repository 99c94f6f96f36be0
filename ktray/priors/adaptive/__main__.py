"""Regenerates the shipped counts: `python -m ktray.priors.adaptive --learn --seed 1 --pairs 200000`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ktray.priors.adaptive.counts import SHIPPED, save_counts
from ktray.priors.adaptive.learn import learned_counts


def main() -> None:
    """Learn and write the file; print its size in bytes."""
    parser = argparse.ArgumentParser(prog="python -m ktray.priors.adaptive", description=__doc__)
    parser.add_argument("--learn", action="store_true", required=True, help="learn and write the counts")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sampled programs (default 1)")
    parser.add_argument("--pairs", type=int, default=200_000, help="programs to learn from (default 200000)")
    default = Path(__file__).parents[1] / "data" / SHIPPED
    parser.add_argument(
        "--output", type=Path, default=default, help="file to write (default: the shipped one)"
    )
    args = parser.parse_args()
    args.output.parent.mkdir(parents=True, exist_ok=True)
    save_counts(learned_counts(args.seed, args.pairs), args.output)
    print(f"{args.output}: {args.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
