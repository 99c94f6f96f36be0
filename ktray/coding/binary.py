"""A range coder for adaptive models inside numba's loops: bits, uniform symbols, frequency intervals.

The coder and the model are apart: callers bring the probability, as an integer, and the encoder and the
decoder must bring the same one. All arithmetic is on int64; nothing depends on floats or on the machine.

How to use it, in a numba function or out of one::

    state, out = new_encoder(), np.empty(1024, np.uint8)
    out = reserve(state, out, 64)                  # room for 64 more calls
    encode_bit(state, out, 40000, 1)               # P(bit = 1) = 40000 / 65536
    encode_uniform(state, out, 3, 10)              # one of ten equally likely symbols
    encode_interval(state, out, 5, 2, 100)         # a symbol owning [5, 7) of 100
    payload = out[: finish(state, out)].tobytes()

    state = new_decoder(data)                      # data: uint8 array of the payload
    bit = decode_bit(state, data, 40000)
    symbol = decode_uniform(state, data, 10)
    target = decode_target(state, 100)             # in [0, 100): find the symbol that owns it
    consume_interval(state, data, 5, 2)

Invariant of the encoder: the code bytes written so far, followed by any bytes of a number in
[low, low + range), decode to the symbols so far. `low` has 40 bits and a carry bit above them; the byte on
top is held back (`cache`), with a count of 0xFF bytes after it, until no carry can reach it. Between calls
2**32 < range <= 2**40. Invariant of the decoder: `code` = (the number being read) - low, 0 <= code < range.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ktray.kernels import njit

State = NDArray[np.int64]
Bytes = NDArray[np.uint8]

#: Probabilities are out of 65536, and 1..65535.
PROBABILITY_BITS = 16
#: Largest total of a uniform symbol or an interval; a symbol then loses at most 2**-8 bits, usually far less.
MAX_TOTAL = 1 << 24
#: A call writes at most this many bytes, on average over the calls of a stream (an interval of 1 in 2**24).
BYTES_PER_CALL = 4

# Cells of a state. The encoder's: low, range, cache (-1: none yet), pending 0xFF bytes, bytes written.
_LOW, _RANGE, _CACHE, _PENDING, _WRITTEN = 0, 1, 2, 3, 4
# The decoder's: code, range (as above), the quotient of the last target, bytes read (past the end: zeros).
_CODE, _QUOTIENT, _READ = 0, 2, 4
#: So far a decoder of a sound stream may look past its end, in bytes.
READ_PAST = 8

_TOP = 1 << 40
_BOTTOM = 1 << 32
_BYTE_ON_TOP = 0xFF << 32


@njit(cache=True)
def new_encoder() -> State:
    """Return the state of an encoder that has written nothing."""
    state = np.zeros(5, np.int64)
    state[_RANGE] = _TOP
    state[_CACHE] = -1
    return state


@njit(cache=True)
def new_decoder(data: Bytes) -> State:
    """Return the state of a decoder at the start of `data` (uint8, as `finish` left it)."""
    state = np.zeros(5, np.int64)
    state[_RANGE] = _TOP
    for _ in range(5):
        state[_CODE] = (state[_CODE] << 8) | _next_byte(state, data)
    return state


@njit(cache=True)
def reserve(state: State, out: Bytes, calls: int) -> Bytes:
    """Return `out`, or a larger copy of it, with room for `calls` more calls and for `finish`."""
    needed = state[_WRITTEN] + state[_PENDING] + BYTES_PER_CALL * calls + 16
    if needed <= len(out):
        return out
    larger = np.empty(2 * needed, np.uint8)
    larger[: state[_WRITTEN]] = out[: state[_WRITTEN]]
    return larger


@njit(cache=True)
def bytes_read(state: State) -> int:
    """Return how many bytes the decoder has looked at, those past the end of its data included.

    A sound stream is read at most READ_PAST bytes past its end; more tells of a damaged one.
    """
    return int(state[_READ])


@njit(cache=True)
def _shift_low(state: State, out: Bytes) -> None:
    """Move the top byte of low out: write what no carry can reach any more."""
    low = state[_LOW]
    if low < _BYTE_ON_TOP or low >= _TOP:
        carry = low >> 40
        at = state[_WRITTEN]
        if state[_CACHE] >= 0:
            out[at] = (state[_CACHE] + carry) & 0xFF
            at += 1
        for _ in range(state[_PENDING]):
            out[at] = (0xFF + carry) & 0xFF
            at += 1
        state[_WRITTEN] = at
        state[_PENDING] = 0
        state[_CACHE] = (low >> 32) & 0xFF
    else:
        state[_PENDING] += 1
    state[_LOW] = (low & (_BOTTOM - 1)) << 8


@njit(cache=True)
def _next_byte(state: State, data: Bytes) -> int:
    at = state[_READ]
    state[_READ] = at + 1
    return int(data[at]) if at < len(data) else 0


@njit(cache=True)
def encode_bit(state: State, out: Bytes, p1: int, bit: int) -> None:
    """Encode `bit`, whose probability of being 1 is `p1` / 65536, p1 in 1..65535."""
    ones = (state[_RANGE] * p1) >> PROBABILITY_BITS
    if bit:
        state[_RANGE] = ones
    else:
        state[_LOW] += ones
        state[_RANGE] -= ones
    while state[_RANGE] <= _BOTTOM:
        state[_RANGE] <<= 8
        _shift_low(state, out)


@njit(cache=True)
def decode_bit(state: State, data: Bytes, p1: int) -> int:
    """Return the next bit, whose probability of being 1 is `p1` / 65536."""
    ones = (state[_RANGE] * p1) >> PROBABILITY_BITS
    bit = 1 if state[_CODE] < ones else 0
    if bit:
        state[_RANGE] = ones
    else:
        state[_CODE] -= ones
        state[_RANGE] -= ones
    while state[_RANGE] <= _BOTTOM:
        state[_RANGE] <<= 8
        state[_CODE] = (state[_CODE] << 8) | _next_byte(state, data)
    return bit


@njit(cache=True)
def encode_interval(state: State, out: Bytes, cum: int, freq: int, total: int) -> None:
    """Encode the symbol that owns [cum, cum + freq) of `total` (freq >= 1, total at most 2**24)."""
    quotient = state[_RANGE] // total
    state[_LOW] += quotient * cum
    state[_RANGE] = quotient * freq
    while state[_RANGE] <= _BOTTOM:
        state[_RANGE] <<= 8
        _shift_low(state, out)


@njit(cache=True)
def decode_target(state: State, total: int) -> int:
    """Return a number in [0, total) inside the next symbol's interval; `consume_interval` must follow."""
    state[_QUOTIENT] = state[_RANGE] // total
    return min(int(state[_CODE] // state[_QUOTIENT]), total - 1)


@njit(cache=True)
def consume_interval(state: State, data: Bytes, cum: int, freq: int) -> None:
    """Move past the symbol found by `decode_target`, which owns [cum, cum + freq)."""
    state[_RANGE] = state[_QUOTIENT] * freq
    # Bytes that no encoder wrote may lie beyond the last interval.
    state[_CODE] = min(state[_CODE] - state[_QUOTIENT] * cum, state[_RANGE] - 1)
    while state[_RANGE] <= _BOTTOM:
        state[_RANGE] <<= 8
        state[_CODE] = (state[_CODE] << 8) | _next_byte(state, data)


@njit(cache=True)
def encode_uniform(state: State, out: Bytes, symbol: int, total: int) -> None:
    """Encode one of `total` equally likely symbols (total at most 2**24)."""
    encode_interval(state, out, symbol, 1, total)


@njit(cache=True)
def decode_uniform(state: State, data: Bytes, total: int) -> int:
    """Return the next of `total` equally likely symbols."""
    symbol = int(decode_target(state, total))
    consume_interval(state, data, symbol, 1)
    return symbol


@njit(cache=True)
def encode_raw(state: State, out: Bytes, value: int, bits: int) -> None:
    """Encode the low `bits` (0..63) of `value`, each costing one bit."""
    while bits > 0:
        take = min(bits, 16)
        bits -= take
        encode_interval(state, out, (value >> bits) & ((1 << take) - 1), 1, 1 << take)


@njit(cache=True)
def decode_raw(state: State, data: Bytes, bits: int) -> int:
    """Return the next number of `bits` bits (0..63)."""
    value = 0
    while bits > 0:
        take = min(bits, 16)
        bits -= take
        value = (value << take) | decode_uniform(state, data, 1 << take)
    return value


@njit(cache=True)
def finish(state: State, out: Bytes) -> int:
    """Write the fewest bytes that settle the stream and return its length; the encoder is then spent.

    The decoder reads zeros past the end, so trailing zero bytes are left off.
    """
    low = int(state[_LOW])
    high = low + int(state[_RANGE])
    kept = 0
    value = _TOP
    while kept <= 5:
        grain = 1 << (40 - 8 * kept)
        value = (low + grain - 1) // grain * grain
        if value < high:
            break
        kept += 1
    state[_LOW] = value
    for _ in range(kept + 1):
        _shift_low(state, out)
    length = int(state[_WRITTEN])
    while length > 0 and out[length - 1] == 0:
        length -= 1
    return length


def bit_cost(p1: int, bit: int) -> float:
    """Return the bits that `bit` costs under `p1` / 65536, for ledgers."""
    return PROBABILITY_BITS - math.log2(p1 if bit else (1 << PROBABILITY_BITS) - p1)
