"""The paper ledger: the published metrics, bit for bit (paper section 4, "Metrics"; Alg. 1).

A `PaperTally` is a sum over sequences: tallies of parts add up to the tally of the whole, whatever the
order. The archive ledger is not here: it is what `ktray.archive` reads off the disk.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ktray.programs import EXECUTABLE, Outcome
from ktray.sequences import Values

_GZIP_LEVEL = 9


def gzip_bits(data: bytes) -> int:
    """Return the length in bits of `data` as a gzip file at level 9 without name or time."""
    return 8 * len(gzip.compress(data, _GZIP_LEVEL, mtime=0))


class JoinedGzip:
    """The gzip length of many pieces joined by a separator, fed one at a time in bounded memory."""

    def __init__(self, separator: bytes) -> None:
        self._deflate = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 31)
        self._separator = separator
        self._bytes = 0
        self._pieces = 0

    def add(self, piece: bytes) -> None:
        """Append one piece."""
        if self._pieces:
            self._bytes += len(self._deflate.compress(self._separator))
        self._bytes += len(self._deflate.compress(piece))
        self._pieces += 1

    def bits(self) -> int:
        """Return the length in bits of all pieces; the stream is then finished."""
        self._bytes += len(self._deflate.flush())
        return 8 * self._bytes


def precision_joint(solutions: Iterable[tuple[str, bytes]]) -> float | None:
    """Return gzip(programs joined by newlines) / gzip(their sequences joined) over pairs of correct program
    and sequence, in bounded memory; None without any."""
    programs, sequences, solved = JoinedGzip(b"\n"), JoinedGzip(b""), 0
    for program, sequence in solutions:
        programs.add(program.encode())
        sequences.add(sequence)
        solved += 1
    return programs.bits() / sequences.bits() if solved else None


@dataclass(frozen=True, slots=True)
class PaperTally:
    """Sums over sequences from which every published metric follows.

    `bits_y` sums 1 + bits(y) where y is the correct program or, failing that, x raw; `bits_min` lets y
    be the cheaper of the two; `rates` and `rated` give the mean over sequences (empty ones have no
    rate); `precision` sums bits(program) / gzip_bits(x) over the correct ones; `candidates`,
    `executable` and `correct` count candidates.
    """

    sequences: int = 0
    solved: int = 0
    input_bits: int = 0
    bits_y: float = 0.0
    bits_min: float = 0.0
    rates: float = 0.0
    rated: int = 0
    precision: float = 0.0
    candidates: int = 0
    executable: int = 0
    correct: int = 0

    def __add__(self, other: PaperTally) -> PaperTally:
        return PaperTally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def tally_sequences(
    lengths: NDArray[np.int64],
    solved_bits: NDArray[np.float64],
    element_bits: int,
    gzip_lengths: NDArray[np.float64],
) -> PaperTally:
    """Return the tally of a run of sequences.

    `lengths` are in elements; `solved_bits[i]` is the published length of sequence i's shortest correct
    program, NaN where it has none; `gzip_lengths[i]` is gzip_bits(x_i), read only where solved.
    """
    raw = lengths.astype(np.float64) * element_bits
    solved = ~np.isnan(solved_bits)
    y = np.where(solved, solved_bits, raw)
    cheaper = np.fmin(y, raw)
    rated = raw > 0
    return PaperTally(
        sequences=len(lengths),
        solved=int(solved.sum()),
        input_bits=int(lengths.sum()) * element_bits,
        bits_y=float((1 + y).sum()),
        bits_min=float((1 + cheaper).sum()),
        rates=float(((1 + y[rated]) / raw[rated]).sum()),
        rated=int(rated.sum()),
        precision=float((solved_bits[solved] / gzip_lengths[solved]).sum()),
    )


def tally_outcomes(outcomes: Iterable[Outcome]) -> PaperTally:
    """Return the tally of candidates' outcomes."""
    seen = list(outcomes)
    return PaperTally(
        candidates=len(seen),
        executable=sum(outcome in EXECUTABLE for outcome in seen),
        correct=sum(outcome is Outcome.CORRECT for outcome in seen),
    )


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


def paper_metrics(tally: PaperTally, precision_joint: float | None) -> dict[str, float | None]:
    """Return the published metrics by name; None where one is not defined (no candidate, no input).

    Accuracy is over sequences; executable and executable_accuracy are over candidates.
    """
    return {
        "accuracy": _ratio(tally.solved, tally.sequences),
        "executable": _ratio(tally.executable, tally.candidates),
        "executable_accuracy": _ratio(tally.correct, tally.executable),
        "compression_rate": _ratio(tally.bits_y, tally.input_bits),
        "compression_rate_mean": _ratio(tally.rates, tally.rated),
        "compression_rate_min": _ratio(tally.bits_min, tally.input_bits),
        "precision": _ratio(tally.precision, tally.solved),
        "precision_joint": precision_joint,
    }


def gzip_backoff_rate(tally: PaperTally, unsolved: Sequence[Values], element_bits: int) -> float | None:
    """Return the CompressionRate in which all unsolved sequences are gzipped jointly (newlines between
    them), as the published evaluation of SeqCoder does, instead of each being stored raw."""
    joint = JoinedGzip(b"\n")
    for values in unsolved:
        joint.add(values.tobytes())
    raw = sum(len(values) for values in unsolved) * element_bits
    return _ratio(tally.bits_y - raw + (joint.bits() if unsolved else 0), tally.input_bits)
