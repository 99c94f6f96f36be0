"""The general context-mixing model: predicts the bits of bytes from many contexts at once.

Its state is a tuple of arrays (`new_state` names them), so that compiled loops elsewhere can drive it.
Every operation is on integers that fit 64 bits: compiled and interpreted runs, on any machine, give the
same numbers.

A bit's path: each context owns a bucket of 15 bit histories for the byte's present half, and remembers
the byte that followed it last; adaptive maps turn histories, runs and matches into probabilities; four
sets of weights, each chosen by a small context, mix their logits; a second layer mixes the four,
adaptive maps correct the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ktray.literals.coding import code_bit
from ktray.literals.fixed import (
    INPUT_LIMIT,
    LOGIT_LIMIT,
    NEXT_STATE,
    SQUASH,
    STATE_COUNTS,
    STRETCH,
    Integer,
)
from ktray.literals.mixing import adapt, dot, prefetch, train
from ktray.literals.settings import MixerSettings

State = tuple[NDArray[Any], ...]

_SETS = 4  # of weights in the first layer
_ROWS = np.array([2048, 2048, 512, 256], dtype=np.int64)
_FIRST_ROW = np.concatenate([[0], np.cumsum(_ROWS)]).astype(np.int64)
_MATCHES = 2
_SHORTEST = np.array([5, 12], dtype=np.int64)  # lengths that begin a match
_LONGEST_CHECKED = 400
_BUCKET = 16  # bytes: a check, then the histories of the 15 nodes of half a byte
_APM_STEPS = 33

#: 1 where a history knows bits of one kind only.
_SURE = np.array([int((a == 0) != (b == 0)) for a, b in STATE_COUNTS], dtype=np.int64)

# Cells of the scalars: the byte so far with a leading one, the node within its half, bits of it known;
# the last 4, 8 and 12 bytes; bytes seen; masks of the history, buckets and runs; the prediction;
# learning rates;
# hashes of the present word and the two before; letters of it; where the present line and the one above
# begin, its
# first byte; classes of the last eight bytes; open brackets; where inputs of doubts, runs (0: none) and matches
# begin; what is left out (0 but in measurements).
(_C0, _NODE, _BITS, _C4, _C8, _C12, _POS, _HISTORY, _BUCKETS, _RUNS, _MIXED, _RATE, _RATE_EXTRA, _RATE2) = (
    range(14)
)
(_WORD, _WORD1, _WORD2, _LETTERS, _LINE, _ABOVE, _FIRST, _CLASSES, _BRACKETS) = range(14, 23)
(_DOUBT_INPUTS, _RUN_INPUTS, _MATCH_INPUTS, _LEFT_OUT) = range(23, 27)

#: What `leave_out` can silence, by its bit: the contexts in their order, then other parts.
PARTS = (
    *("order 3", "word and order 1", "order 4", "order 2", "classes and order 1", "order 6", "order 1"),
    *("two words", "followers of 1", "sparse 2-3", "line above", "brackets", "word and word before last"),
    *("sparse 3-4", "word in brackets", "order 3 and classes", "followers of 2", "word and order 2"),
    *("matches", "result maps"),
)
_NO_MATCHES, _NO_RESULT_MAPS = 1 << PARTS.index("matches"), 1 << PARTS.index("result maps")


def new_state(settings: MixerSettings) -> State:
    """The model before its first bit, its tables as large as `settings` says."""
    n, with_runs = settings.contexts, settings.contexts * settings.with_runs
    first_match = n + n * settings.with_doubts + with_runs
    inputs = (first_match + 2 * _MATCHES + 2 + 7) // 8 * 8
    scalars = np.zeros(32, dtype=np.int64)
    scalars[[_C0, _NODE]] = 1
    scalars[[_HISTORY, _BUCKETS, _RUNS]] = [
        (1 << b) - 1 for b in (settings.history, settings.buckets, settings.runs)
    ]
    scalars[[_RATE, _RATE_EXTRA, _RATE2]] = 2200, 120_000_000, 300
    scalars[_DOUBT_INPUTS] = n * settings.with_doubts
    scalars[_RUN_INPUTS] = (first_match - n) * settings.with_runs
    scalars[_MATCH_INPUTS] = first_match
    ones, seen = STATE_COUNTS[:, 1].astype(np.int64), STATE_COUNTS.sum(axis=1)
    maps = np.tile((((2 * ones + 1) << 22) // (2 * seen + 2) << 9).astype(np.int32), (n, 1))
    return (
        scalars,
        np.zeros(1 << settings.history, dtype=np.uint8),  # history: the bytes seen, a ring
        _aligned(_BUCKET << settings.buckets),  # buckets
        np.zeros(n, dtype=np.int64),  # hashes of the contexts
        np.zeros(n, dtype=np.int64),  # where their buckets begin
        maps,  # probability of each history (22 bits, then 9 bits of count), a row a context
        np.zeros(n, dtype=np.int64),  # the history of each context
        np.zeros(
            (1 << settings.runs) * settings.with_runs, dtype=np.int32
        ),  # runs: check, count (4 bits), byte
        np.zeros(with_runs, dtype=np.int64),  # the run of each context: its place
        np.zeros(with_runs, dtype=np.int64),  # and its count << 9 | 256 | byte
        np.full((with_runs, 256), 1 << 30, dtype=np.int32),  # probability of a run's next bit
        np.zeros(with_runs, dtype=np.int64),  # the cell used of it
        np.zeros(inputs, dtype=np.int32),  # inputs of the mixers
        np.full(
            (_FIRST_ROW[-1], inputs), 65536 * 6 // (first_match + 6), dtype=np.int32
        ),  # weights, 16 fractional bits
        np.zeros(_SETS, dtype=np.int64),  # the row of each set
        np.zeros(_SETS, dtype=np.int64),  # its logit
        np.full((256, 8), 65536 // _SETS, dtype=np.int32),  # weights of the second layer
        np.zeros((_MATCHES, 4), dtype=np.int64),  # matches: pointer, length, byte expected | 256, cell used
        np.zeros((_MATCHES, 1 << min(20, settings.history)), dtype=np.int32),  # where a hash occurred last
        np.full(_MATCHES * 64, 1 << 30, dtype=np.int32),  # probability of a match's next bit
        np.tile(_ramp(), (256 + 65536 + 65536, 1)),  # adaptive maps of the result, by 33 logits
        np.zeros((3, 2), dtype=np.int64),  # the cells used of them
        np.zeros(65536 + 256, dtype=np.int64),  # the two bytes that followed a byte, or two, last
        np.full(256, 1 << 30, dtype=np.int32),  # probability without context
    )


def leave_out(state: State, parts: int) -> None:
    """Silence the parts (bits as in `PARTS`) of a new state, to measure what they are worth."""
    state[0][_LEFT_OUT] = parts


def _aligned(size: int) -> NDArray[np.uint8]:
    """`size` zero bytes that begin a cache line, so that four buckets share one."""
    raw = np.zeros(size + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size]


def _ramp() -> NDArray[np.int32]:
    """The identity of adaptive maps: the probability of each of 33 logits."""
    logits = (np.arange(_APM_STEPS) - 16) * 128
    ramp: NDArray[np.int32] = SQUASH[np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT) + LOGIT_LIMIT]
    return ramp


@njit(cache=True, _nrt=False)
def _hash(a: Integer, b: Integer) -> Integer:
    """A 32-bit hash of two values below 2**32."""
    h = ((a * 0x2F0B4C47) & 0xFFFFFFFF) ^ ((b * 0x1E35A7BD) & 0xFFFFFFFF)
    h = (h ^ (h >> 15)) * 0x2C1B3C6D
    return (h ^ (h >> 29)) & 0xFFFFFFFF


@njit(cache=True, _nrt=False)
def _spread(context: Integer, half: Integer) -> Integer:
    """63 well-mixed bits of a context and the byte's first half (0 before it is known)."""
    return ((context + half * 0x3D4D51CB) & 0xFFFFFFFF) * 0x6B43A9B5


