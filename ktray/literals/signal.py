"""The model of sampled signals: linear predictors, each an expert on where the next sample lies.

All filters are in fixed point: recursive least squares solved by an integer LDL' factorisation, and a
cascade of normalised LMS filters on its residual (the cascade is an idea of lossless audio coders:
Ghido's OptimFROG, Lehmann's Sac). Every expert is a logistic distribution around its prediction, at a
fast and a slow estimate of its error; the sample's bits, most significant first, are coded with the
experts' probabilities mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ktray.literals.coding import DECODE, code_bit
from ktray.literals.fixed import INPUT_LIMIT, LOGIT_LIMIT, SQUASH, STRETCH, Integer, exp_fixed
from ktray.literals.mixing import adapt, dot, train
from ktray.literals.records import ROWS

#: Lags of regressors from an earlier row of a record: `row(1, d)` is d samples before the same column one
#: row above.
_ROW = 10_000
CONSTANT = 0


def row(rows: int, lag: int) -> int:
    """The lag of the sample `rows` rows above and `lag` columns before (after, where negative, down to
    -99).
    """
    return _ROW * rows + 100 + lag


@dataclass(frozen=True, slots=True)
class Filter:
    """Least squares over `lags`, fading at the rate 2**-fade a sample; `per_row`: one for each row of a
    record.
    """

    lags: tuple[int, ...]
    fade: int
    per_row: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's parts. `bits` a sample; `modular`: numbers modulo 2**bits; `stages`: (order, step in
    2**-16); `blend`: fade of the least squares over all predictions; `rate` of the mixers; `fades` of the
    two error estimates, and their `floor`.
    """

    bits: int
    filters: tuple[Filter, ...]
    stages: tuple[tuple[int, int], ...]
    blend: int
    rate: int
    fades: tuple[int, int] = (3, 6)
    floor: int = 8
    modular: bool = False


def _last(n: int) -> tuple[int, ...]:
    return tuple(range(1, n + 1))


SHAPES = {
    "samples16": Shape(
        bits=16,
        filters=(Filter(_last(20), 8), Filter(_last(32), 10), Filter(_last(32), 9), Filter(_last(12), 7)),
        stages=((256, 2000), (32, 2000), (16, 2000)),
        blend=7,
        rate=1500,
        floor=16,
    ),
    "samples8": Shape(
        bits=8,
        filters=(Filter(_last(32), 10), Filter(_last(20), 8), Filter(_last(12), 7)),
        stages=((256, 300), (32, 300), (16, 500)),
        blend=8,
        rate=2000,
    ),
    "records": Shape(
        bits=8,
        filters=(Filter((CONSTANT, *_last(8)), 10, per_row=True), Filter(_last(16), 11)),
        stages=((256, 300), (32, 300), (16, 500)),
        blend=9,
        rate=1200,
        fades=(4, 7),
        modular=True,
    ),
}

State = tuple[NDArray[Any], ...]

_MAX_TAPS = 40
_STAGES = 3
_MAX_ORDER = 1024
_MOST_EXPERTS = 8
_SCALES = 2
_INPUTS = _MOST_EXPERTS * _SCALES * 2 + 8
_CONTEXTS = 3
_ROWS = 32
_RING = 8192  # more than twice the longest row
_SOLVE_EVERY = 8
_RIDGE, _BLEND_RIDGE = 18, 14  # regularisation, 2**-ridge of the largest variance
_WEIGHT_BITS = 18
_TOP_WEIGHT = 1 << 24
_Z_LIMIT = 24  # the table of the logistic function ends there, in steps of 1/32

(_BITS, _MODULAR, _FRACTION, _RATE, _FADE0, _FADE1, _FLOOR, _RECORD, _START, _PERIOD) = range(10)
# of a filter
(_TAPS, _FADE, _BASE, _PER_ROW) = range(4)
# of a stage
(_ORDER, _STEP, _POWER, _AT) = range(4)


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


