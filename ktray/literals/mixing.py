"""The parts that all mixing models share: adaptive probabilities and logistic mixing, in integers.

The loops of all models are compiled without reference counts (`_nrt=False`): they allocate nothing, and
counting the many arrays of a state at every call costs a third of the time.

An adaptive probability is one int32: 22 bits of probability, then 9 bits of how often it was used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from ktray.kernels import njit
from ktray.literals.fixed import RECIPROCAL, Integer


@njit(cache=True, _nrt=False)
def adapt(table: Any, cell: Integer, bit: Integer, limit: Integer) -> None:
    """Average `bit` into a probability; one used `limit` times forgets at the rate 1 / limit
    (at most 511).
    """
    value = np.int64(table[cell])
    seen = value & 511
    p = value >> 9
    p += (((bit << 22) - p) * np.int64(RECIPROCAL[seen])) >> 16
    table[cell] = (p << 9) | (seen + 1 if seen < limit else limit)


@njit(cache=True, _nrt=False)
def dot(weights: Any, inputs: Any) -> Integer:
    """The sum of products of two int32 arrays."""
    total: Integer = np.int64(0)
    for i in range(inputs.shape[0]):
        total += np.int64(weights[i]) * np.int64(inputs[i])
    return total


@njit(cache=True, _nrt=False)
def train(weights: Any, inputs: Any, error: Integer) -> None:
    """weights += inputs * error / 2**14, for |inputs| < 2**11 and |error| < 2**20 (32-bit products
    vectorise).
    """
    step = np.int32(error)
    for i in range(inputs.shape[0]):
        weights[i] += np.int32(np.int32(np.int32(inputs[i] * step) + np.int32(0x2000)) >> np.int32(14))


#: An adaptive probability of one half that was never used.
HALF = 1 << 30
_MOST_WEIGHT = np.int32((1 << 20) - 1)


@njit(cache=True, _nrt=False)
def dot32(weights: Any, inputs: Any) -> Integer:
    """The sum of products of int32 weights below 2**20 and inputs below 2**10, over 256."""
    total = np.int32(0)
    for i in range(inputs.shape[0]):
        total = np.int32(total + np.int32(np.int32(weights[i] * inputs[i]) >> np.int32(8)))
    return np.int64(total)


@njit(cache=True, _nrt=False)
def train32(weights: Any, inputs: Any, error: Integer) -> None:
    """weights += inputs * error / 2**14, within +-2**20, for |inputs| < 2**10 and |error| < 2**20."""
    step = np.int32(error)
    for i in range(inputs.shape[0]):
        w = np.int32(
            weights[i] + np.int32(np.int32(np.int32(inputs[i] * step) + np.int32(0x2000)) >> np.int32(14))
        )
        weights[i] = min(max(w, -_MOST_WEIGHT), _MOST_WEIGHT)


def _touch(table: Any, at: Any) -> None:
    """Nothing: caches are compiled code's concern."""


@intrinsic
def _prefetch(context: Any, table: Any, at: Any) -> Any:
    """Ask for the cache line of table[at], a number or a row of a C-ordered table, without waiting for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte = ir.IntType(8).as_pointer()
        stride = builder.extract_value(array.strides, 0)
        start = builder.bitcast(array.data, byte)
        address = builder.gep(start, [builder.mul(arguments[1], stride)])
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [address, number(1), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(table, types.intp), generate


prefetch: Callable[[Any, Any], None] = _touch if config.DISABLE_JIT else _prefetch