@njit(cache=True, _nrt=False)
def _find_buckets(buckets: Any, mask: Integer, hashes: Any, half: Integer, places: Any) -> None:
    """Set `places` to the contexts' buckets; a new one takes the place of the least used of three
    neighbours.
    """
    for i in range(hashes.shape[0]):
        prefetch(buckets, ((_spread(hashes[i], half) >> 22) & mask) << 4)
    for i in range(hashes.shape[0]):
        spread = _spread(hashes[i], half)
        check = max((spread >> 52) & 255, 1)
        best = np.int64(-1)
        least: Integer = 1000
        for j in range(3):
            at = (((spread >> 22) & mask) ^ j) << 4
            found = np.int64(buckets[at])
            if found == check:
                best = at
                least = -2
                break
            use = np.int64(buckets[at + 1]) if found else -1
            if use < least:
                least = use
                best = at
        if least != -2:
            buckets[best] = check
            for j in range(1, 16):
                buckets[best + j] = 0
        places[i] = best


@njit(cache=True, _nrt=False)
def _character_class(byte: Integer) -> Integer:
    """1 letter, 2 digit, 3 space, 4 newline, 5 punctuation, 6 opening, 7 closing, 8 beyond ASCII, 9 other."""
    letter = byte | 32
    if 97 <= letter <= 122:
        return 1
    if 48 <= byte <= 57:
        return 2
    if byte == 32:
        return 3
    if byte == 10:
        return 4
    if byte == 44 or byte == 46 or byte == 59 or byte == 58:
        return 5
    if byte == 91 or byte == 123 or byte == 60 or byte == 40:
        return 6
    if byte == 93 or byte == 125 or byte == 62 or byte == 41:
        return 7
    return 8 if byte >= 128 else 9


