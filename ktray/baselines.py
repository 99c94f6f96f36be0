"""Baselines: the paper's GZIP and REPEAT, honestly and by its recipe (section B.1, Tab. 6), and `ktray.peers`.

The published recipe inflates: a byte of 128 or more becomes two bytes of UTF-8 before gzip, and for short
chunks the size of gzip's empty file (20 bytes) is subtracted.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ktray.ledger import gzip_bits
from ktray.peers import PEERS, peer
from ktray.sequences import Values

#: What can be measured as a baseline; `lmic` asks a language model (`ktray.samplers.lmic`).
BASELINES = ("repeat", "lmic", *PEERS)
_EMPTY_GZIP_BITS = 8 * len(gzip.compress(b"", 9, mtime=0))


@dataclass(frozen=True, slots=True)
class BaselineRate:
    """CompressionRate of a baseline over `n` sequences: of the sums, and the mean over sequences."""

    n: int
    input_bits: int
    compression_rate: float | None
    compression_rate_mean: float | None


def published_text(values: bytes) -> bytes:
    """Return bytes as the published baseline hands them to gzip: as the UTF-8 of code points 0..255."""
    return values.decode("latin-1").encode("utf-8")


def gzip_length(values: bytes, *, published: bool, whole: bool) -> int:
    """Return the bits of one sequence under the GZIP baseline."""
    if not published:
        return gzip_bits(values)
    bits = gzip_bits(published_text(values))
    return bits if whole else bits - _EMPTY_GZIP_BITS


def baseline_rate(
    name: str, sequences: Iterable[Values], element_bits: int, *, published: bool, whole: bool
) -> BaselineRate:
    """Return the rate of `name` ("repeat" or a peer's) over sequences of `element_bits` bits an element.

    REPEAT pays the flag bit of CompressionRate; the GZIP columns of Tab. 6 do not, nor do the other peers.
    Raises ConfigError for a peer that is not installed.
    """
    length = _lengths(name, published=published, whole=whole)

    def coded() -> Iterator[tuple[int, float]]:
        for values in sequences:
            raw = len(values) * element_bits
            yield raw, 1 + raw if length is None else length(values.tobytes())

    return rate_of(coded())


def rate_of(coded: Iterable[tuple[int, float]]) -> BaselineRate:
    """Return the rate over sequences, each given as its raw bits and its coded bits."""
    n, input_bits, spent, rates, rated = 0, 0, 0.0, 0.0, 0
    for raw, bits in coded:
        n, input_bits, spent = n + 1, input_bits + raw, spent + bits
        if raw:
            rates, rated = rates + bits / raw, rated + 1
    rate = spent / input_bits if input_bits else None
    return BaselineRate(n, input_bits, rate, rates / rated if rated else None)


def _lengths(name: str, *, published: bool, whole: bool) -> Callable[[bytes], int] | None:
    """Return what gives the bits of a sequence's bytes; None for REPEAT."""
    if name == "repeat":
        return None
    if name == "gzip":
        return lambda values: gzip_length(values, published=published, whole=whole)
    compress = peer(name).compress
    return lambda values: 8 * len(compress(values))
