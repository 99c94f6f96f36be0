"""Samples against what is known of their sequences: accuracy by gold program's lines, longest right prefixes.

Source: the paper's Fig. 6 and Fig. 11a.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ktray.errors import CorpusError
from ktray.programs import Outcome
from ktray.proposers.replay import read_lines, sequence_values
from ktray.studies.logs import SampleSeries


@dataclass(frozen=True, slots=True)
class Share:
    """Right samples of those in a group of sequences: `sequences` of them, `samples` in all."""

    sequences: int
    samples: int
    correct: int

    @property
    def accuracy(self) -> float:
        """The share of samples that are right."""
        return self.correct / max(1, self.samples)


def read_gold_lines(path: Path) -> dict[bytes, int]:
    """Return the lines (calls and output) of each sequence's gold program, from JSONL of pairs.

    Raises CorpusError for a line without a program.
    """
    found: dict[bytes, int] = {}
    for number, row in read_lines(path):
        program = row.get("program")
        if not isinstance(program, str):
            raise CorpusError(f"{path} line {number} has no program; expected pairs of sequence and program")
        values = sequence_values(row, f"{path} line {number}").tobytes()
        found[values] = program.count("\n") + 1
    return found


def by_gold_lines(series: SampleSeries, gold: Mapping[bytes, int]) -> dict[int, Share]:
    """Return the accuracy of the sequences whose gold program has so many lines; others are left out."""
    groups: dict[int, Share] = {}
    for key, samples in series.samples.items():
        lines = gold.get(series.targets[key].tobytes())
        if lines is not None:
            old = groups.get(lines, Share(0, 0, 0))
            right = sum(s.outcome is Outcome.CORRECT for s in samples)
            groups[lines] = Share(old.sequences + 1, old.samples + len(samples), old.correct + right)
    return dict(sorted(groups.items()))


def prefix_shares(series: SampleSeries, edges: tuple[int, ...] = (16, 32, 64, 128)) -> dict[int, float]:
    """Return for each length the share of samples whose output is right up to there, or to its end."""
    prefixes = [
        len(series.targets[key]) if s.outcome is Outcome.CORRECT else s.correct_prefix
        for key, samples in series.samples.items()
        for s in samples
    ]
    lengths = [len(series.targets[key]) for key, samples in series.samples.items() for _ in samples]
    reached = np.array(prefixes)[None, :] >= np.minimum(np.array(edges)[:, None], np.array(lengths)[None, :])
    return dict(zip(edges, reached.mean(axis=1).tolist(), strict=True))
