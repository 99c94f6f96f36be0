"""What a model knows before a block begins: the shipped counts, learned offline, or none.

The counts are part of the format: a block tells the digest of those it began with.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ktray.priors.adaptive.model import BLANK_COUNTER, COUNT_BITS, SLOTS, blank_weights

#: The shipped file, beside the priors.
SHIPPED = "adaptive.npz"
SHIPPED_COUNTS = resources.files("ktray.priors") / "data" / SHIPPED

#: Shipped probabilities keep 10 of their 22 bits, so that none is extreme; what was seen is coarse and capped, so
#: that a block soon learns the habits of other programs. Counters that have seen less than the least are left out.
_KEPT_BITS = 10
_LEVELS = np.array([0, 6, 12, 20, 30], dtype=np.int32)
_WEIGHT_STEP = 64


@dataclass(frozen=True, slots=True)
class Counts:
    """`counters` (SLOTS,) and `weights` (MIXERS, INPUTS) of a model, int32."""

    counters: NDArray[np.int32]
    weights: NDArray[np.int32]

    def digest(self) -> int:
        """Return 16 bits that tell these counts from others."""
        return zlib.crc32(self.counters.tobytes() + self.weights.tobytes()) & 0xFFFF


def blank_counts() -> Counts:
    """Return the counts of a model that has learned nothing."""
    return Counts(np.full(SLOTS, BLANK_COUNTER, dtype=np.int32), blank_weights())


def save_counts(counts: Counts, path: Path) -> None:
    """Write what `path` ships of the counts: coarse, and only where something was learned."""
    seen = counts.counters & ((1 << COUNT_BITS) - 1)
    level = (np.searchsorted(_LEVELS, seen, side="right") - 1).astype(np.uint8)
    used = level > 0
    chance = counts.counters[used] >> (22 - _KEPT_BITS + COUNT_BITS)
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        used=np.packbits(used),
        low=(chance & 0xFF).astype(np.uint8),
        high=(chance >> 8).astype(np.uint8),
        level=level[used],
        weights=counts.weights // _WEIGHT_STEP,
    )
    path.write_bytes(packed.getvalue())


def load_counts(path: Path | None = None) -> Counts:
    """Return the counts of the file at `path`, or the shipped ones."""
    data = SHIPPED_COUNTS.read_bytes() if path is None else path.read_bytes()
    counts = blank_counts()
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        used = np.unpackbits(file["used"], count=SLOTS).astype(bool)
        chance = file["low"].astype(np.int32) | file["high"].astype(np.int32) << 8
        middle = (2 * chance + 1) << (21 - _KEPT_BITS)
        counts.counters[used] = middle << COUNT_BITS | _LEVELS[file["level"]]
        counts.weights[:] = file["weights"] * _WEIGHT_STEP
    return counts


@cache
def shipped_counts() -> Counts:
    """Return the counts that blocks start from."""
    return load_counts() if SHIPPED_COUNTS.is_file() else blank_counts()