@njit(cache=True, _nrt=False)
def _follow_text(scalars: Any, byte: Integer) -> None:
    """Keep track of words, lines, brackets and classes of characters."""
    kind = _character_class(byte)
    scalars[_CLASSES] = ((scalars[_CLASSES] << 4) | kind) & 0xFFFFFFFF
    if kind == 1 or kind == 8:
        scalars[_WORD] = _hash(scalars[_WORD], (byte | 32 if kind == 1 else byte) + 1)
        scalars[_LETTERS] += 1
    elif scalars[_WORD] != 0:
        scalars[_WORD2] = scalars[_WORD1]
        scalars[_WORD1] = scalars[_WORD]
        scalars[_WORD] = 0
        scalars[_LETTERS] = 0
    if kind == 4:
        scalars[_ABOVE] = scalars[_LINE]
        scalars[_LINE] = scalars[_POS]
        scalars[_FIRST] = 0
        scalars[_BRACKETS] = 0
    elif scalars[_POS] == scalars[_LINE] + 1:
        scalars[_FIRST] = byte
    if kind == 6:
        scalars[_BRACKETS] = ((scalars[_BRACKETS] << 8) | byte) & 0xFFFFFFFF
    elif kind == 7:
        scalars[_BRACKETS] >>= 8


@njit(cache=True, _nrt=False)
def _set_contexts(scalars: Any, history: Any, followers: Any, hashes: Any) -> None:
    """The hashes of all contexts at a byte's start, the most useful first."""
    c4, c8, word, brackets = scalars[_C4], scalars[_C8], scalars[_WORD], scalars[_BRACKETS]
    c1, c2 = c4 & 255, (c4 >> 8) & 255
    followers[65536 + c2] = ((followers[65536 + c2] << 8) | c1) & 0xFFFF
    before = (c4 >> 8) & 0xFFFF
    followers[before] = ((followers[before] << 8) | c1) & 0xFFFF
    column = min(scalars[_POS] - scalars[_LINE], 255)
    at = scalars[_ABOVE] + column
    above = np.int64(history[at & scalars[_HISTORY]]) if at < scalars[_LINE] else 0
    n = hashes.shape[0]
    values = (
        c4 & 0xFFFFFF,
        _hash(word, c1),
        c4,
        c4 & 0xFFFF,
        _hash(scalars[_CLASSES], c1),
        _hash(c4, c8 & 0xFFFF),
        c1 << 8,
        _hash(word, scalars[_WORD1]),
        _hash(followers[65536 + c1], c1),
        c4 & 0xFFFF00,
        _hash(above, (column << 8) | c1),
        _hash(brackets, c4 & 0xFFFF),
        _hash(word, scalars[_WORD2]),
        c4 & 0xFFFF0000,
        _hash(word, _hash(brackets & 0xFFFF, scalars[_FIRST])),
        _hash(c4 & 0xFFFFFF, scalars[_CLASSES] >> 12),
        _hash(followers[c4 & 0xFFFF], c1),
        _hash(word, c4 & 0xFFFF),
    )
    for i in range(n):
        kept = 1 - ((scalars[_LEFT_OUT] >> i) & 1)
        hashes[i] = _hash(values[i] * kept, (i + 1) * 0x3779B1)


