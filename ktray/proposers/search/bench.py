"""Measures the searcher:

    python -m ktray.proposers.search.bench --input F.jsonl.gz --limit 300 --seed 1 --prior adaptive
    python -m ktray.proposers.search.bench --fresh 2026 --limit 1000 --prior uniform --curve

Sequences are drawn from a file of pairs, or made by the published sampler under a seed of one's own. Prints the
rate under the prior that is searched for, how often what is found is no longer than the given programs, sequences a
second by length, where the time goes, and, with `--curve`, the rate against seconds. CPU time of one core.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ktray.corpora.synthetic import SamplerSettings, sample_columns
from ktray.dsl.encoded import decode_program
from ktray.dsl.printer import to_text
from ktray.dsl.program import DslProgram
from ktray.priors import make_prior
from ktray.programs import Language, Program
from ktray.proposers.replay import read_lines, sequence_values
from ktray.proposers.search.proposer import SearchProposer, SearchSettings
from ktray.sequences import Values

#: Budgets (seconds for 64 elements) of the curve.
CURVE = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)

#: Modules whose share of the time is told: file name and what it does.
PARTS = {
    "beam.py": "structures",
    "vary.py": "structures varied",
    "aligned.py": "relations",
    "derive.py": "relations",
    "glance.py": "quick prices",
    "assemble.py": "writing",
    "minimise.py": "minimising",
    "polish.py": "polishing",
    "moves.py": "polishing",
    "spine.py": "polishing",
    "bank.py": "polishing",
    "desk.py": "exact prices",
    "canonical.py": "exact prices",
}


@dataclass(frozen=True, slots=True)
class Found:
    """Programs found for a sample, CPU seconds of each, and their bits, the literal's where there is none."""

    programs: list[DslProgram | None]
    seconds: NDArray[np.float64]
    bits: NDArray[np.float64]


@dataclass(slots=True)
class Sample:
    """Sequences, and the given programs' texts where there are any."""

    values: list[Values] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)

    @property
    def raw(self) -> NDArray[np.float64]:
        """The literals' bits."""
        return np.array([8.0 * len(values) for values in self.values])


def read_sample(path: Path, limit: int, seed: int) -> Sample:
    """Return `limit` sequences of a file, drawn with `seed`."""
    rows = [row for _, row in read_lines(path)]
    sample = Sample()
    for number in np.random.default_rng(seed).permutation(len(rows))[:limit].tolist():
        sample.values.append(sequence_values(rows[number], str(number)))
        sample.texts.append(rows[number].get("program"))
    return sample


def fresh_sample(seed: int, count: int) -> Sample:
    """Return `count` sequences of the published sampler under `seed`, with its programs."""
    sample = Sample()
    for encoded, values in sample_columns(SamplerSettings(), seed, 0, count).rows():
        sample.values.append(values)
        sample.texts.append(to_text(decode_program(encoded.tolist())))
    return sample


def published_bits(prior: str, programs: list[str]) -> NDArray[np.float64]:
    """Return the price of each text: the published ones where the prior has them, else the archive's."""
    candidates = [Program(Language.DSL, text) for text in programs]
    made = make_prior(prior)
    return made.published_bits(candidates) if prior == "uniform" else made.prices(candidates)


def find_all(sample: Sample, settings: SearchSettings) -> Found:
    """Search every sequence of a sample."""
    proposer = SearchProposer(settings)
    for values in sample.values[:3]:
        proposer.find(values)  # compiles
    programs, seconds = [], []
    for values in sample.values:
        began = time.process_time()
        programs.append(proposer.find(values))
        seconds.append(time.process_time() - began)
    bits = sample.raw
    held = [i for i, program in enumerate(programs) if program is not None]
    bits[held] = published_bits(settings.prior, [to_text(p) for p in programs if p is not None])
    return Found(programs, np.array(seconds), bits)


