"""Programs as flat integers, for kernels and columns: no text, no objects.

For each line its operation's code, then its arguments in order (a reference as its line, a predicate as its
code, a literal list as its length and elements); after the last line -1 and the output's line.
"""

from __future__ import annotations

from collections.abc import Sequence

from ktray.dsl.ops import BY_NAME, OPERATIONS, PREDICATE_BY_NAME, PREDICATES, Param
from ktray.dsl.program import Argument, Call, DslProgram, Ref

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
