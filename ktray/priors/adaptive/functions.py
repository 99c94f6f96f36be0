"""Codes which function a line calls, or that the program ends."""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from numba import int64, void

from ktray.kernels import njit
from ktray.priors.adaptive.decisions import (
    D_AGAIN,
    D_END,
    D_INITIATOR,
    D_MERGE,
    D_UPDATE,
    D_WHICH_INITIATOR,
    D_WHICH_MERGE,
    END,
    op_at,
)
from ktray.priors.adaptive.machine import (
    CONCATENATE,
    FIRST,
    INTERLEAVE,
    OP,
    REPEAT_LIST,
    SET_LIST,
    TAPE_TYPE,
    Tape,
    is_merge,
    is_unary,
)
from ktray.priors.adaptive.model import (
    BYTES_TYPE,
    FUNCTION,
    MODEL_TYPE,
    Bytes,
    Model,
    code_bit,
    mix_hash,
    set_context,
)

_M, _T, _B, _I = MODEL_TYPE, TAPE_TYPE, BYTES_TYPE, int64


@njit(void(_M, _T, _I, _I), cache=True)
def _function_contexts(m: Model, t: Tape, i: int, unused: int) -> None:
    """Set the contexts of the choice of line i's function."""
    last, before, third = op_at(t, i - 1), op_at(t, i - 2), op_at(t, i - 3)
    seen = 0
    pool = 0
    merges = 0
    for j in range(i):
        op = t.lines[j, OP]
        seen |= 1 << op
        if is_merge(op):
            merges += 1
        else:
            pool += 1
    reach = i - 1 - t.lines[i - 1, FIRST] if i and is_unary(last) else 0
    extra = max(merges - pool + 1, 0)
    set_context(m, 0, 1, last * 22 + before)
    set_context(m, 1, 1, (last * 22 + before) * 22 + third)
    set_context(m, 2, 1, (last * 32 + min(unused, 31)) * 32 + min(i, 31))
    set_context(m, 3, 1, last * 32 + min(reach, 31))
    set_context(m, 4, 1, ((min(extra, 15) * 16 + min(pool, 15)) * 16 + min(unused, 15)) * 2 + is_merge(last))
    set_context(m, 5, 1, mix_hash(seen & 0xFFFFF, last))


@njit(_I(_M, _B, _I, _I), cache=True)
def _code_update(m: Model, data: Bytes, last: int, op: int) -> int:
    """Code an operation that neither makes a list from nothing nor joins two: again the last, or which."""
    if REPEAT_LIST <= last < CONCATENATE and code_bit(m, data, 6, 8, D_AGAIN, 0, op == last):
        return last
    node = 1
    for shift in range(3, -1, -1):
        node = node * 2 + code_bit(m, data, 6, 16 + node, D_UPDATE, 0, (op - REPEAT_LIST) >> shift & 1)
    return REPEAT_LIST + node - 16


@njit(_I(_M, _B, _T, _I, _I), cache=True)
def code_function(m: Model, data: Bytes, t: Tape, i: int, op: int) -> int:
    """Code the function of line i, or END; END only where every list but the newest is used."""
    m.mode[2] = FUNCTION
    unused = 0
    for j in range(i):
        unused += t.merged[j] + t.worked[j] == 0
    _function_contexts(m, t, i, unused)
    if i and unused == 1 and code_bit(m, data, 6, 1, D_END, 0, op == END):
        return END
    if i:
        if code_bit(m, data, 6, 2, D_MERGE, 0, op >= CONCATENATE):
            return CONCATENATE + code_bit(m, data, 6, 3, D_WHICH_MERGE, 0, op == INTERLEAVE)
        if not code_bit(m, data, 6, 4, D_INITIATOR, 0, op <= SET_LIST):
            return _code_update(m, data, op_at(t, i - 1), op)
    high = code_bit(m, data, 6, 5, D_WHICH_INITIATOR, 0, op >> 1 & 1)
    return high * 2 + code_bit(m, data, 6, 6 + high, D_WHICH_INITIATOR, 0, op & 1)