def new_state(shape: Shape, records: Sequence[tuple[int, int]] = ()) -> State:
    """The model before its first sample; `records` tells where records begin and how long their rows are."""
    scalars = np.zeros(16, dtype=np.int64)
    scalars[: _FLOOR + 1] = (
        shape.bits,
        shape.modular,
        4 if shape.bits == 16 else 8,
        shape.rate,
        *shape.fades,
        shape.floor,
    )
    predictions = len(shape.filters) + _STAGES
    blend = Filter(tuple(range(predictions)), shape.blend, any(f.per_row for f in shape.filters))
    filters = np.zeros((len(shape.filters) + 1, 4), dtype=np.int64)
    lags = np.zeros((len(filters), _MAX_TAPS), dtype=np.int64)
    copies = 0
    for i, f in enumerate((*shape.filters, blend)):
        filters[i] = len(f.lags), f.fade, copies, f.per_row
        lags[i, : len(f.lags)] = f.lags
        copies += _ROWS if f.per_row else 1
    weights = np.zeros((copies, _MAX_TAPS), dtype=np.int64)
    weights[:, 0] = 1 << _WEIGHT_BITS
    stages = np.array([(order, step, 0, _MAX_ORDER) for order, step in shape.stages], dtype=np.int64)
    ramp = SQUASH[np.clip((np.arange(33) - 16) * 128, -LOGIT_LIMIT, LOGIT_LIMIT) + LOGIT_LIMIT]
    return (
        scalars,
        filters,
        lags,
        np.zeros((copies, _MAX_TAPS, _MAX_TAPS), dtype=np.int64),  # covariance of the regressors
        np.zeros((copies, _MAX_TAPS), dtype=np.int64),  # and with the sample
        weights,
        np.zeros((len(filters), _MAX_TAPS), dtype=np.int32),  # regressors
        np.zeros((_MAX_TAPS, _MAX_TAPS), dtype=np.int64),  # the factorisation
        stages,
        np.zeros((_STAGES, _MAX_ORDER + 4096), dtype=np.int32),  # what each stage has seen
        np.zeros((_STAGES, _MAX_ORDER), dtype=np.int32),  # its weights
        np.zeros(_MOST_EXPERTS, dtype=np.int64),  # the experts' predictions
        np.full(
            (_MOST_EXPERTS, _SCALES), 1 << (24 if shape.bits == 16 else 18), dtype=np.int64
        ),  # mean errors
        np.zeros(
            (_MOST_EXPERTS * _SCALES, 5), dtype=np.int64
        ),  # 1/scale; distribution at low, high and middle; half the range in sixteenths of the scale
        np.zeros(_INPUTS, dtype=np.int32),
        np.full((4 * 512, _INPUTS), 65536 // 12, dtype=np.int32),  # weights of the mixers
        np.tile(
            (ramp.astype(np.int64) << 15).astype(np.int32), (_MOST_EXPERTS * _SCALES * 16, 1)
        ),  # calibration
        np.zeros((_MOST_EXPERTS * _SCALES, 2), dtype=np.int64),  # the cells used of it
        np.full((_CONTEXTS, 1 << 18), 1 << 30, dtype=np.int32),  # probability of a bit in plain contexts
        np.zeros(_CONTEXTS + 8, dtype=np.int64),  # the cells used of it; the mixers' rows and logits
        np.tile(ramp, (512, 1)),  # correction of the result
        _with_gaps(records),
        np.zeros(_RING, dtype=np.int64),  # sizes of the latest errors
        np.zeros(_ROWS, dtype=np.int64),  # each row's mean, 8 fractional bits
        np.full(_ROWS, 65536, dtype=np.int64),  # how often a row's numbers leave half the range, of 65536
    )


def _with_gaps(records: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """The records, and one of period 0 wherever none follows."""
    table = [(1 << 60, 0)]
    for start, period in reversed(records):
        end = start + ROWS * period
        table += [(end, 0), (start, period)] if end < table[-1][0] else [(start, period)]
    return np.array(table[::-1], dtype=np.int64)


@njit(cache=True, _nrt=False)
def _covary(products: Any, with_target: Any, x: Any, y: Integer, n: Integer, fade: Integer) -> None:
    """Fade, then add the products of the regressors with each other and with the target (12 fractional
    bits).
    """
    for i in range(n):
        xi = np.int64(x[i]) << 12
        line = products[i]
        for j in range(i + 1):
            line[j] += (xi * np.int64(x[j]) - line[j]) >> fade
        with_target[i] += (xi * y - with_target[i]) >> fade


@njit(cache=True, _nrt=False)
def _solve(products: Any, with_target: Any, weights: Any, a: Any, n: Integer, ridge: Integer) -> None:
    """Least-squares weights (18 fractional bits) by LDL'; all in 30-bit numbers, whatever the signal's
    power.
    """
    top = np.int64(1)
    for i in range(n):
        top = max(top, products[i, i])
    down, up = np.int64(0), np.int64(0)
    while (top >> down) >= (1 << 30):
        down += 1
    while (top << up) < (1 << 29) and up < 20:
        up += 1
    for i in range(n):
        for j in range(i + 1):
            a[i, j] = (products[i, j] << up) >> down
        a[i, i] += (((top << up) >> down) >> ridge) + 1
    for j in range(n):
        pivot = max(a[j, j], np.int64(64))
        a[j, j] = pivot
        for i in range(j + 1, n):
            factor = min(max((a[i, j] << 24) // pivot, -(1 << 32)), 1 << 32)
            for k in range(j + 1, i + 1):
                a[i, k] -= (factor * a[k, j]) >> 24
        for i in range(j + 1, n):
            a[i, j] = min(max((a[i, j] << 24) // pivot, -(1 << 32)), 1 << 32)
    last = _MAX_TAPS - 1
    for i in range(n):
        z = (with_target[i] << up) >> down
        for j in range(i):
            z -= (a[i, j] * a[j, last]) >> 24
        a[i, last] = min(max(z, -(1 << 30)), 1 << 30)
    for i in range(n - 1, -1, -1):
        v = min(max((a[i, last] << _WEIGHT_BITS) // a[i, i], -_TOP_WEIGHT), _TOP_WEIGHT)
        for j in range(i + 1, n):
            v -= (a[j, i] * weights[j]) >> 24
        weights[i] = min(max(v, -_TOP_WEIGHT), _TOP_WEIGHT)


@njit(cache=True, _nrt=False)
def _learn_stage(stage: Any, seen: Any, weights: Any, error: Integer, value: Integer) -> None:
    """Move an LMS stage's weights by its error over its power, and append the value it will see."""
    order, at = stage[_ORDER], stage[_AT]
    gain = ((error * stage[_STEP]) << 20) // (stage[_POWER] + 4096 + order * 256)
    gain = min(max(gain, -(1 << 40)), 1 << 40)
    window = seen[at - order : at]
    for i in range(order):
        step = (gain * np.int64(window[i]) + 2048) >> 12
        weights[i] = min(max(np.int64(weights[i]) + step, -(1 << 30)), 1 << 30)
    old = np.int64(window[0])
    if at == seen.shape[0]:
        for i in range(order):
            seen[_MAX_ORDER - order + i] = window[i]
        at = np.int64(_MAX_ORDER)
    seen[at] = value
    stage[_POWER] += value * value - old * old
    stage[_AT] = at + 1


@njit(cache=True, _nrt=False)
def _distribution(difference: Integer, inverse: Integer) -> Integer:
    """The logistic function of difference / scale, 30 fractional bits; `inverse` is 1.42 * 2**26 / mean
    error.
    """
    z = (difference * inverse) >> 10
    z = min(max(z, -(23 << 16)), 23 << 16)
    i = (z >> 11) + _MIDDLE
    return _LOGISTIC[i] + (((_LOGISTIC[i + 1] - _LOGISTIC[i]) * (z & 2047)) >> 11)


@njit(cache=True, _nrt=False)
def _log2(value: Integer) -> Integer:
    bits = 0
    while value > 255:
        value >>= 8
        bits += 8
    return bits + _LOG2[value]


@njit(cache=True, _nrt=False)
def _regressors(
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
        if lag >= _ROW:
            first = start
            lag = period * (lag // _ROW) + lag % _ROW - 100 if period > 0 else t + 1
        elif period > 0:
            first = start + line * period
            pad = mean
        x[i] = (data[t - lag] if t - lag >= first else pad) if lag != CONSTANT else one


@njit(cache=True, _nrt=False)
def _errors_above(errors: Any, t: Integer, start: Integer, period: Integer) -> Integer:
    """1..31: the size of the errors around the same column in the two rows above, in half octaves; 0
    unknown.
    """
    if t - period - 2 < start:
        return 0
    total, rows = 0, 0
    for k in range(1, 3):
        at = t - k * period
        if at - 2 >= start:
            rows += 1
            total += errors[at & (_RING - 1)] * 3 + errors[(at + 1) & (_RING - 1)] * 2
            total += errors[(at - 1) & (_RING - 1)] * 2 + errors[(at + 2) & (_RING - 1)]
    total = total // rows // 32 + 1
    octave = _log2(total)
    return 1 + min(2 * octave + ((total >> max(octave - 1, 0)) & 1), 30)


@njit(cache=True, _nrt=False)
def _predict_all(state: Any, data: Any, t: Integer, line: Integer) -> None:
    """All experts' predictions of sample t: the filters, the stages after the first filter, the blend of
    these.
    """
    (scalars, filters, lags, _, _, weights, x, _, stages, seen, stage_weights, centre, _, _, _, _, _, _, _, _, _, _, _, mean, _) = state  # fmt: skip  # noqa: E501
    n, fraction = filters.shape[0] - 1, scalars[_FRACTION]
    limit = np.int64(1) << (scalars[_BITS] + fraction)
    for m in range(n):
        taps = filters[m, _TAPS]
        one = np.int64(1) << (scalars[_BITS] - 2)
        _regressors(
            lags[m], x[m, :taps], data, t, scalars[_START], scalars[_PERIOD], line, mean[line] >> 8, one
        )
        total = dot(weights[filters[m, _BASE] + filters[m, _PER_ROW] * line, :taps], x[m, :taps])
        centre[m] = min(max(total >> (_WEIGHT_BITS - fraction), -limit), limit)
    total = centre[0]
    for k in range(_STAGES):
        order, at = stages[k, _ORDER], stages[k, _AT]
        total += dot(stage_weights[k, :order], seen[k, at - order : at]) >> 24
        total = min(max(total, -limit), limit)
        centre[n + k] = total
    for i in range(n + _STAGES):
        x[n, i] = centre[i]
    total = dot(weights[filters[n, _BASE] + filters[n, _PER_ROW] * line, : n + _STAGES], x[n, : n + _STAGES])
    centre[n + _STAGES] = min(max(total >> _WEIGHT_BITS, -limit), limit)


@njit(cache=True, _nrt=False)
def _learn_all(state: Any, t: Integer, line: Integer, value: Integer) -> None:
    """Every filter, stage and error estimate learns sample t."""
    (scalars, filters, _, products, with_target, weights, x, a, stages, seen, stage_weights, centre, scale, _, _, _, _, _, _, _, _, _, errors, mean, wide) = state  # fmt: skip  # noqa: E501
    n, exact = filters.shape[0] - 1, value << scalars[_FRACTION]
    blended = n + _STAGES
    errors[t & (_RING - 1)] = abs(exact - centre[blended])
    for e in range(blended + 1):
        error = abs(exact - centre[e]) << 8
        scale[e, 0] += (error - scale[e, 0]) >> scalars[_FADE0]
        scale[e, 1] += (error - scale[e, 1]) >> scalars[_FADE1]
    for m in range(n + 1):
        copy, taps = filters[m, _BASE] + filters[m, _PER_ROW] * line, filters[m, _TAPS]
        _covary(products[copy], with_target[copy], x[m], value if m < n else exact, taps, filters[m, _FADE])
        if t % _SOLVE_EVERY == 0:
            ridge = _RIDGE if m < n else _BLEND_RIDGE
            _solve(products[copy], with_target[copy], weights[copy], a, taps, ridge)
    before = centre[0]
    for k in range(_STAGES):
        _learn_stage(stages[k], seen[k], stage_weights[k], exact - centre[n + k], exact - before)
        before = centre[n + k]
    half = np.int64(1) << (scalars[_BITS] - 1)
    mean[line] += ((value << 8) - mean[line]) >> 8
    wide[line] += ((65536 if value < -half or value >= half else 0) - wide[line]) >> 7


@njit(cache=True, _nrt=False)
def _expert_inputs(b: Integer, x: Any, extra: Integer, difference: Integer, centre: Any, edge: Any, calibration: Any, cells: Any, experts: Integer) -> None:  # fmt: skip  # noqa: E501
    """Two inputs an expert and scale: the probability that the sample is in the upper half, plain and
    calibrated.
    """
    for e in range(experts):
        for k in range(_SCALES):
            j = e * _SCALES + k
            middle = _distribution(difference - centre[e], edge[j, 0])
            edge[j, 3] = middle
            p = ((edge[j, 2] - middle + extra + 1) << 12) // (edge[j, 2] - edge[j, 1] + 2 * extra + 2)
            logit = np.int64(STRETCH[min(max(p, 0), 4095)])
            x[2 * j] = logit >> 1
            cells[j, 0] = j * 16 + min(_log2((edge[j, 4] >> b) + 1), 15)
            cells[j, 1] = (logit + 2112) >> 7
            x[2 * j + 1] = STRETCH[np.int64(calibration[cells[j, 0], cells[j, 1]]) >> 19] >> 1


@njit(cache=True, _nrt=False)
def _code_sample(mode: Integer, coder: Any, buffer: Any, state: Any, sample: Integer, last: Integer, low: Integer, line: Integer, above: Integer) -> Integer:  # fmt: skip  # noqa: E501
    """Encode, decode or price one sample in low .. low + 2**bits - 1, most significant bit first; returns
    it.
    """
    (scalars, filters, _, _, _, _, _, _, _, _, _, centre, scale, edge, x, mixers, calibration, cells, plain, plain_cells, apm, _, _, _, _) = state  # fmt: skip  # noqa: E501
    bits, fraction, floor, rate = scalars[_BITS], scalars[_FRACTION], scalars[_FLOOR], scalars[_RATE]
    experts = filters.shape[0] + _STAGES
    size, half_step = np.int64(1) << bits, np.int64(1) << (fraction - 1)
    for j in range(experts * _SCALES):
        e = j // _SCALES
        near = max(scale[e, j % _SCALES] >> 8, floor)
        edge[j, 0] = (1454 << 16) // near
        edge[j, 4] = (size << (fraction + 3)) // near
        edge[j, 1] = _distribution((low << fraction) - half_step - centre[e], edge[j, 0])
        edge[j, 2] = _distribution(((low + size) << fraction) - half_step - centre[e], edge[j, 0])
    main = centre[experts - 1]
    fast = min(_log2((scale[experts - 1, 0] >> 8) + 1), 31)
    slow = min(_log2((scale[experts - 1, 1] >> 8) + 1), 31)
    rows = plain_cells[_CONTEXTS : _CONTEXTS + 4]
    logits = plain_cells[_CONTEXTS + 4 :]
    first = experts * _SCALES * 2
    path = np.int64(1)
    for b in range(bits):
        size >>= 1
        middle = low + size
        extra = size >> max(bits - 9, 0)
        _expert_inputs(b, x, extra, (middle << fraction) - half_step, centre, edge, calibration, cells, experts)  # fmt: skip  # noqa: E501
        offset = min(max(middle - (main >> fraction), -128), 127) + 128
        place = (offset << 4) | (bits - 1 - b)
        plain_cells[0] = (path & 0xFFFF) if bits == 16 else (path << 8) | (last & 255)
        plain_cells[1] = (place << 4) | (fast & 15)
        plain_cells[2] = ((place << 3) | ((main >> (fraction - 3)) & 7)) & 0x3FFFF
        for i in range(_CONTEXTS):
            x[first + i] = STRETCH[np.int64(plain[i, plain_cells[i]]) >> 19] >> 1
        x[first + _CONTEXTS] = 256
        width = min(_log2((edge[(experts - 1) * _SCALES, 4] >> b) + 1), 15)
        rows[0] = b * 16 + width
        rows[1] = 512 + fast * 16 + width
        rows[2] = 1024 + (above if scalars[_PERIOD] > 0 else slow) * 16 + width
        rows[3] = 1536 + (line if scalars[_PERIOD] > 0 else offset >> 3) * 16 + width
        total = np.int64(0)
        for k in range(4):
            logits[k] = min(max(dot(mixers[rows[k]], x) >> 16, -INPUT_LIMIT), INPUT_LIMIT)
            total += logits[k]
        total >>= 2
        within = (total + 2048) & 127
        at = (total + 2048) >> 7
        guess = (
            np.int64(apm[slow * 16 + width, at]) * (128 - within)
            + np.int64(apm[slow * 16 + width, at + 1]) * within
        ) >> 7
        p = min(max((3 * np.int64(SQUASH[total + LOGIT_LIMIT]) + guess) >> 2, 1), 65535)
        bit = code_bit(mode, coder, buffer, p, np.int64(sample >= middle))
        for k in range(4):
            error = (((bit << 16) - np.int64(SQUASH[logits[k] + LOGIT_LIMIT])) * rate) >> 14
            train(mixers[rows[k]], x, error)
        at += within >> 6
        apm[slow * 16 + width, at] += (
            bit * 65527 + (1 - bit) * 8 - np.int64(apm[slow * 16 + width, at])
        ) >> 6
        for j in range(experts * _SCALES):
            adapt(calibration[cells[j, 0]], cells[j, 1], bit, 500)
            edge[j, 2 - bit] = edge[j, 3]
        for i in range(_CONTEXTS):
            adapt(plain[i], plain_cells[i], bit, 250)
        low = middle if bit else low
        path = (path << 1) | bit
    return low


@njit(cache=True, _nrt=False)
def code_samples(
    mode: Integer, coder: Any, buffer: Any, state: Any, data: Any, start: Integer, stop: Integer
) -> None:
    """Encode, decode or price data[start:stop] (int32), and learn it: see `coding`.

    Samples are signed. Numbers modulo 2**bits are replaced by the representative nearest to their prediction.
    """
    (scalars, filters, _, _, _, _, _, _, _, _, _, centre, _, _, _, _, _, _, _, _, _, records, errors, mean, wide) = state  # fmt: skip  # noqa: E501
    bits, fraction = scalars[_BITS], scalars[_FRACTION]
    half = np.int64(1) << (bits - 1)
    experts = filters.shape[0] + _STAGES
    for t in range(start, stop):
        while scalars[_RECORD] < records.shape[0] and records[scalars[_RECORD], 0] <= t:
            scalars[_START], scalars[_PERIOD] = records[scalars[_RECORD], 0], records[scalars[_RECORD], 1]
            scalars[_RECORD] += 1
        line: Integer = np.int64(_ROWS - 1)
        above: Integer = np.int64(0)
        period = scalars[_PERIOD]
        if period > 0:
            line = min((t - scalars[_START]) // period, _ROWS - 2)
            above = _errors_above(errors, t, scalars[_START], period)
        _predict_all(state, data, t, line)
        column = t - scalars[_START] - line * period
        if period > 0 and column < 3:
            above = np.int64(0)
            if column == 0:
                for e in range(experts):
                    centre[e] = mean[line] << (fraction - 8)
        low = -half
        if scalars[_MODULAR] and wide[line] > 600:
            low += (centre[experts - 1] + (1 << (fraction - 1))) >> fraction
        sample = low + ((np.int64(data[t]) - low) & (2 * half - 1)) if mode != DECODE else np.int64(0)
        last = np.int64(data[t - 1]) if t > 0 else np.int64(0)
        value = _code_sample(mode, coder, buffer, state, sample, last, low, line, above)
        data[t] = value
        _learn_all(state, t, line, value)