@njit(cache=True, _nrt=False)
def _find_runs(runs: Any, mask: Integer, hashes: Any, places: Any, found: Any) -> None:
    """For each context the byte that followed it last, and how often in a row."""
    for i in range(places.shape[0]):
        prefetch(runs, ((hashes[i] * 0x3C6EF35F) >> 16) & mask)
    for i in range(places.shape[0]):
        spread = (hashes[i] * 0x3C6EF35F) >> 16
        check = (spread >> 26) & 0xFFFF
        at = spread & mask
        run = np.int64(runs[at])
        if (run >> 12) != check:
            run = check << 12
            runs[at] = run
        places[i] = at
        count = (run >> 8) & 15
        found[i] = ((count << 9) | 256 | (run & 255)) if count > 0 else 0


@njit(cache=True, _nrt=False)
def _learn_runs(runs: Any, places: Any, byte: Integer) -> None:
    for i in range(places.shape[0]):
        run = np.int64(runs[places[i]])
        count = (run >> 8) & 15
        if count > 0 and (run & 255) == byte:
            if count < 15:
                runs[places[i]] = run + 256
        else:
            runs[places[i]] = (run >> 12 << 12) | 256 | byte


@njit(cache=True, _nrt=False)
def _find_matches(scalars: Any, history: Any, matches: Any, last: Any) -> None:
    """Follow each match by a byte, or look for a new one where the last bytes occurred before."""
    pos, mask = scalars[_POS], scalars[_HISTORY]
    for m in range(_MATCHES):
        pointer, length = matches[m, 0], matches[m, 1]
        if length > 0 and np.int64(history[pointer & mask]) == (scalars[_C4] & 255):
            length = min(length + 1, 65535)
            pointer += 1
        else:
            length = 0
        h = _hash(scalars[_C4], scalars[_C8] & 0xFF)
        if m == 1:
            h = _hash(_hash(scalars[_C4], scalars[_C8]), scalars[_C12])
        h &= last.shape[1] - 1
        if length == 0:
            pointer = np.int64(last[m, h])
            most = min(_LONGEST_CHECKED, pointer) if pos - pointer < mask - _LONGEST_CHECKED else 0
            while (
                length < most and history[(pointer - 1 - length) & mask] == history[(pos - 1 - length) & mask]
            ):
                length += 1
            if length < _SHORTEST[m]:
                length = 0
        if scalars[_LEFT_OUT] & _NO_MATCHES:
            length = 0
        last[m, h] = pos
        matches[m, 0] = pointer
        matches[m, 1] = length
        matches[m, 2] = (np.int64(history[pointer & mask]) | 256) if length > 0 else 0


@njit(cache=True, _nrt=False)
def _length_bucket(length: Integer) -> Integer:
    """0..28: exact below 16, coarser above."""
    if length < 16:
        return length
    if length < 32:
        return 16 + ((length - 16) >> 2)
    bucket = 20
    while length >= 64 and bucket < 28:
        length >>= 1
        bucket += 1
    return bucket


@njit(cache=True, _nrt=False)
def _history_inputs(node: Integer, buckets: Any, places: Any, maps: Any, used: Any, x: Any) -> Integer:
    """An input a context from its bit history; returns how many of the first six contexts know something."""
    for i in range(places.shape[0]):
        history = np.int64(buckets[places[i] + node])
        used[i] = history
        x[i] = (np.int64(STRETCH[np.int64(maps[i, history]) >> 19]) * np.int64(history != 0)) >> 1
    known: Integer = 0
    for i in range(6):
        known += np.int64(used[i] != 0)
    return known


@njit(cache=True, _nrt=False)
def _doubt_inputs(used: Any, x: Any, first: Integer) -> None:
    """Another input a context: the same, where only bits of one kind were seen."""
    for i in range(used.shape[0]):
        x[first + i] = np.int64(x[i]) * _SURE[used[i]]


