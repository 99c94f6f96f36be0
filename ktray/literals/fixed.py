"""Integer tables of the literal models: logistic function and its inverse, costs, reciprocals, bit histories.

All are built with integer arithmetic alone, so every machine has the same ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ktray.kernels import njit

#: An int64 within compiled code, a Python or numpy integer in interpreted code.
Integer = Any

#: Logits are fixed point with 8 fractional bits; `SQUASH` covers -LOGIT_LIMIT..LOGIT_LIMIT.
LOGIT_LIMIT = 2815
#: Mixer inputs stay within +-INPUT_LIMIT.
INPUT_LIMIT = 2047

_ONE = 1 << 96


def exp_fixed(numerator: int, denominator: int) -> int:
    """exp(numerator / denominator) for a non-negative ratio, with 96 fractional bits."""
    term = total = _ONE
    for k in range(1, 200):
        term = term * numerator // (denominator * k)
        total += term
        if term == 0:
            break
    return total


def _squash_table() -> NDArray[np.int32]:
    """p(x) = 65536 / (1 + exp(-x / 256)), rounded and kept in 1..65535."""
    step = exp_fixed(1, 256)
    half, e = [], _ONE  # e = exp(x / 256)
    for _ in range(LOGIT_LIMIT + 1):
        half.append(min(65535, ((65536 * e) // (e + _ONE) + 0)))
        e = e * step // _ONE
    table = [65536 - p for p in reversed(half[1:])] + half
    return np.array([min(65535, max(1, p)) for p in table], dtype=np.int32)


def _stretch_table(squash: NDArray[np.int32]) -> NDArray[np.int32]:
    """The logit of each 12-bit probability (p16 >> 4), within +-INPUT_LIMIT."""
    logits = np.searchsorted(squash, np.arange(4096) * 16 + 8) - LOGIT_LIMIT
    return np.clip(logits, -INPUT_LIMIT, INPUT_LIMIT).astype(np.int32)


def _log2_fixed(n: int) -> int:
    """log2(n) in 1/65536 bits, rounded down, for n in 1..65536."""
    exponent = n.bit_length() - 1
    x, bits = n << (63 - exponent), exponent
    for _ in range(16):  # squaring brings out the fraction's binary digits one by one
        x = (x * x) >> 63
        bits <<= 1
        if x >> 64:
            bits |= 1
            x >>= 1
    return bits


def _cost_table() -> NDArray[np.int32]:
    """-log2(i / 4096) in 1/65536 bits for i in 1..4096 (the first cell repeats the second)."""
    return np.array([(12 << 16) - _log2_fixed(max(1, i)) for i in range(4097)], dtype=np.int32)


SQUASH = _squash_table()
STRETCH = _stretch_table(SQUASH)
COST = _cost_table()
#: 65536 / (n + 1.5): the learning rate of a counter that has seen n bits.
RECIPROCAL = np.array([(65536 * 2) // (2 * n + 3) for n in range(1024)], dtype=np.int32)

# -- bit histories ---------------------------------------------------------------------------------------
# A state is the exact history while it is at most 4 bits long, then (zeros, ones, last bit) with bounded
# counts: many of one kind only where there are few of the other.
_MOST = {0: 30, 1: 19, 2: 12, 3: 8, 4: 7, 5: 6}
_State = tuple[int, int, int, int]  # zeros, ones, kind (0 exact, 1 counts), the history or the last bit


def _allowed(zeros: int, ones: int) -> bool:
    return max(zeros, ones) <= _MOST.get(min(zeros, ones), -1)


def _next(state: _State, bit: int) -> _State:
    """The history after one more bit: the other kind's count fades, the pair stays within bounds."""
    zeros, ones, kind, memory = state
    if kind == 0 and zeros + ones < 4:
        return (zeros + 1 - bit, ones + bit, 0, (memory << 1 | bit) & 15)
    same, other = (ones, zeros) if bit else (zeros, ones)
    other = min(other, 5 if other < 7 else (6 if other < 12 else 7))
    same += 1
    while not _allowed(same, other):
        if other >= 3 and same <= 6:
            other -= 1
        else:
            same -= 1
    return (other, same, 1, bit) if bit else (same, other, 1, bit)


def _state_tables() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Transitions (256, 2) and counts (256, 2); numbered by total count, 0 is the empty history."""
    seen, queue = {(0, 0, 0, 0)}, [(0, 0, 0, 0)]
    while queue:
        state = queue.pop()
        for bit in (0, 1):
            after = _next(state, bit)
            if after not in seen:
                seen.add(after)
                queue.append(after)
    order = sorted(seen, key=lambda s: (s[0] + s[1], s[2], s[0], s[3]))
    number = {state: i for i, state in enumerate(order)}
    after_bit = np.zeros((256, 2), dtype=np.uint8)
    counts = np.zeros((256, 2), dtype=np.int32)
    for state, i in number.items():
        after_bit[i] = [number[_next(state, 0)], number[_next(state, 1)]]
        counts[i] = state[:2]
    return after_bit, counts


NEXT_STATE, STATE_COUNTS = _state_tables()


@njit(cache=True)
def cost_of(p: Integer) -> Integer:
    """-log2(p / 65536) in 1/65536 bits, for the probability p in 1..65536 of what came."""
    if p >= 4096:
        return np.int64(COST[p >> 4])
    return np.int64(COST[p]) + (4 << 16)
