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

from ktray.priors.adaptive.model import MIXERS, SLOTS, blank_weights

#: The shipped file, beside the priors.
SHIPPED = "adaptive.npz"
_RESOURCE = resources.files("ktray.priors") / "data" / SHIPPED

#: Shipped probabilities keep 12 of their 22 bits; what was seen is capped, so that a block can still learn.
_KEPT_BITS = 12
SEEN_CAP = 250


@dataclass(frozen=True, slots=True)
class Counts:
    """`chance` (SLOTS,) int32 in 22 bits, `seen` (SLOTS,) int16, `weights` (MIXERS, INPUTS) int32."""

    chance: NDArray[np.int32]
    seen: NDArray[np.int16]
    weights: NDArray[np.int32]

    def digest(self) -> int:
        """Return 16 bits that tell these counts from others."""
        return (
            zlib.crc32(b"".join(array.tobytes() for array in (self.chance, self.seen, self.weights))) & 0xFFFF
        )


def blank_counts() -> Counts:
    """Return the counts of a model that has learned nothing."""
    return Counts(np.full(SLOTS, 1 << 21, np.int32), np.zeros(SLOTS, np.int16), blank_weights())


def _level(seen: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return the place of each count on a coarse scale; 0 is never seen."""
    return np.searchsorted(_LEVELS, np.minimum(seen, SEEN_CAP), side="right").astype(np.uint8) - 1


_LEVELS = np.array([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 180, SEEN_CAP], dtype=np.int16)


def save_counts(counts: Counts, path: Path) -> None:
    """Write the counts that `path` ships: coarse, and only of slots that were ever used."""
    level = _level(counts.seen)
    used = np.flatnonzero(level)
    shift = 22 - _KEPT_BITS
    chance = (counts.chance[used] >> shift).astype(np.uint16)
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        used=np.packbits(level > 0),
        chance=np.stack([chance & 0xFF, chance >> 8]).astype(np.uint8),
        level=level[used],
        weights=(counts.weights // 16).astype(np.int32),
    )
    path.write_bytes(packed.getvalue())


def load_counts(path: Path | None = None) -> Counts:
    """Return the counts of the file at `path`, or the shipped ones."""
    data = _RESOURCE.read_bytes() if path is None else path.read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        used = np.unpackbits(file["used"], count=SLOTS).astype(bool)
        low, high = file["chance"].astype(np.int32)
        counts = blank_counts()
        half = 1 << (21 - _KEPT_BITS)
        counts.chance[used] = ((low | high << 8) << (22 - _KEPT_BITS)) + half
        counts.seen[used] = _LEVELS[file["level"]]
        counts.weights[:] = (file["weights"] * 16).reshape(MIXERS, -1)
    return counts


@cache
def shipped_counts() -> Counts:
    """Return the counts that blocks start from."""
    return load_counts() if _RESOURCE.is_file() else blank_counts()
