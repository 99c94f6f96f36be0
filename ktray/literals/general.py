"""The general context-mixing model: predicts the bits of bytes from many contexts at once.

Its state is a tuple of arrays (`new_state` names them), so that compiled loops elsewhere can drive it.
Every operation is on integers that fit 64 bits: compiled and interpreted runs, on any machine, give the
same numbers.

A bit's path: each context (`following`) owns a bucket of 15 bit histories for the byte's present half, and
remembers the byte that followed it last (`buckets`); adaptive maps turn histories, runs and matches (`matching`)
into probabilities, whose logits are the network's inputs (`inputs`); sets of weights, each chosen by a small
context, mix them, and a second layer mixes the sets (`layers`); adaptive maps correct the result (`refining`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ktray.kernels import njit
from ktray.literals.buckets import BUCKET, UNSEEN, aligned, find_buckets, find_runs, learn_runs
from ktray.literals.cells import (
    BITS,
    BUCKETS,
    C0,
    C4,
    C8,
    C12,
    DOUBT_INPUTS,
    HISTORY,
    KNOWN,
    LEFT_OUT,
    LONGEST,
    MATCH_INPUTS,
    NODE,
    POS,
    RATE,
    RATE2,
    RATE_EXTRA,
    RUN_INPUTS,
    RUNS,
    SCALARS,
)  # fmt: skip
from ktray.literals.coding import code_bit
from ktray.literals.fixed import NEXT_STATE, STATE_COUNTS, STRETCH, Integer
from ktray.literals.following import CONTEXTS, follow_text, set_contexts
from ktray.literals.inputs import (
    DIRECT_BITS,
    counter_inputs,
    direct_inputs,
    doubt_inputs,
    find_directs,
    history_inputs,
    learn_counters,
    run_inputs,
)
from ktray.literals.layers import FINAL_ROWS, FINALS, FIRST_ROW, choose_rows, learn_weights, mix
from ktray.literals.matching import MATCHES, find_matches, match_inputs
from ktray.literals.mixing import HALF, adapt
from ktray.literals.refining import APM_ROWS, APMS, corrected, learn_corrections, ramp
from ktray.literals.settings import MixerSettings

State = tuple[NDArray[Any], ...]

#: What `leave_out` can silence, by its bit: the contexts in their order, then other parts.
PARTS = (*CONTEXTS, "matches", "result maps", "counters", "distances")
#: Those that the largest preset alone has.
PARTS_OF_MAX = ("counters", "distances")
#: Learning rates of the first layer, what it has more at first, of the second.
_RATES = (3500, 120_000_000, 1500)
_SLOWER_RATES = (2000, 60_000_000, 800)  # with the inputs of the largest preset
_COUNTERS = PARTS.index("counters")
_NO_MATCHES, _NO_RESULT_MAPS = 1 << PARTS.index("matches"), 1 << PARTS.index("result maps")


def new_state(settings: MixerSettings) -> State:
    """The model before its first bit, its tables as large as `settings` says."""
    n, sets, directs = settings.contexts, settings.sets, settings.directs
    runs = n * settings.with_runs
    first_match = n + 3 * n * settings.with_doubts + runs
    inputs = (first_match + 2 * MATCHES + 2 + 2 * directs + 15) // 16 * 16
    return (
        _new_scalars(settings, first_match),
        np.zeros(1 << settings.history, dtype=np.uint8),  # history: the bytes seen, a ring
        aligned(BUCKET << settings.buckets),
        np.zeros(n, dtype=np.int64),  # hashes of the contexts
        np.zeros(n, dtype=np.int64),  # where their buckets begin
        _new_maps(n),  # probability of each history, a row a context
        np.zeros(n, dtype=np.int64),  # the history of each context
        np.zeros((1 << settings.runs) * settings.with_runs, dtype=np.int32),  # check, count (4 bits), byte
        np.zeros(runs, dtype=np.int64),  # the run of each context: its place
        np.zeros(runs, dtype=np.int64),  # and its count << 9 | 256 | byte
        np.full((runs, 256), HALF, dtype=np.int32),  # probability of a run's next bit
        np.zeros(runs, dtype=np.int64),  # the cell used of it
        np.zeros(inputs, dtype=np.int32),  # inputs of the mixers
        np.full((FIRST_ROW[sets], inputs), 65536 * 6 // (first_match + 6), dtype=np.int32),  # weights
        np.zeros(sets, dtype=np.int64),  # the row of each set
        np.zeros(sets, dtype=np.int64),  # its logit
        np.full((FINAL_ROWS, sets), 65536 // sets, dtype=np.int32),  # weights of the second layer
        np.zeros((MATCHES, 4), dtype=np.int64),  # matches: pointer, length, byte expected | 256, cell used
        np.zeros((MATCHES, 1 << min(20, settings.history)), dtype=np.int32),  # where a hash occurred last
        np.full(MATCHES * 64, HALF, dtype=np.int32),  # probability of a match's next bit
        np.tile(ramp(), (APM_ROWS, 1)),  # adaptive maps of the result, by 33 logits
        np.zeros((APMS, 2), dtype=np.int64),  # the cells used of them
        np.zeros(65536 + 256 + 65536, dtype=np.int64),  # the two bytes that followed 2, 1 or 3 bytes last
        np.full(256, HALF, dtype=np.int32),  # probability without context
        np.zeros((FINALS, 2), dtype=np.int64),  # rows and logits of the second layer
        np.full((directs, 16 << DIRECT_BITS), HALF, dtype=np.int32),  # counters of some contexts
        np.zeros((directs, 2), dtype=np.int64),  # where those of the half begin, the cell used
        np.full((BUCKET << settings.buckets) * settings.with_doubts, UNSEEN, dtype=np.uint16),
    )


def _new_scalars(settings: MixerSettings, first_match: int) -> NDArray[np.int64]:
    scalars = np.zeros(SCALARS, dtype=np.int64)
    scalars[[C0, NODE]] = 1
    sizes = (settings.history, settings.buckets, settings.runs)
    scalars[[HISTORY, BUCKETS, RUNS]] = [(1 << b) - 1 for b in sizes]
    scalars[[RATE, RATE_EXTRA, RATE2]] = _SLOWER_RATES if settings.with_doubts else _RATES
    scalars[DOUBT_INPUTS] = settings.contexts * settings.with_doubts
    scalars[RUN_INPUTS] = (first_match - settings.contexts) * settings.with_runs
    scalars[MATCH_INPUTS] = first_match
    return scalars


def _new_maps(n: int) -> NDArray[np.int32]:
    """What each history says as it counts (22 bits of probability, 9 of how often it was used)."""
    ones, seen = STATE_COUNTS[:, 1].astype(np.int64), STATE_COUNTS.sum(axis=1)
    row = ((2 * ones + 1) << 22) // (2 * seen + 2) << 9
    return np.tile(row.astype(np.int32), (n, 1))


def leave_out(state: State, parts: int) -> None:
    """Silence the parts (bits as in `PARTS`) of a new state, to measure what they are worth."""
    state[0][LEFT_OUT] = parts


@njit(cache=True, _nrt=False, inline="always")
def predict(state: Any) -> Integer:
    """The probability of a one bit, 1..65535 of 65536."""
    (scalars, _, buckets, _, places, maps, used, _, _, found, run_maps, run_used, x, weights, rows, logits, second, matches, _, match_maps, apm, cells, _, plain, finals, tables, at, counters) = state  # fmt: skip  # noqa: E501
    c0, bits, n = scalars[C0], scalars[BITS], scalars[MATCH_INPUTS]
    scalars[KNOWN] = history_inputs(scalars[NODE], buckets, places, maps, used, x)
    if scalars[DOUBT_INPUTS] > 0:
        doubt_inputs(used, x, scalars[DOUBT_INPUTS])
        counter_inputs(scalars[NODE], counters, places, used, maps, x, 2 * scalars[DOUBT_INPUTS], (scalars[LEFT_OUT] >> _COUNTERS) & 3)  # fmt: skip  # noqa: E501
    if scalars[RUN_INPUTS] > 0:
        run_inputs(c0, bits, found, run_maps, run_used, x, scalars[RUN_INPUTS])
    scalars[LONGEST] = match_inputs(c0, bits, matches, match_maps, x, n)
    x[n + 2 * MATCHES] = np.int64(STRETCH[np.int64(plain[c0]) >> 19]) >> 1
    x[n + 2 * MATCHES + 1] = 256
    direct_inputs(scalars[NODE], tables, at, x, n + 2 * MATCHES + 2)
    choose_rows(scalars, used, matches, rows)
    mixed = mix(scalars, x, weights, rows, logits, second, finals)
    return corrected(scalars, mixed, apm, cells, scalars[LEFT_OUT] & _NO_RESULT_MAPS)


@njit(cache=True, _nrt=False)
def _begin_byte(state: Any, byte: Integer) -> None:
    """Take in a whole byte, and look up the next one's contexts."""
    (scalars, history, buckets, hashes, places, _, _, runs, run_places, found, _, _, _, _, _, _, _, matches, last, _, _, _, followers, _, _, _, at, counters) = state  # fmt: skip  # noqa: E501
    learn_runs(runs, run_places, byte)
    history[scalars[POS] & scalars[HISTORY]] = byte
    scalars[POS] += 1
    scalars[C12] = ((scalars[C12] << 8) | (scalars[C8] >> 24)) & 0xFFFFFFFF
    scalars[C8] = ((scalars[C8] << 8) | (scalars[C4] >> 24)) & 0xFFFFFFFF
    scalars[C4] = ((scalars[C4] << 8) | byte) & 0xFFFFFFFF
    follow_text(scalars, byte)
    find_matches(scalars, history, matches, last, scalars[LEFT_OUT] & _NO_MATCHES)
    set_contexts(scalars, history, followers, hashes, matches)
    find_buckets(buckets, counters, scalars[BUCKETS], hashes, 0, places)
    find_runs(runs, scalars[RUNS], hashes, run_places, found)
    find_directs(scalars, 0, hashes, at)


