"""The model of sampled signals: linear predictors, each an expert on where the next sample lies.

All filters are in fixed point: recursive least squares solved by an integer LDL' factorisation, and a
cascade of normalised LMS filters on its residual (the cascade is an idea of lossless audio coders:
Ghido's OptimFROG, Lehmann's Sac). Every expert is a logistic distribution around its prediction, at
three estimates of its error (`experts`); the sample's bits, most significant first, are coded with the
experts' probabilities mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ktray.kernels import njit
from ktray.literals.coding import DECODE, code_bit
from ktray.literals.experts import (
    RATIOS,
    RING,
    SCALES,
    distribution,
    errors_above,
    expert_inputs,
    learn_ratio,
    log2,
    quarters,
    ratio_cell,
)
from ktray.literals.filters import (
    AT,
    MAX_ORDER,
    MAX_TAPS,
    ORDER,
    WEIGHT_BITS,
    covary,
    learn_stage,
    regressors,
    solve,
)  # fmt: skip
from ktray.literals.fixed import INPUT_LIMIT, LOGIT_LIMIT, SQUASH, STRETCH, Integer
from ktray.literals.mixing import adapt, dot, dot32, train32
from ktray.literals.records import ROWS
from ktray.literals.shapes import Filter, Shape

State = tuple[NDArray[Any], ...]

_MOST_EXPERTS = 10
_INPUTS = _MOST_EXPERTS * SCALES * 2 + 8
_CONTEXTS = 3
_LINES = 32  # more than a record has rows
_RATE2 = 500  # of the second layer
_SOLVE_EVERY = 8  # samples; four times as many where a filter is long
_BLEND_RIDGE = 14  # regularisation, 2**-ridge of each variance

(_BITS, _MODULAR, _FRACTION, _RATE, _FADE0, _FADE1, _FLOOR, _RECORD, _START, _PERIOD, _RATIO, _RIDGE) = range(
    12
)
# of a filter
(_TAPS, _FADE, _BASE, _PER_ROW) = range(4)


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
    scalars[_RIDGE] = shape.ridge
    predictions = len(shape.filters) + len(shape.stages)
    blend = Filter(tuple(range(predictions)), shape.blend, any(f.per_row for f in shape.filters))
    filters = np.zeros((len(shape.filters) + 1, 4), dtype=np.int64)
    lags = np.zeros((len(filters), MAX_TAPS), dtype=np.int64)
    copies = 0
    for i, f in enumerate((*shape.filters, blend)):
        filters[i] = len(f.lags), f.fade, copies, f.per_row
        lags[i, : len(f.lags)] = f.lags
        copies += _LINES if f.per_row else 1
    weights = np.zeros((copies, MAX_TAPS), dtype=np.int64)
    weights[:, 0] = 1 << WEIGHT_BITS
    stages = np.array([(order, step, 0, MAX_ORDER) for order, step in shape.stages], dtype=np.int64).reshape(
        -1, 4
    )
    ramp = SQUASH[np.clip((np.arange(33) - 16) * 128, -LOGIT_LIMIT, LOGIT_LIMIT) + LOGIT_LIMIT]
    return (
        scalars,
        filters,
        lags,
        np.zeros((copies, MAX_TAPS, MAX_TAPS), dtype=np.int64),  # covariance of the regressors
        np.zeros((copies, MAX_TAPS), dtype=np.int64),  # and with the sample
        weights,
        np.zeros((len(filters), MAX_TAPS), dtype=np.int32),  # regressors
        np.zeros((MAX_TAPS, MAX_TAPS), dtype=np.int64),  # the factorisation
        stages,
        np.zeros((len(stages), MAX_ORDER + 4096), dtype=np.int32),  # what each stage has seen
        np.zeros((len(stages), MAX_ORDER), dtype=np.int32),  # its weights
        np.zeros(_MOST_EXPERTS, dtype=np.int64),  # the experts' predictions
        np.full(
            (_MOST_EXPERTS, SCALES), 1 << (24 if shape.bits == 16 else 18), dtype=np.int64
        ),  # mean errors
        np.zeros(
            (_MOST_EXPERTS * SCALES, 5), dtype=np.int64
        ),  # 1/scale; distribution at low, high and middle; half the range in sixteenths of the scale
        np.zeros(_INPUTS, dtype=np.int32),
        np.full(
            (4 * 512, _INPUTS), 65536 // ((predictions + 1) * SCALES), dtype=np.int32
        ),  # weights of the mixers
        np.full((512, 4), 65536 // 4, dtype=np.int32),  # of the second layer
        np.tile(
            (ramp.astype(np.int64) << 15).astype(np.int32), (_MOST_EXPERTS * SCALES * 16, 1)
        ),  # calibration
        np.zeros((_MOST_EXPERTS * SCALES, 2), dtype=np.int64),  # the cells used of it
        np.full((_CONTEXTS, 1 << 18), 1 << 30, dtype=np.int32),  # probability of a bit in plain contexts
        np.zeros(_CONTEXTS + 8, dtype=np.int64),  # the cells used of it; the mixers' rows and logits
        np.tile(ramp, (512, 1)),  # correction of the result
        _with_gaps(records),
        np.zeros(RING, dtype=np.int64),  # sizes of the latest errors
        np.zeros(_LINES, dtype=np.int64),  # each row's mean, 8 fractional bits
        np.full(RATIOS, 4096 << 8, dtype=np.int64),  # the error expected, of the slow estimate
        np.full(_LINES, 1 << 18, dtype=np.int64),  # each row's mean error
        np.full(
            _LINES, 8 * 65536, dtype=np.int64
        ),  # how often a row's numbers leave half the range, of 65536
    )


def _with_gaps(records: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """The records, and one of period 0 wherever none follows."""
    table = [(1 << 60, 0)]
    for start, period in reversed(records):
        end = start + ROWS * period
        table += [(end, 0), (start, period)] if end < table[-1][0] else [(start, period)]
    return np.array(table[::-1], dtype=np.int64)


@njit(cache=True, _nrt=False)
def _predict_all(state: Any, data: Any, t: Integer, line: Integer) -> None:
    """All experts' predictions of sample t: the filters, the stages after the first filter, the blend of
    these.
    """
    (scalars, filters, lags, _, _, weights, x, _, stages, seen, stage_weights, centre, _, _, _, _, _, _, _, _, _, _, _, _, mean, _, _, _) = state  # fmt: skip  # noqa: E501
    n, fraction = filters.shape[0] - 1, scalars[_FRACTION]
    limit = np.int64(1) << (scalars[_BITS] + fraction)
    for m in range(n):
        taps = filters[m, _TAPS]
        one = np.int64(1) << (scalars[_BITS] - 2)
        regressors(
            lags[m], x[m, :taps], data, t, scalars[_START], scalars[_PERIOD], line, mean[line] >> 8, one
        )
        total = dot(weights[filters[m, _BASE] + filters[m, _PER_ROW] * line, :taps], x[m, :taps])
        centre[m] = min(max(total >> (WEIGHT_BITS - fraction), -limit), limit)
    count = stages.shape[0]
    total = centre[0]
    for k in range(count):
        order, at = stages[k, ORDER], stages[k, AT]
        total += dot(stage_weights[k, :order], seen[k, at - order : at]) >> 24
        total = min(max(total, -limit), limit)
        centre[n + k] = total
    for i in range(n + count):
        x[n, i] = centre[i]
    total = dot(weights[filters[n, _BASE] + filters[n, _PER_ROW] * line, : n + count], x[n, : n + count])
    centre[n + count] = min(max(total >> WEIGHT_BITS, -limit), limit)


@njit(cache=True, _nrt=False)
def _learn_all(state: Any, t: Integer, line: Integer, value: Integer) -> None:
    """Every filter, stage and error estimate learns sample t."""
    (scalars, filters, _, products, with_target, weights, x, a, stages, seen, stage_weights, centre, scale, _, _, _, _, _, _, _, _, _, _, errors, mean, ratios, typical, wide) = state  # fmt: skip  # noqa: E501
    n, exact = filters.shape[0] - 1, value << scalars[_FRACTION]
    blended = n + stages.shape[0]
    errors[t & (RING - 1)] = abs(exact - centre[blended])
    learn_ratio(ratios, scalars[_RATIO], abs(exact - centre[blended]) << 8, scale[blended, 1])
    for e in range(blended + 1):
        error = abs(exact - centre[e]) << 8
        scale[e, 0] += (error - scale[e, 0]) >> scalars[_FADE0]
        scale[e, 1] += (error - scale[e, 1]) >> scalars[_FADE1]
    expected = max(scale[blended, 2] >> 8, abs(exact - centre[blended]) >> 1, 1)
    likely = min(max((typical[line] << 8) // (expected << 8), 64), 512)
    weight = likely * likely << 2
    typical[line] += ((abs(exact - centre[blended]) << 8) - typical[line]) >> 9
    for m in range(n + 1):
        copy, taps = filters[m, _BASE] + filters[m, _PER_ROW] * line, filters[m, _TAPS]
        covary(
            products[copy],
            with_target[copy],
            x[m],
            value if m < n else exact,
            taps,
            filters[m, _FADE],
            weight,
        )
        if t % (_SOLVE_EVERY if taps <= 40 else 4 * _SOLVE_EVERY) == 0:
            ridge = scalars[_RIDGE] if m < n else _BLEND_RIDGE
            solve(products[copy], with_target[copy], weights[copy], a, taps, ridge)
    before = centre[0]
    for k in range(stages.shape[0]):
        learn_stage(stages[k], seen[k], stage_weights[k], exact - centre[n + k], exact - before)
        before = centre[n + k]
    half = np.int64(1) << (scalars[_BITS] - 1)
    mean[line] += ((value << 8) - mean[line]) >> 8
    wide[line] += ((65536 if value < -half or value >= half else 0) - wide[line]) >> 7


@njit(cache=True, _nrt=False)
def _expect_errors(scalars: Any, scale: Any, ratios: Any, errors: Any, above: Integer, t: Integer, experts: Integer) -> None:  # fmt: skip  # noqa: E501
    """The third estimate of each expert's error: the slow one, times what such ratios of estimates went with."""
    near = (
        above
        if scalars[_PERIOD] > 0 or t < 2
        else ((errors[(t - 1) & (RING - 1)] + errors[(t - 2) & (RING - 1)]) >> 1) + 1
    )
    scalars[_RATIO] = ratio_cell(near, scale[experts - 1, 0], scale[experts - 1, 1])
    ratio = ratios[scalars[_RATIO]] >> 8
    for e in range(experts):
        scale[e, 2] = (scale[e, 1] * ratio) >> 12