def report(sample: Sample, found: Found, prior: str) -> None:
    """Print rates, shares and speeds."""
    raw = sample.raw
    total = 1 + np.minimum(found.bits, raw)
    print(f"prior {prior}: sequences {len(raw)}  rate {total.sum() / raw.sum():.4f}")
    if all(sample.texts):
        _compare(found.bits, published_bits(prior, [text for text in sample.texts if text]), raw)
    lengths = np.array([len(values) for values in sample.values])
    for low, high in ((0, 25), (25, 50), (50, 100), (100, 200), (200, 400), (400, 1 << 30)):
        times = found.seconds[(lengths >= low) & (lengths < high)]
        if len(times):
            print(
                f"length {low:4d}-: {len(times):5d} sequences  {1 / max(times.mean(), 1e-9):9.1f} a second  "
                f"{1000 * times.mean():8.2f} ms  max {1000 * times.max():8.1f} ms"
            )
    print(f"all: {1000 * found.seconds.mean():.2f} ms CPU a sequence, {found.seconds.sum():.1f} s")


def _compare(bits: NDArray[np.float64], gold: NDArray[np.float64], raw: NDArray[np.float64]) -> None:
    good = gold < raw
    close = bits <= gold + 1e-4
    print(
        f"given programs {(1 + gold).sum() / raw.sum():.4f}"
        f" (or raw {(1 + np.minimum(gold, raw)).sum() / raw.sum():.4f})"
        f"  no longer {close.mean():.4f} (where given < raw {close[good].mean():.4f})"
        f"  strictly shorter {(bits < gold - 1e-4).mean():.4f}"
    )


def profile(sample: Sample, settings: SearchSettings) -> None:
    """Print what share of the time each part takes, compiled loops included in the part that calls them."""
    proposer = SearchProposer(settings)
    profiler = cProfile.Profile()
    profiler.enable()
    for values in sample.values[:100]:
        proposer.find(values)
    profiler.disable()
    spent: dict[str, float] = {}
    total = 0.0
    for (path, _, _), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        part = PARTS.get(Path(path).name, "the rest")
        spent[part] = spent.get(part, 0.0) + own
        total += own
    shares = sorted(spent.items(), key=lambda item: -item[1])
    print("where the time goes: " + ", ".join(f"{part} {share / total:.0%}" for part, share in shares))


def curve(sample: Sample, prior: str) -> None:
    """Print the rate for each budget, and how often what is found is no longer than the given programs."""
    texts = [text for text in sample.texts if text]
    given = published_bits(prior, texts) if len(texts) == len(sample.texts) else None
    for seconds in CURVE:
        found = find_all(sample, SearchSettings(seconds=seconds, prior=prior))
        rate = (1 + np.minimum(found.bits, sample.raw)).sum() / sample.raw.sum()
        share = "" if given is None else f"  no longer {(found.bits <= given + 1e-4).mean():.4f}"
        print(
            f"search.seconds {seconds:5.2f}: rate {rate:.4f}{share}"
            f"  {1000 * found.seconds.mean():7.2f} ms a sequence"
        )


def main() -> None:
    """Run the measurement that the command line asks for."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = options.add_mutually_exclusive_group(required=True)
    source.add_argument("--input", type=Path, help="JSONL of sequences, with programs or without")
    source.add_argument("--fresh", type=int, help="seed of sequences made by the published sampler")
    options.add_argument("--limit", type=int, default=300, help="sequences drawn")
    options.add_argument("--seed", type=int, default=1, help="seed of the draw")
    options.add_argument("--prior", default="uniform")
    options.add_argument("--seconds", type=float, default=SearchSettings().seconds)
    options.add_argument("--curve", action="store_true", help="the rate for several budgets too")
    options.add_argument("--no-profile", action="store_true", help="do not tell where the time goes")
    given = options.parse_args()
    sample = (
        fresh_sample(given.fresh, given.limit)
        if given.input is None
        else read_sample(given.input, given.limit, given.seed)
    )
    settings = SearchSettings(seconds=given.seconds, prior=given.prior)
    report(sample, find_all(sample, settings), given.prior)
    if not given.no_profile:
        profile(sample, settings)
    if given.curve:
        curve(sample, given.prior)


if __name__ == "__main__":
    main()
