"""The decisions that a program is made of, and what their contexts look at."""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from numba import int64, void

from ktray.kernels import njit
from ktray.priors.adaptive.machine import NATIVE, OP, TAPE_TYPE, Tape
from ktray.priors.adaptive.model import MODEL_TYPE, Model, set_context

_M, _T, _I = MODEL_TYPE, TAPE_TYPE, int64

#: The operation "before the first", and the one that ends a program.
NONE = END = NATIVE

# Numbers to code; each has two mixers (see `code_bounded`).
(
    D_START,
    D_STEP,
    D_SPAN,
    D_TIMES,
    D_VALUE,
    D_COPIES,
    D_OLD,
    D_NEW,
    D_JUMP,
    D_FROM,
    D_TO,
    D_COUNT,
    D_ADD,
    D_SUBTRACT,
    D_MODULO,
    D_PREDICATE,
    D_LENGTH,
    D_ITEM,
    D_GAMMA,
    D_SIZE,
    D_LITERAL,
    D_INDEX,
) = range(22)

# Other decisions; each has one mixer of the same number.
(
    D_END,
    D_MERGE,
    D_WHICH_MERGE,
    D_INITIATOR,
    D_WHICH_INITIATOR,
    D_AGAIN,
    D_UPDATE,
    D_FIRST,
    D_SECOND,
    D_UNARY,
    D_PAIR,
    D_ESCAPE,
    D_KIND,
    D_DIRECT,
) = range(64, 78)


@njit(_I(_T, _I), cache=True)
def op_at(t: Tape, i: int) -> int:
    return t.lines[i, OP] if i >= 0 else NONE


@njit(_I(_T, _I), cache=True)
def size_of(t: Tape, j: int) -> int:
    return t.begin[j + 1] - t.begin[j]


@njit(_I(_I), cache=True)
def digits(value: int) -> int:
    """Return the number of binary digits of a value (0 for 0 and below)."""
    size = 0
    while value > 0:
        value >>= 1
        size += 1
    return size


@njit(_I(_T, _I), cache=True)
def divides(t: Tape, j: int) -> int:
    """Return which predicates some element of list j passes: 1 even, 2 odd, 4 zero."""
    found = 0
    for k in range(t.begin[j], t.begin[j + 1]):
        value = t.cells[k]
        found |= 2 if value % 2 else 1
        if value == 0:
            found |= 4
    return found


@njit(void(_M, _I, _I, _I), cache=True)
def set_contexts(m: Model, kind: int, a: int, b: int) -> None:
    """Set the three contexts of an argument: its kind alone, and with each of two others."""
    set_context(m, 0, 16 + kind, 0)
    set_context(m, 1, 16 + kind, a)
    set_context(m, 2, 16 + kind, b)