@njit(cache=True, _nrt=False)
def _run_inputs(c0: Integer, bits: Integer, found: Any, maps: Any, used: Any, x: Any, first: Integer) -> None:
    """One input a context: whether the byte that followed last comes again."""
    for i in range(found.shape[0]):
        run = found[i]
        fits = np.int64(((run & 511) >> (8 - bits)) == c0)
        cell = (((run >> 9) << 4) | (((run >> (7 - bits)) & 1) << 3) | bits) * fits
        used[i] = cell
        x[first + i] = (np.int64(STRETCH[np.int64(maps[i, cell]) >> 19]) * fits) >> 1


@njit(cache=True, _nrt=False)
def _match_inputs(c0: Integer, bits: Integer, matches: Any, maps: Any, x: Any, first: Integer) -> Integer:
    """Two inputs a match; returns the bucket of the longest match's length."""
    longest = 0
    for m in range(_MATCHES):
        x[first + 2 * m] = 0
        x[first + 2 * m + 1] = 0
        matches[m, 3] = -1
        if matches[m, 1] > 0:
            if (matches[m, 2] >> (8 - bits)) == c0:
                bucket = _length_bucket(matches[m, 1])
                cell = ((m * 32 + bucket) << 1) | ((matches[m, 2] >> (7 - bits)) & 1)
                matches[m, 3] = cell
                p = np.int64(maps[cell]) >> 19
                x[first + 2 * m] = np.int64(STRETCH[p]) >> 1
                x[first + 2 * m + 1] = (p - 2048) >> 2
                longest = bucket
            else:
                matches[m, 1] = 0
    return longest


@njit(cache=True, _nrt=False)
def _choose_rows(scalars: Any, known: Integer, longest: Integer, rows: Any) -> None:
    """The row of weights of each set."""
    bits = scalars[_BITS]
    reach = 0 if longest == 0 else (1 if longest < 15 else (2 if longest < 22 else 3))
    rows[0] = (scalars[_C4] & 255) * 8 + bits
    rows[1] = (scalars[_CLASSES] & 255) * 8 + bits
    rows[2] = (known * 8 + bits) * 4 + reach
    rows[3] = min(scalars[_LETTERS], 15) * 16 + bits * 2
    for k in range(_SETS):
        rows[k] += _FIRST_ROW[k]


@njit(cache=True, _nrt=False)
def _corrected(scalars: Any, logit: Integer, apm: Any, cells: Any) -> Integer:
    """The mixed prediction, averaged with what came at such predictions in contexts of order 0, 1 and 3."""
    c0, c4 = scalars[_C0], scalars[_C4]
    within = min(max(logit, -2047), 2047) + 2048
    low, weight = within >> 7, within & 127
    cells[0, 0] = c0
    cells[1, 0] = 256 + (c0 | (c4 & 255) << 8)
    cells[2, 0] = 256 + 65536 + (_hash(c4 & 0xFFFFFF, c0) & 0xFFFF)
    total: Integer = 0
    for j in range(3):
        row = cells[j, 0]
        cells[j, 1] = low + (weight >> 6)
        p = np.int64(apm[row, low]) * (128 - weight) + np.int64(apm[row, low + 1]) * weight
        total += (j + 1) * (p >> 7)
    p = np.int64(SQUASH[logit + LOGIT_LIMIT])
    if -2000 < logit < 2000 and not scalars[_LEFT_OUT] & _NO_RESULT_MAPS:
        p = (2 * p + total) >> 3
    return min(max(p, 1), 65535)


@njit(cache=True, _nrt=False, inline="always")
def predict(state: Any) -> Integer:
    """The probability of a one bit, 1..65535 of 65536."""
    (scalars, _, buckets, _, places, maps, used, _, _, found, run_maps, run_used, x, weights, rows, logits, second, matches, _, match_maps, apm, cells, _, plain) = state  # fmt: skip  # noqa: E501
    c0, bits, n = scalars[_C0], scalars[_BITS], scalars[_MATCH_INPUTS]
    known = _history_inputs(scalars[_NODE], buckets, places, maps, used, x)
    if scalars[_DOUBT_INPUTS] > 0:
        _doubt_inputs(used, x, scalars[_DOUBT_INPUTS])
    if scalars[_RUN_INPUTS] > 0:
        _run_inputs(c0, bits, found, run_maps, run_used, x, scalars[_RUN_INPUTS])
    longest = _match_inputs(c0, bits, matches, match_maps, x, n)
    x[n + 2 * _MATCHES] = np.int64(STRETCH[np.int64(plain[c0]) >> 19]) >> 1
    x[n + 2 * _MATCHES + 1] = 256
    _choose_rows(scalars, known, longest, rows)
    total: Integer = 0
    for k in range(_SETS):
        logits[k] = min(max(dot(weights[rows[k]], x) >> 16, -INPUT_LIMIT), INPUT_LIMIT)
        total += logits[k] * np.int64(second[c0, k])
    mixed = min(max(total >> 16, -LOGIT_LIMIT), LOGIT_LIMIT)
    scalars[_MIXED] = np.int64(SQUASH[mixed + LOGIT_LIMIT])
    return _corrected(scalars, mixed, apm, cells)


