"""Programs as flat integers, for kernels and columns: no text, no objects.

For each line its operation's code, then its arguments in order (a reference as its line, a predicate as its
code, a literal list as its length and elements); after the last line -1 and the output's line.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ktray.dsl.ops import BY_NAME, OPERATIONS, PREDICATE_BY_NAME, PREDICATES, Param
from ktray.dsl.program import Argument, Call, DslProgram, Ref
from ktray.kernels import njit

#: Stands where a line's operation would: the output follows.
END = -1


def encode_program(program: DslProgram) -> list[int]:
    """Return the flat form of `program`."""
    flat: list[int] = []
    for call in program.lines:
        flat.append(BY_NAME[call.op].code)
        for arg in call.args:
            flat.extend(_flat_argument(arg))
    return [*flat, END, program.output]


def _flat_argument(arg: Argument) -> Sequence[int]:
    if isinstance(arg, Ref):
        return (arg.line,)
    if isinstance(arg, tuple):
        return (len(arg), *arg)
    return (PREDICATE_BY_NAME[arg].code if isinstance(arg, str) else arg,)


def decode_program(flat: Sequence[int]) -> DslProgram:
    """Return the program of a flat form (a list of plain ints); mirror of `encode_program`."""
    lines: list[Call] = []
    at = 0
    while flat[at] != END:
        op = OPERATIONS[flat[at]]
        at += 1
        args: list[Argument] = []
        for param in op.params:
            value = flat[at]
            at += 1
            if param is Param.REF:
                args.append(Ref(value))
            elif param is Param.LIST:
                args.append(tuple(flat[at : at + value]))
                at += value
            else:
                args.append(PREDICATES[value].name if param is Param.PREDICATE else value)
        lines.append(Call(op.name, tuple(args)))
    return DslProgram(tuple(lines), flat[at + 1])


# -- lengths of texts, without making them ----------------------------------------------------------------

_REF, _LIST, _PREDICATE, _INTEGER = 0, 1, 2, 3
_KINDS = {Param.REF: _REF, Param.LIST: _LIST, Param.PREDICATE: _PREDICATE}
_MOST_PARAMS = max(len(op.params) for op in OPERATIONS)
_ARITIES = np.array([len(op.params) for op in OPERATIONS], np.int64)
_PARAMS = np.array(
    [
        [_KINDS.get(p, _INTEGER) for p in op.params] + [_INTEGER] * (_MOST_PARAMS - len(op.params))
        for op in OPERATIONS
    ],
    np.int64,
)
_OP_LETTERS = np.array([len(op.name) for op in OPERATIONS], np.int64)
_PREDICATE_LETTERS = np.array([len(p.name) for p in PREDICATES], np.int64)
_NAME_LETTERS = len("sequence_")
_LINE_LETTERS = len("sequence_ = ()\n")
_OUTPUT_LETTERS = len("output = sequence_")


@njit(cache=True)
def _digits(x: int) -> int:
    """Return the letters of an integer's text."""
    letters = 1
    if x < 0:
        letters, x = 2, -x
    while x >= 10:
        letters, x = letters + 1, x // 10
    return letters


@njit(cache=True)
def text_length(flat: NDArray[np.int32]) -> int:
    """Return the length of the canonical text of a flat form (shape (n,)), in characters."""
    letters, at, line = 0, 0, 0
    while flat[at] != END:
        op = flat[at]
        at += 1
        line += 1
        letters += _LINE_LETTERS + _digits(line) + _OP_LETTERS[op] + 2 * (_ARITIES[op] - 1)
        for i in range(_ARITIES[op]):
            value = int(flat[at])
            at += 1
            kind = _PARAMS[op, i]
            if kind == _REF:
                letters += _NAME_LETTERS + _digits(value + 1)
            elif kind == _PREDICATE:
                letters += _PREDICATE_LETTERS[value]
            elif kind == _LIST:
                letters += 2 + 2 * max(0, value - 1)
                for j in range(value):
                    letters += _digits(int(flat[at + j]))
                at += value
            else:
                letters += _digits(value)
    return int(letters + _OUTPUT_LETTERS + _digits(int(flat[at + 1]) + 1))


@njit(cache=True)
def text_lengths(flat: NDArray[np.int32], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the text lengths of many flat forms, one after another, the i-th ending at `ends[i]`."""
    lengths = np.zeros(len(ends), np.int64)
    start = 0
    for i in range(len(ends)):
        lengths[i] = text_length(flat[start : ends[i]])
        start = ends[i]
    return lengths
