"""Blocks without programs: all their elements as one stretch of bytes, by the literal model that suits them.

Where no program pays, a model made for the modality (nucleotides, samples of sound, records) beats coding
sequence by sequence. Payload: the lengths where the layout does not tell them (32 bits each, deflated), then
what `ktray.literals.encode_bytes` gives.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ktray.errors import ArchiveError
from ktray.literals import decode_bytes, encode_bytes
from ktray.ports import CodedBlock, Entry
from ktray.sequences import Values

_SIZE = np.dtype("<u4")
_MAX_ELEMENTS = 1 << 28


def encode_whole(entries: Sequence[Entry], lengths: NDArray[np.int64] | None, preset: str) -> CodedBlock:
    """Return the block with every entry as a literal. `preset` is one of `ktray.literals.PRESETS`."""
    values = joined(entries)
    head = b"" if lengths is not None else _pack_lengths([len(entry.values) for entry in entries])
    payload = head + encode_bytes(values, preset)
    bits = 8.0 * len(payload)
    return CodedBlock(payload, 0.0, bits, 0.0, np.zeros(len(entries), np.bool_))


def decode_whole(payload: bytes, n: int, lengths: NDArray[np.int64] | None) -> list[Entry]:
    """Return the block's n entries; mirror of `encode_whole`. Raises ArchiveError on a damaged payload."""
    if lengths is None:
        lengths, size = _unpack_lengths(payload, n)
        payload = payload[size:]
    total = int(lengths.sum())
    if len(lengths) != n or not 0 <= total <= _MAX_ELEMENTS or (n and int(lengths.min()) < 0):
        raise ArchiveError(f"damaged: {len(lengths)} lengths of {total} elements for {n} entries of a block")
    values = decode_bytes(payload, total)
    return [Entry(piece) for piece in np.split(values, np.cumsum(lengths)[:-1])] if n else []


def joined(entries: Sequence[Entry]) -> Values:
    """Return the elements of all entries, one after another."""
    return np.concatenate([entry.values for entry in entries]) if entries else np.zeros(0, np.uint8)


def _pack_lengths(lengths: Sequence[int]) -> bytes:
    packed = zlib.compress(np.array(lengths, _SIZE).tobytes(), 9)
    return np.array([len(packed)], _SIZE).tobytes() + packed


def _unpack_lengths(payload: bytes, n: int) -> tuple[NDArray[np.int64], int]:
    size = int.from_bytes(payload[: _SIZE.itemsize], "little")
    end = _SIZE.itemsize + size
    if len(payload) < end:
        raise ArchiveError("damaged: a block of prior `adaptive` ends within its lengths")
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(payload[_SIZE.itemsize : end], _SIZE.itemsize * n + 1)
    except zlib.error as error:
        raise ArchiveError(f"damaged: lengths of a block do not inflate ({error})") from None
    if len(raw) != _SIZE.itemsize * n:
        raise ArchiveError(
            f"damaged: a block tells lengths of {len(raw) // _SIZE.itemsize} of its {n} entries"
        )
    return np.frombuffer(raw, _SIZE).astype(np.int64), end
