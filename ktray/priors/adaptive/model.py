"""The adaptive model of single bits: hashed counters, mixed in the logistic domain; integers only.

One function, `code_bit`, serves the encoder, the decoder and pricing alike, so they cannot disagree; floats
only report costs.
"""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import config, from_dtype, int64, types, void
from numpy.typing import NDArray

from ktray.coding.binary import decode_bit
from ktray.kernels import njit
from ktray.literals.fixed import LOGIT_LIMIT, RECIPROCAL, SQUASH, STRETCH

#: Hashed counters, and the most contexts that one decision mixes.
SLOTS = 1 << 18
CONTEXTS = 6
INPUTS = CONTEXTS + 2
MIXERS = 128
#: Most lines of a program that the model codes; longer ones are coded as text.
MAX_LINES = 255

#: What `mode[0]` of a model may be: the first two learn, QUOTE leaves the model as it is.
ENCODE, DECODE, QUOTE = 0, 1, 2

#: Most binary decisions that one program or one stretch of a literal may take.
EVENTS = 1 << 20

#: Columns of the ledger.
FLAG, FUNCTION, REFERENCE, ARGUMENT, LENGTH, LITERAL = range(6)
PARTS = ("flag", "functions", "references", "arguments", "lengths", "literals")

Bytes = NDArray[np.uint8]

# In 64 bits, so that no product overflows where nothing is compiled.
_SQUASH, _STRETCH, _RECIPROCAL = (table.astype(np.int64) for table in (SQUASH, STRETCH, RECIPROCAL))

#: A counter holds 22 bits of probability above 9 bits of how often it was updated, which stop at the limit.
COUNT_BITS = 9
COUNT_LIMIT = 500
BLANK_COUNTER = 1 << (21 + COUNT_BITS)
_WEIGHT_BITS = 16
#: Learning rate of the mixers, in 1/1024.
_LEARNING = 4


#: All state of the model in one record, which compiled code updates in place.
#: `counters` hold the probabilities of a one bit, `weights` the mixers' weights; `bases` are the hashed
#: contexts of the decision at hand. `mode` is the mode, the row and the column of the ledger, and the number of
#: events. `events` are the decisions coded when not decoding, 2 x probability + bit, until the range coder takes
#: them; `coder` is the decoder's state. `bits` and `ledger` add up costs by part, and by line and part.
MODEL = np.dtype(
    [
        ("counters", np.int32, (SLOTS,)),
        ("weights", np.int32, (MIXERS, INPUTS)),
        ("bases", np.int64, (CONTEXTS,)),
        ("slots", np.int64, (CONTEXTS,)),
        ("inputs", np.int64, (INPUTS,)),
        ("mode", np.int64, (4,)),
        ("coder", np.int64, (5,)),
        ("events", np.int32, (EVENTS,)),
        ("bits", np.float64, (len(PARTS),)),
        ("ledger", np.float64, (MAX_LINES + 2, len(PARTS))),
    ],
    align=True,
)
Model = np.record


