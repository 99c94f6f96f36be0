"""Adaptive code for what each entry of a block is (a small symbol) and for lengths that nothing else tells.

Counts are integers and learn as they code, so a kind that hardly occurs costs hardly anything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ktray.coding.binary import (
    decode_bit,
    encode_bit,
    finish,
    new_decoder,
    new_encoder,
    reserve,
)
from ktray.kernels import njit

Ints = NDArray[np.int64]

#: Rows of the model: two decisions in 9 contexts (the last two flags), then a length's width and top bits.
_FLAG_ROWS = 2 * 9
_WIDTH_ROWS = 64
_MANTISSA_ROWS = 64 * 8
_ROWS = _FLAG_ROWS + _WIDTH_ROWS + _MANTISSA_ROWS

_EXTRA = 6  # bits of probability kept beyond the coder's 16
_LIMIT = 1023  # a count learns as if it had seen at most this many bits


@njit(cache=True)
def _new_model() -> Ints:
    """Return fresh counts: probability of a one bit (22 bits), bits seen."""
    model = np.zeros((_ROWS, 2), np.int64)
    model[:, 0] = 1 << (15 + _EXTRA)
    return model


@njit(cache=True)
def _p1(model: Ints, row: int) -> int:
    return min(65535, max(1, int(model[row, 0] >> _EXTRA)))


@njit(cache=True)
def _learn(model: Ints, row: int, bit: int) -> None:
    target = ((1 << (16 + _EXTRA)) - 1) * bit
    model[row, 0] += (target - model[row, 0]) * 2 // (2 * model[row, 1] + 3)
    model[row, 1] = min(_LIMIT, model[row, 1] + 1)


@njit(cache=True)
def _put(state: Ints, out: NDArray[np.uint8], model: Ints, row: int, bit: int) -> None:
    encode_bit(state, out, _p1(model, row), bit)
    _learn(model, row, bit)


@njit(cache=True)
def _take(state: Ints, data: NDArray[np.uint8], model: Ints, row: int) -> int:
    bit = int(decode_bit(state, data, _p1(model, row)))
    _learn(model, row, bit)
    return bit


@njit(cache=True)
def _mantissa_row(width: int, at: int, prefix: int) -> int:
    """Return the row of a length's bit below its top one: the first two are modelled, the others are even."""
    if at >= 2:
        return -1
    return _FLAG_ROWS + _WIDTH_ROWS + width * 8 + (1 << at) + (prefix & ((1 << at) - 1))


@njit(cache=True)
def _put_length(state: Ints, out: NDArray[np.uint8], model: Ints, length: int) -> None:
    width = 0
    while length >> width:
        width += 1
    node = 1
    for shift in range(5, -1, -1):
        bit = (width >> shift) & 1
        _put(state, out, model, _FLAG_ROWS + node, bit)
        node = 2 * node + bit
    for at in range(width - 1):
        bit = (length >> (width - 2 - at)) & 1
        row = _mantissa_row(width, at, length >> (width - 1 - at))
        if row >= 0:
            _put(state, out, model, row, bit)
        else:
            encode_bit(state, out, 1 << 15, bit)


@njit(cache=True)
def _take_length(state: Ints, data: NDArray[np.uint8], model: Ints) -> int:
    node = 1
    for _ in range(6):
        node = 2 * node + _take(state, data, model, _FLAG_ROWS + node)
    width = node - 64
    length = 1 if width else 0
    for at in range(width - 1):
        row = _mantissa_row(width, at, length)
        bit = _take(state, data, model, row) if row >= 0 else int(decode_bit(state, data, 1 << 15))
        length = 2 * length + bit
    return length


@njit(cache=True)
def _encode(flags: NDArray[np.uint8], lengths: Ints, coded: bool) -> NDArray[np.uint8]:
    state, model, out = new_encoder(), _new_model(), np.empty(256, np.uint8)
    context = 0
    for i in range(len(flags)):
        out = reserve(state, out, 80)
        flag = int(flags[i])
        _put(state, out, model, context, min(flag, 1))
        if flag:
            _put(state, out, model, 9 + context, flag - 1)
        elif coded:
            _put_length(state, out, model, lengths[i])
        context = context % 3 * 3 + flag
    return out[: finish(state, out)].copy()


@njit(cache=True)
def _decode(data: NDArray[np.uint8], n: int, coded: bool) -> tuple[NDArray[np.uint8], Ints]:
    state, model = new_decoder(data), _new_model()
    flags, lengths = np.zeros(n, np.uint8), np.zeros(n, np.int64)
    context = 0
    for i in range(n):
        flag = _take(state, data, model, context)
        if flag:
            flag += _take(state, data, model, 9 + context)
        elif coded:
            lengths[i] = _take_length(state, data, model)
        flags[i] = flag
        context = context % 3 * 3 + flag
    return flags, lengths


def encode_flags(flags: NDArray[np.uint8], lengths: Ints | None) -> bytes:
    """Return the code of `flags` (0..2, shape (n,)) and, where given, of `lengths` of entries flagged 0."""
    return bytes(_encode(flags, np.zeros(0, np.int64) if lengths is None else lengths, lengths is not None))


def decode_flags(data: bytes, n: int, coded_lengths: bool) -> tuple[NDArray[np.uint8], Ints]:
    """Return flags and lengths (0 where not coded), shape (n,) each; mirror of `encode_flags`."""
    flags, lengths = _decode(np.frombuffer(data, np.uint8), n, coded_lengths)
    return flags, lengths
