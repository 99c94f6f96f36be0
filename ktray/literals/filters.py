"""Linear predictors in fixed point: least squares that fade, and stages of normalised LMS filters."""

from __future__ import annotations

from typing import Any

import numpy as np

from ktray.kernels import njit
from ktray.literals.fixed import Integer
from ktray.literals.shapes import CONSTANT, ROW

MAX_TAPS = 66
MAX_ORDER = 1024
WEIGHT_BITS = 18
_TOP_WEIGHT = 1 << 24
# Cells of a stage.
(ORDER, STEP, POWER, AT) = range(4)


@njit(cache=True, _nrt=False)
def covary(
    products: Any, with_target: Any, x: Any, y: Integer, n: Integer, fade: Integer, weight: Integer
) -> None:
    """Fade, then add the products of the regressors with each other and with the target (18 fractional bits: fewer,
    and the rounding of long fades would be as large as what small signals do not share).
    """
    half = (np.int64(1) << fade) >> 1
    for i in range(n):
        xi = np.int64(x[i]) * weight
        line = products[i]
        for j in range(i + 1):
            line[j] += (xi * np.int64(x[j]) - line[j] + half) >> fade
        with_target[i] += (xi * y - with_target[i] + half) >> fade


@njit(cache=True, _nrt=False)
def _shifted(value: Integer, shift: Integer) -> Integer:
    return value << shift if shift >= 0 else value >> -shift


@njit(cache=True, _nrt=False)
def _even_out(products: Any, a: Any, n: Integer, ridge: Integer) -> None:
    """Copy the products to `a`, every regressor scaled by a power of two (noted in the last line) to a variance of
    28 to 30 bits, so that small ones keep their digits beside large ones.
    """
    shifts = a[MAX_TAPS - 1]
    for i in range(n):
        bits, top = np.int64(0), products[i, i]
        while top > 0:
            top >>= 1
            bits += 1
        shifts[i] = min((30 - bits) >> 1, 12)
    for i in range(n):
        for j in range(i + 1):
            a[i, j] = _shifted(products[i, j], shifts[i] + shifts[j])
        a[i, i] += (a[i, i] >> ridge) + 1


@njit(cache=True, _nrt=False)
def solve(products: Any, with_target: Any, weights: Any, a: Any, n: Integer, ridge: Integer) -> None:
    """Least-squares weights (18 fractional bits) by LDL'; all in 30-bit numbers, whatever the signal's
    power. The second regressor must be of the target's size.
    """
    _even_out(products, a, n, ridge)
    shifts = a[MAX_TAPS - 1]
    own = shifts[min(n - 1, 1)]
    for j in range(n):
        pivot = max(a[j, j], np.int64(64))
        a[j, j] = pivot
        for i in range(j + 1, n):
            factor = min(max((a[i, j] << 24) // pivot, -(1 << 32)), 1 << 32)
            for k in range(j + 1, i + 1):
                a[i, k] -= (factor * a[k, j]) >> 24
        for i in range(j + 1, n):
            a[i, j] = min(max((a[i, j] << 24) // pivot, -(1 << 32)), 1 << 32)
    last = MAX_TAPS - 2
    for i in range(n):
        z = _shifted(with_target[i], shifts[i] + own)
        for j in range(i):
            z -= (a[i, j] * a[j, last]) >> 24
        a[i, last] = min(max(z, -(1 << 30)), 1 << 30)
    for i in range(n - 1, -1, -1):
        v = min(max((a[i, last] << WEIGHT_BITS) // a[i, i], -_TOP_WEIGHT), _TOP_WEIGHT)
        for j in range(i + 1, n):
            v -= (a[j, i] * weights[j]) >> 24
        weights[i] = min(max(v, -_TOP_WEIGHT), _TOP_WEIGHT)
    for i in range(n):
        weights[i] = min(max(_shifted(weights[i], shifts[i] - own), -_TOP_WEIGHT), _TOP_WEIGHT)


@njit(cache=True, _nrt=False)
def learn_stage(stage: Any, seen: Any, weights: Any, error: Integer, value: Integer) -> None:
    """Move an LMS stage's weights by its error over its power, and append the value it will see."""
    order, at = stage[ORDER], stage[AT]
    gain = ((error * stage[STEP]) << 20) // (stage[POWER] + 4096 + order * 256)
    gain = min(max(gain, -(1 << 40)), 1 << 40)
    window = seen[at - order : at]
    for i in range(order):
        step = (gain * np.int64(window[i]) + 2048) >> 12
        weights[i] = min(max(np.int64(weights[i]) + step, -(1 << 30)), 1 << 30)
    old = np.int64(window[0])
    if at == seen.shape[0]:
        for i in range(order):
            seen[MAX_ORDER - order + i] = window[i]
        at = np.int64(MAX_ORDER)
    seen[at] = value
    stage[POWER] += value * value - old * old
    stage[AT] = at + 1


@njit(cache=True, _nrt=False)
def regressors(
    lags: Any,
    x: Any,
    data: Any,
    t: Integer,
    start: Integer,
    period: Integer,
    line: Integer,
    mean: Integer,
    one: Integer,
) -> None:
    """Gather a filter's inputs; within a record nothing reaches beyond its row, or above its first."""
    for i in range(x.shape[0]):
        lag, first, pad = lags[i], 0, 0
        if lag >= ROW:
            first = start
            lag = period * (lag // ROW) + lag % ROW - 100 if period > 0 else t + 1
        elif period > 0:
            first = start + line * period
            pad = mean
        x[i] = (data[t - lag] if t - lag >= first else pad) if lag != CONSTANT else one