@njit(cache=True, _nrt=False)
def _code_sample(mode: Integer, coder: Any, buffer: Any, state: Any, sample: Integer, last: Integer, low: Integer, line: Integer, above: Integer) -> Integer:  # fmt: skip  # noqa: E501
    """Encode, decode or price one sample in low .. low + 2**bits - 1, most significant bit first; returns
    it.
    """
    (scalars, filters, _, _, _, _, _, _, stages, _, _, centre, scale, edge, x, mixers, second, calibration, cells, plain, plain_cells, apm, _, _, _, _, _, _) = state  # fmt: skip  # noqa: E501
    bits, fraction, floor, rate = scalars[_BITS], scalars[_FRACTION], scalars[_FLOOR], scalars[_RATE]
    experts = filters.shape[0] + stages.shape[0]
    size, half_step = np.int64(1) << bits, np.int64(1) << (fraction - 1)
    for j in range(experts * SCALES):
        e = j // SCALES
        near = max(scale[e, j % SCALES] >> 8, floor)
        edge[j, 0] = (1454 << 16) // near
        edge[j, 4] = (size << (fraction + 3)) // near
        edge[j, 1] = distribution((low << fraction) - half_step - centre[e], edge[j, 0])
        edge[j, 2] = distribution(((low + size) << fraction) - half_step - centre[e], edge[j, 0])
    main = centre[experts - 1]
    fast = min(log2((scale[experts - 1, 0] >> 8) + 1), 31)
    slow = min(log2((scale[experts - 1, 1] >> 8) + 1), 31)
    rows = plain_cells[_CONTEXTS : _CONTEXTS + 4]
    logits = plain_cells[_CONTEXTS + 4 :]
    first = experts * SCALES * 2
    above_level = 1 + min(quarters(above // 4 + 1) >> 1, 30) if above > 0 else 0
    path = np.int64(1)
    for b in range(bits):
        size >>= 1
        middle = low + size
        extra = size >> max(bits - 9, 0)
        expert_inputs(b, x, extra, (middle << fraction) - half_step, centre, edge, calibration, cells, experts)  # fmt: skip  # noqa: E501
        offset = min(max(middle - (main >> fraction), -128), 127) + 128
        place = (offset << 4) | (bits - 1 - b)
        plain_cells[0] = (path & 0xFFFF) if bits == 16 else (path << 8) | (last & 255)
        plain_cells[1] = (place << 4) | (fast & 15)
        plain_cells[2] = ((place << 3) | ((main >> (fraction - 3)) & 7)) & 0x3FFFF
        for i in range(_CONTEXTS):
            x[first + i] = STRETCH[np.int64(plain[i, plain_cells[i]]) >> 19] >> 1
        x[first + _CONTEXTS] = 256
        width = min(log2((edge[(experts - 1) * SCALES, 4] >> b) + 1), 15)
        rows[0] = b * 16 + width
        rows[1] = 512 + fast * 16 + width
        rows[2] = 1024 + (above_level if scalars[_PERIOD] > 0 else slow) * 16 + width
        rows[3] = 1536 + (line if scalars[_PERIOD] > 0 else offset >> 3) * 16 + width
        total: Integer = np.int64(0)
        for k in range(4):
            logits[k] = min(max(dot32(mixers[rows[k]], x) >> 8, -INPUT_LIMIT), INPUT_LIMIT)
            total += logits[k] * np.int64(second[rows[0], k])
        total = min(max(total >> 16, -INPUT_LIMIT), INPUT_LIMIT)
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
            train32(mixers[rows[k]], x, error)
        error2 = (((bit << 16) - np.int64(SQUASH[total + LOGIT_LIMIT])) * _RATE2) >> 10
        for k in range(4):
            second[rows[0], k] += (logits[k] * error2 + 0x8000) >> 16
        at += within >> 6
        apm[slow * 16 + width, at] += (
            bit * 65527 + (1 - bit) * 8 - np.int64(apm[slow * 16 + width, at])
        ) >> 6
        for j in range(experts * SCALES):
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
    (scalars, filters, _, _, _, _, _, _, stages, _, _, centre, scale, _, _, _, _, _, _, _, _, _, records, errors, mean, ratios, _, wide) = state  # fmt: skip  # noqa: E501
    bits, fraction = scalars[_BITS], scalars[_FRACTION]
    half = np.int64(1) << (bits - 1)
    experts = filters.shape[0] + stages.shape[0]
    for t in range(start, stop):
        while scalars[_RECORD] < records.shape[0] and records[scalars[_RECORD], 0] <= t:
            scalars[_START], scalars[_PERIOD] = records[scalars[_RECORD], 0], records[scalars[_RECORD], 1]
            scalars[_RECORD] += 1
        line: Integer = np.int64(_LINES - 1)
        above: Integer = np.int64(0)
        period = scalars[_PERIOD]
        if period > 0:
            line = min((t - scalars[_START]) // period, _LINES - 2)
            above = errors_above(errors, t, scalars[_START], period)
        _predict_all(state, data, t, line)
        column = t - scalars[_START] - line * period
        if period > 0 and column < 3:
            above = np.int64(0)
            if column == 0:
                for e in range(experts):
                    centre[e] = mean[line] << (fraction - 8)
        _expect_errors(scalars, scale, ratios, errors, above, t, experts)
        low = -half
        if scalars[_MODULAR] and wide[line] > 65536:  # young: predictions are not to be trusted yet
            low += data[t - 1] if column > 0 else mean[line] >> 8
        elif scalars[_MODULAR] and wide[line] > 600:
            low += (centre[experts - 1] + (1 << (fraction - 1))) >> fraction
        sample = low + ((np.int64(data[t]) - low) & (2 * half - 1)) if mode != DECODE else np.int64(0)
        last = np.int64(data[t - 1]) if t > 0 else np.int64(0)
        value = _code_sample(mode, coder, buffer, state, sample, last, low, line, above)
        data[t] = value
        _learn_all(state, t, line, value)