def one_record(dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array of one blank record, whose fields are attributes also where nothing is compiled."""
    array = np.zeros(1, dtype=dtype)
    return array.view(np.recarray) if config.DISABLE_JIT else array


def blank_weights() -> NDArray[np.int32]:
    """Return the weights of mixers that have learned nothing."""
    weights = np.full((MIXERS, INPUTS), (1 << _WEIGHT_BITS) * 3 // 10, dtype=np.int32)
    weights[:, CONTEXTS] = 1 << _WEIGHT_BITS
    weights[:, CONTEXTS + 1] = 0
    return weights


#: Types of compiled signatures; Python hands models over in arrays of one, cheaper to pass than bare records.
MODEL_TYPE = from_dtype(MODEL)
BYTES_TYPE = types.Array(types.uint8, 1, "C", readonly=True)
MODELS_TYPE = types.Array(MODEL_TYPE, 1, "C")
_M, _B, _I = MODEL_TYPE, BYTES_TYPE, int64


@njit(_I(_I, _I), cache=True)
def mix_hash(a: int, b: int) -> int:
    """Return 30 hashed bits of two integers (their low 30 bits)."""
    h = ((a & 0x3FFFFFFF) * 0x2F0B4C47 + (b & 0x3FFFFFFF) * 0x1B873593 + 0x3C6EF372) & 0x3FFFFFFF
    h = ((h ^ (h >> 15)) * 0x2C1B3C6D) & 0x3FFFFFFF
    h = ((h ^ (h >> 13)) * 0x297A2D39) & 0x3FFFFFFF
    return h ^ (h >> 16)


@njit(void(_M, _I, _I, _I), cache=True)
def set_context(m: Model, k: int, decision: int, value: int) -> None:
    """Make (decision, value) the k-th context of the bits that follow."""
    m.bases[k] = mix_hash(decision * 8 + k, value)


@njit(_I(_M, _B, _I, _I), cache=True)
def code_final(m: Model, data: Bytes, p: int, bit: int) -> int:
    """Code one bit whose probability of being one is p / 65536; return it."""
    if m.mode[0] == DECODE:
        bit = decode_bit(m.coder, data, p)
    elif m.mode[3] < EVENTS:
        m.events[m.mode[3]] = 2 * p + bit
        m.mode[3] += 1
    chance = p if bit else 65536 - p
    cost = 16.0 - math.log2(chance)
    m.bits[m.mode[2]] += cost
    m.ledger[m.mode[1], m.mode[2]] += cost
    return bit


@njit(void(_M, _I, _I, _I, _I, _I), cache=True)
def _learn(m: Model, k: int, mixer: int, prior: int, error: int, bit: int) -> None:
    """Move the weights and the counters of the last decision towards the bit that came."""
    weights = m.weights[mixer]
    step = error * _LEARNING
    for i in range(k):
        weights[i] += (step * m.inputs[i] + (1 << 17)) >> 18
        slot = m.slots[i]
        counter = np.int64(m.counters[slot])
        chance, seen = counter >> COUNT_BITS, counter & ((1 << COUNT_BITS) - 1)
        chance += (((bit << 22) - bit - chance) * _RECIPROCAL[seen]) >> 16
        m.counters[slot] = (chance << COUNT_BITS) | min(seen + 1, COUNT_LIMIT)
    weights[CONTEXTS] += (step * prior + (1 << 17)) >> 18
    weights[CONTEXTS + 1] += (step * 256 + (1 << 17)) >> 18


@njit(_I(_M, _B, _I, _I, _I, _I, _I), cache=True)
def code_bit(m: Model, data: Bytes, k: int, node: int, mixer: int, prior: int, bit: int) -> int:
    """Code a bit under the first `k` contexts at `node` of the decision, with the logit `prior` as one more
    opinion; return it. `bit` is ignored when decoding, `data` otherwise."""
    weights = m.weights[mixer]
    total = 0
    spread = (node * 0x1B873593) & 0x3FFFFFFF
    for i in range(k):
        slot = (((m.bases[i] ^ spread) * 0x2C1B3C6D) >> 13) & (SLOTS - 1)
        m.slots[i] = slot
        logit = _STRETCH[m.counters[slot] >> (10 + COUNT_BITS)]
        m.inputs[i] = logit
        total += weights[i] * logit
    total += weights[CONTEXTS] * prior + weights[CONTEXTS + 1] * 256
    logit = min(max(total >> _WEIGHT_BITS, -LOGIT_LIMIT), LOGIT_LIMIT)
    p = _SQUASH[logit + LOGIT_LIMIT]
    bit = code_final(m, data, p, bit)
    if m.mode[0] != QUOTE:
        _learn(m, k, mixer, prior, (bit << 16) - p, bit)
    return bit


@njit(_I(_I, _I), cache=True)
def logit_of_share(part: int, whole: int) -> int:
    """Return the logit of part / whole, for 0 < part < whole."""
    return _STRETCH[min(max(part * 4096 // whole, 0), 4095)]


@njit(_I(_M, _B, _I, _I, _I, _I, _I), cache=True)
def code_bounded(m: Model, data: Bytes, k: int, kind: int, low: int, high: int, value: int) -> int:
    """Code an integer in low..high (low >= 0) bit by bit from the top; forced bits cost nothing.

    The prior opinion on each bit is its share under a uniform distribution over low..high.
    """
    width = 8
    while high >> width:
        width += 1
    result = 0
    node = 1 + (width << 24)
    for shift in range(width - 1, -1, -1):
        half = 1 << shift
        middle = result + half
        if high < middle:
            bit = 0
        elif low >= middle:
            bit = 1
        else:
            zeros = min(middle - 1, high) - max(result, low) + 1
            ones = min(middle + half - 1, high) - max(middle, low) + 1
            partial = zeros != half or ones != half
            prior = logit_of_share(ones, zeros + ones) if partial else 0
            # Below the eighth bit every number has the same model.
            place = node if width - shift <= 8 else (width << 24) + (shift << 18)
            bit = code_bit(m, data, k, place, kind * 2 + partial, prior, (value >> shift) & 1)
        result += bit * half
        node = node * 2 + bit if width - shift <= 8 else node
    return result


@njit(_I(_M, _B, _I, _I), cache=True)
def code_gamma(m: Model, data: Bytes, kind: int, value: int) -> int:
    """Code any integer below 2**62 in magnitude: sign, number of bits, bits, under the first context."""
    negative = code_bit(m, data, 1, 1 << 20, kind * 2, 0, value < 0)
    value = abs(value)
    size = 0
    while size < 62 and code_bit(m, data, 1, (2 << 20) + size, kind * 2, 0, (value >> size) > 0):
        size += 1
    result = 1 if size else 0
    for shift in range(size - 2, -1, -1):
        place = (3 << 20) + size * 64 + shift
        result = result * 2 + code_bit(m, data, 1, place, kind * 2, 0, (value >> shift) & 1)
    return -result if negative else result