@njit(cache=True, _nrt=False)
def _learn_weights(
    scalars: Any, bit: Integer, x: Any, weights: Any, rows: Any, logits: Any, second: Any
) -> None:
    """Move the weights of both layers down the gradient of the coding cost; fast at first."""
    c0, y = scalars[_C0], bit << 16
    rate = scalars[_RATE] + scalars[_RATE_EXTRA] // (1024 + scalars[_POS])
    error2 = ((y - scalars[_MIXED]) * scalars[_RATE2]) >> 10
    for k in range(_SETS):
        second[c0, k] += (logits[k] * error2 + 0x8000) >> 16
        error = ((y - np.int64(SQUASH[logits[k] + LOGIT_LIMIT])) * rate) >> 14
        train(weights[rows[k]], x, error)


@njit(cache=True, _nrt=False)
def _begin_byte(state: Any, byte: Integer) -> None:
    """Take in a whole byte, and look up the next one's contexts."""
    (scalars, history, buckets, hashes, places, _, _, runs, run_places, found, _, _, _, _, _, _, _, matches, last, _, _, _, followers, _) = state  # fmt: skip  # noqa: E501
    _learn_runs(runs, run_places, byte)
    history[scalars[_POS] & scalars[_HISTORY]] = byte
    scalars[_POS] += 1
    scalars[_C12] = ((scalars[_C12] << 8) | (scalars[_C8] >> 24)) & 0xFFFFFFFF
    scalars[_C8] = ((scalars[_C8] << 8) | (scalars[_C4] >> 24)) & 0xFFFFFFFF
    scalars[_C4] = ((scalars[_C4] << 8) | byte) & 0xFFFFFFFF
    _follow_text(scalars, byte)
    _set_contexts(scalars, history, followers, hashes)
    _find_matches(scalars, history, matches, last)
    _find_buckets(buckets, scalars[_BUCKETS], hashes, 0, places)
    _find_runs(runs, scalars[_RUNS], hashes, run_places, found)


@njit(cache=True, _nrt=False, inline="always")
def update(state: Any, bit: Integer) -> None:
    """Learn the bit that came after `predict`."""
    (scalars, _, buckets, hashes, places, maps, used, _, _, _, run_maps, run_used, x, weights, rows, logits, second, matches, _, match_maps, apm, cells, _, plain) = state  # fmt: skip  # noqa: E501
    node = scalars[_NODE]
    for i in range(places.shape[0]):
        buckets[places[i] + node] = NEXT_STATE[used[i], bit]
        adapt(maps[i], used[i], bit, 255)
    for i in range(run_used.shape[0]):
        adapt(run_maps[i], run_used[i], bit, 400)  # cell 0 is never read
    for m in range(_MATCHES):
        if matches[m, 3] >= 0:
            adapt(match_maps, matches[m, 3], bit, 400)
    adapt(plain, scalars[_C0], bit, 250)
    _learn_weights(scalars, bit, x, weights, rows, logits, second)
    for j in range(3):
        apm[cells[j, 0], cells[j, 1]] += (
            bit * 65527 + (1 - bit) * 8 - np.int64(apm[cells[j, 0], cells[j, 1]])
        ) >> 6
    scalars[_C0] = (scalars[_C0] << 1) | bit
    scalars[_BITS] += 1
    scalars[_NODE] = (node << 1) | bit
    if scalars[_BITS] == 4:
        scalars[_NODE] = 1
        _find_buckets(buckets, scalars[_BUCKETS], hashes, scalars[_C0], places)
    elif scalars[_BITS] == 8:
        _begin_byte(state, scalars[_C0] & 255)
        scalars[_C0] = 1
        scalars[_NODE] = 1
        scalars[_BITS] = 0


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
