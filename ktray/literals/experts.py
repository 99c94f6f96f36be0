"""Each prediction as an expert: a logistic distribution around it, at three estimates of its error:
a fast one, a slow one, and the slow one times a ratio that is learned."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ktray.kernels import njit
from ktray.literals.fixed import STRETCH, Integer, exp_fixed

SCALES = 3
RING = 8192  # of the latest errors: more than twice the longest row
_Z_LIMIT = 24  # the table of the logistic function ends there, in steps of 1/32
#: Ratios of the error expected to the slow estimate, by how the errors above and the latest ones compare to it: in
#: quarter octaves around 12; 0 where there are none above.
RATIOS = 25 * 25


@njit(cache=True, _nrt=False)
def ratio_cell(above: Integer, latest: Integer, slow: Integer) -> Integer:
    """The cell of the expected error's ratio."""
    base = quarters(slow)
    up = min(max(quarters(above << 8) - base + 12, 1), 24) if above > 0 else 0
    return up * 25 + min(max(quarters(latest) - base + 12, 0), 24)


@njit(cache=True, _nrt=False)
def learn_ratio(ratios: Any, cell: Integer, error: Integer, slow: Integer) -> None:
    """Average a ratio (12 fractional bits, then 8 bits of how often) towards the latest."""
    value = ratios[cell]
    seen = value & 255
    ratio = value >> 8
    ratio += (min((error << 12) // max(slow, 1), 1 << 16) - ratio) // (seen + 2)
    ratios[cell] = (ratio << 8) | min(seen + 1, 250)


def _logistic_table() -> NDArray[np.int64]:
    """1 / (1 + exp(-z)) with 30 fractional bits, z in steps of 1/32."""
    one, values = 1 << 96, []
    for i in range(_Z_LIMIT * 32 + 2):
        e = exp_fixed(i, 32)
        values.append((e << 30) // (one + e))
    upper = np.array(values, dtype=np.int64)
    return np.concatenate([(1 << 30) - upper[-2:0:-1], upper])


_LOGISTIC = _logistic_table()
_LOG2 = np.array([max(n, 1).bit_length() - 1 for n in range(256)], dtype=np.int64)
_MIDDLE = _Z_LIMIT * 32


@njit(cache=True, _nrt=False)
def distribution(difference: Integer, inverse: Integer) -> Integer:
    """The logistic function of difference / scale, 30 fractional bits; `inverse` is 1.42 * 2**26 / mean
    error.
    """
    z = (difference * inverse) >> 10
    z = min(max(z, -(23 << 16)), 23 << 16)
    i = (z >> 11) + _MIDDLE
    return _LOGISTIC[i] + (((_LOGISTIC[i + 1] - _LOGISTIC[i]) * (z & 2047)) >> 11)


@njit(cache=True, _nrt=False)
def log2(value: Integer) -> Integer:
    """Return the whole part of a value's base-2 logarithm, in bits; 0 for 0."""
    bits = 0
    while value > 255:
        value >>= 8
        bits += 8
    return bits + _LOG2[value]


@njit(cache=True, _nrt=False)
def quarters(value: Integer) -> Integer:
    """A value's base-2 logarithm in quarters, rounded down; 0 for 0 and 1."""
    octave = log2(value)
    return 4 * octave + ((((value << 2) >> octave) & 3) if value > 0 else 0)


@njit(cache=True, _nrt=False)
def errors_above(errors: Any, t: Integer, start: Integer, period: Integer) -> Integer:
    """The mean size of the errors around the same column in the two rows above, 0 where there are none."""
    if t - period - 2 < start:
        return np.int64(0)
    total, rows = 0, 0
    for k in range(1, 3):
        at = t - k * period
        if at - 2 >= start:
            rows += 1
            total += errors[at & (RING - 1)] * 3 + errors[(at + 1) & (RING - 1)] * 2
            total += errors[(at - 1) & (RING - 1)] * 2 + errors[(at + 2) & (RING - 1)]
    return total // rows // 8 + 1


@njit(cache=True, _nrt=False)
def expert_inputs(b: Integer, x: Any, extra: Integer, difference: Integer, centre: Any, edge: Any, calibration: Any, cells: Any, experts: Integer) -> None:  # fmt: skip  # noqa: E501
    """Two inputs an expert and scale: the probability that the sample is in the upper half, plain and
    calibrated.
    """
    for e in range(experts):
        for k in range(SCALES):
            j = e * SCALES + k
            middle = distribution(difference - centre[e], edge[j, 0])
            edge[j, 3] = middle
            p = ((edge[j, 2] - middle + extra + 1) << 12) // (edge[j, 2] - edge[j, 1] + 2 * extra + 2)
            logit = np.int64(STRETCH[min(max(p, 0), 4095)])
            x[2 * j] = logit >> 1
            cells[j, 0] = j * 16 + min(log2((edge[j, 4] >> b) + 1), 15)
            cells[j, 1] = (logit + 2112) >> 7
            x[2 * j + 1] = STRETCH[np.int64(calibration[cells[j, 0], cells[j, 1]]) >> 19] >> 1
