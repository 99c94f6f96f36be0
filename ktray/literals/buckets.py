"""Hash tables of the general model: bit histories in buckets of half a byte, and runs of a following byte."""

from __future__ import annotations

from typing import Any

import numpy as np

from ktray.kernels import njit
from ktray.literals.fixed import Integer
from ktray.literals.mixing import prefetch

#: A counter of one half that was never used: 12 bits of probability, 4 of how often.
UNSEEN = 32768
BUCKET = 16  # bytes: a check, then the histories of the 15 nodes of half a byte


def aligned(size: int) -> Any:
    """`size` zero bytes that begin a cache line, so that four buckets share one."""
    raw = np.zeros(size + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size]


@njit(cache=True, _nrt=False)
def spread(context: Integer, half: Integer) -> Integer:
    """63 well-mixed bits of a context and the byte's first half (0 before it is known)."""
    return ((context + half * 0x3D4D51CB) & 0xFFFFFFFF) * 0x6B43A9B5


@njit(cache=True, _nrt=False)
def find_buckets(buckets: Any, counters: Any, mask: Integer, hashes: Any, half: Integer, places: Any) -> None:
    """Set `places` to the contexts' buckets; a new one takes the place of the least used of three
    neighbours. Each cell of a bucket has one of `counters`, where there are any.
    """
    counted = counters.shape[0] > 0
    for i in range(hashes.shape[0]):
        at = ((spread(hashes[i], half) >> 22) & mask) << 4
        prefetch(buckets, at)
        if counted:
            prefetch(counters, at)
    for i in range(hashes.shape[0]):
        mixed = spread(hashes[i], half)
        check = max((mixed >> 52) & 255, 1)
        best = np.int64(-1)
        least: Integer = 1000
        for j in range(3):
            at = (((mixed >> 22) & mask) ^ j) << 4
            found = np.int64(buckets[at])
            if found == check:
                best = at
                least = -2
                break
            use = np.int64(buckets[at + 1]) if found else -1
            if use < least:
                least = use
                best = at
        if least != -2:
            buckets[best] = check
            for j in range(1, 16):
                buckets[best + j] = 0
            if counted:
                for j in range(1, 16):
                    counters[best + j] = UNSEEN
        places[i] = best


@njit(cache=True, _nrt=False)
def find_runs(runs: Any, mask: Integer, hashes: Any, places: Any, found: Any) -> None:
    """For each context the byte that followed it last, and how often in a row."""
    for i in range(places.shape[0]):
        prefetch(runs, ((hashes[i] * 0x3C6EF35F) >> 16) & mask)
    for i in range(places.shape[0]):
        spread = (hashes[i] * 0x3C6EF35F) >> 16
        check = (spread >> 26) & 0xFFFF
        at = spread & mask
        run = np.int64(runs[at])
        if (run >> 12) != check:
            run = check << 12
            runs[at] = run
        places[i] = at
        count = (run >> 8) & 15
        found[i] = ((count << 9) | 256 | (run & 255)) if count > 0 else 0


@njit(cache=True, _nrt=False)
def learn_runs(runs: Any, places: Any, byte: Integer) -> None:
    """Note that `byte` followed each context."""
    for i in range(places.shape[0]):
        run = np.int64(runs[places[i]])
        count = (run >> 8) & 15
        if count > 0 and (run & 255) == byte:
            if count < 15:
                runs[places[i]] = run + 256
        else:
            runs[places[i]] = (run >> 12 << 12) | 256 | byte
