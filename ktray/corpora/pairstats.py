"""Statistics of a set of program-sequence pairs: lengths, operations, how well it compresses (Fig. 7, 8)."""

from __future__ import annotations

import gzip
import lzma
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from ktray.dsl.parser import parse
from ktray.ports import Entry
from ktray.priors import PRIORS, make_prior
from ktray.programs import Language, Program

#: Pairs that rates are measured on: about 1 MB of the published distribution, as in the paper.
RATED_PAIRS = 13_406


@dataclass(frozen=True, slots=True)
class PairStats:
    """What is known of a set; histograms count pairs by length in elements and by lines of calls and output.

    Rates are compressed bits over 8 bits an element, of the first `rated` pairs: `gzip` -9 and `xz` -9e of
    the joined sequences, `paper` (1 + published bits) and `archive` (coded block) by prior.
    """

    pairs: int
    elements: int
    lengths: dict[int, int]
    lines: dict[int, int]
    operations: dict[str, int]
    rated: int
    gzip: float
    xz: float
    paper: dict[str, float]
    archive: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the statistics as JSON data, with means and standard deviations beside the histograms."""
        total = sum(self.operations.values())
        return {
            "pairs": self.pairs,
            "elements": self.elements,
            "length": _moments(self.lengths),
            "lines": _moments(self.lines),
            "operations": {op: n / total for op, n in sorted(self.operations.items(), key=lambda x: -x[1])},
            "rates": {
                "pairs": self.rated,
                "gzip": self.gzip,
                "xz": self.xz,
                "paper": self.paper,
                "archive": self.archive,
            },
            "length_histogram": {str(k): n for k, n in sorted(self.lengths.items())},
            "lines_histogram": {str(k): n for k, n in sorted(self.lines.items())},
        }


def _moments(histogram: dict[int, int]) -> dict[str, float]:
    values = np.array(list(histogram), np.float64)
    weights = np.array(list(histogram.values()), np.float64)
    mean = float(np.average(values, weights=weights))
    return {"mean": mean, "sd": float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))}


def pair_stats(pairs: Iterable[tuple[bytes, str]], rated: int = RATED_PAIRS) -> PairStats:
    """Return the statistics of pairs of sequence and program text; at least one pair is needed."""
    stream = iter(pairs)
    front = list(islice(stream, rated))
    if not front:
        raise ValueError("statistics need at least one pair")
    lengths: Counter[int] = Counter()
    lines: Counter[int] = Counter()
    operations: Counter[str] = Counter()
    for part in (front, stream):
        for values, text in part:
            program = parse(text)
            lengths[len(values)] += 1
            lines[len(program.lines) + 1] += 1
            operations.update(call.op for call in program.lines)
    joined = b"".join(values for values, _ in front)
    paper, archive = _rates(front, len(joined))
    return PairStats(
        pairs=lengths.total(),
        elements=sum(length * n for length, n in lengths.items()),
        lengths=dict(lengths),
        lines=dict(lines),
        operations=dict(operations),
        rated=len(front),
        gzip=len(gzip.compress(joined, 9, mtime=0)) / max(1, len(joined)),
        xz=len(lzma.compress(joined, preset=9 | lzma.PRESET_EXTREME)) / max(1, len(joined)),
        paper=paper,
        archive=archive,
    )


def _rates(front: Sequence[tuple[bytes, str]], elements: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the gold programs' rates under every prior: the paper's, and a coded block's."""
    programs = [Program(Language.DSL, text) for _, text in front]
    entries = [
        Entry(np.frombuffer(values, np.uint8), program)
        for (values, _), program in zip(front, programs, strict=True)
    ]
    bits = 8 * max(1, elements)
    lengths = np.array([len(values) for values, _ in front], np.int64)
    priors = {name: make_prior(name) for name in PRIORS}
    paper = {name: float((1 + prior.published_bits(programs)).sum()) / bits for name, prior in priors.items()}
    archive = {name: 8 * len(prior.encode(entries, lengths).payload) / bits for name, prior in priors.items()}
    return paper, archive
