"""Percentile intervals by resampling items. Seeded, so the same items and seed give the same interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ktray.errors import InputError

#: Resamples whose item counts are held at once (bounds memory to about this many x items integers).
BATCH = 64


class StudyError(InputError):
    """Samples that a study cannot be computed from, or an impossible k."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided percentile interval in the estimate's own unit."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are made: number of resamples, confidence in (0, 1), seed."""

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise StudyError(f"{self.resamples} bootstrap resamples; give at least 1 (1000 is usual)")
        if self.seed < 0:
            raise StudyError(f"seed {self.seed} of the bootstrap; give 0 or more")
        if not 0 < self.confidence < 1:
            raise StudyError(f"confidence {self.confidence} is not between 0 and 1; give 0.95, say")


def ratio_intervals(
    numerators: NDArray[np.float64],
    denominators: NDArray[np.float64],
    multiplicity: NDArray[np.int64],
    bootstrap: Bootstrap,
) -> list[Interval]:
    """Return one interval a column for sum(numerators) / sum(denominators) over resampled items.

    `numerators` has shape (cells, columns), `denominators` and `multiplicity` shape (cells,): a cell
    stands for `multiplicity` identical items. Items drawn with replacement fall into cells by a
    multinomial law, so identical items need not be held apart and the result is the items' own.
    """
    items = int(multiplicity.sum())
    shares = multiplicity / items
    rng = np.random.Generator(np.random.PCG64(bootstrap.seed))
    draws = []
    for start in range(0, bootstrap.resamples, BATCH):
        counts = rng.multinomial(items, shares, size=min(BATCH, bootstrap.resamples - start))
        draws.append((counts @ numerators) / (counts @ denominators)[:, None])
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.quantile(np.concatenate(draws), [tail, 1 - tail], axis=0)
    return [Interval(float(a), float(b)) for a, b in zip(low, high, strict=True)]