@njit(cache=True, _nrt=False, inline="always")
def update(state: Any, bit: Integer) -> None:
    """Learn the bit that came after `predict`."""
    (scalars, _, buckets, hashes, places, maps, used, _, _, _, run_maps, run_used, x, weights, rows, logits, second, matches, _, match_maps, apm, cells, _, plain, finals, tables, at, counters) = state  # fmt: skip  # noqa: E501
    node = scalars[NODE]
    for i in range(places.shape[0]):
        buckets[places[i] + node] = NEXT_STATE[used[i], bit]
        adapt(maps[i], used[i], bit, 255)
    if scalars[DOUBT_INPUTS] > 0:
        learn_counters(node, counters, places, bit)
    for i in range(run_used.shape[0]):
        adapt(run_maps[i], run_used[i], bit, 400)  # cell 0 is never read
    for m in range(MATCHES):
        if matches[m, 3] >= 0:
            adapt(match_maps, matches[m, 3], bit, 400)
    for i in range(at.shape[0]):
        adapt(tables[i], at[i, 1], bit, 60)
    adapt(plain, scalars[C0], bit, 250)
    learn_weights(scalars, bit, x, weights, rows, logits, second, finals)
    learn_corrections(bit, apm, cells)
    scalars[C0] = (scalars[C0] << 1) | bit
    scalars[BITS] += 1
    scalars[NODE] = (node << 1) | bit
    if scalars[BITS] == 4:
        scalars[NODE] = 1
        find_buckets(buckets, counters, scalars[BUCKETS], hashes, scalars[C0], places)
        find_directs(scalars, scalars[C0], hashes, at)
    elif scalars[BITS] == 8:
        _begin_byte(state, scalars[C0] & 255)
        scalars[C0] = 1
        scalars[NODE] = 1
        scalars[BITS] = 0


@njit(cache=True, _nrt=False)
def code_bytes(
    mode: Integer, coder: Any, buffer: Any, state: Any, data: Any, start: Integer, stop: Integer
) -> None:
    """Encode, decode or price data[start:stop] (uint8; filled in when decoding), and learn it: see
    `coding`.
    """
    for i in range(start, stop):
        known = np.int64(data[i])
        byte = np.int64(0)
        for shift in range(7, -1, -1):
            bit = code_bit(mode, coder, buffer, predict(state), (known >> shift) & 1)
            update(state, bit)
            byte = (byte << 1) | bit
        data[i] = byte
