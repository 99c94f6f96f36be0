"""DSL programs as rows of integers, the form that compiled code works on, and back."""

from __future__ import annotations

from typing import NamedTuple

from ktray.dsl.ops import BY_NAME, OPERATIONS, PREDICATE_BY_NAME, PREDICATES, Param
from ktray.dsl.program import Argument, Call, DslProgram, Ref
from ktray.priors.adaptive.machine import CELLS, COLUMNS, FIRST, MAGNITUDE, NATIVE, SECOND, X, Y, Z
from ktray.priors.adaptive.model import MAX_LINES


def _columns(params: tuple[Param, ...]) -> tuple[int, ...]:
    """Return the column of each argument; a literal list has its offset in X and its length in Y."""
    references, integers = iter((FIRST, SECOND)), iter((X, Y, Z))
    return tuple(next(references) if param is Param.REF else next(integers) for param in params)


#: The columns of each operation's arguments.
COLUMN_OF = {op.name: _columns(op.params) for op in OPERATIONS[:NATIVE]}
_PREDICATE_CODES = {name: predicate.code for name, predicate in PREDICATE_BY_NAME.items()}


class Flat(NamedTuple):
    """Rows of `COLUMNS` integers, a row a line, and the elements of all literal lists one after another."""

    rows: list[list[int]]
    items: list[int]


def flatten(program: DslProgram) -> Flat | None:
    """Return the flat form of a program whose last line is its output; None where the model has none."""
    if len(program.lines) > MAX_LINES:
        return None
    rows: list[list[int]] = []
    items: list[int] = []
    for op, args in [(call.op, call.args) for call in program.lines]:
        columns = COLUMN_OF.get(op)
        if columns is None:
            return None
        row = [0] * COLUMNS
        row[0] = BY_NAME[op].code
        for column, arg in zip(columns, args, strict=True):
            if type(arg) is Ref:
                row[column] = arg.line
            elif type(arg) is int:
                if not -MAGNITUDE < arg < MAGNITUDE:
                    return None
                row[column] = arg
            elif type(arg) is tuple:
                row[X], row[Y] = len(items), len(arg)
                items.extend(arg)
            else:
                row[column] = _PREDICATE_CODES[str(arg)]
        rows.append(row)
    if items and (len(items) > CELLS or max(items) >= MAGNITUDE or min(items) <= -MAGNITUDE):
        return None
    return Flat(rows, items)


def unflatten(rows: list[list[int]], items: list[int]) -> DslProgram:
    """Return the program of flat rows; mirror of `flatten`."""
    return DslProgram(tuple([_call(row, items) for row in rows]), len(rows) - 1)


def _call(row: list[int], items: list[int]) -> Call:
    op = OPERATIONS[row[0]]
    args: list[Argument] = []
    for column, param in zip(COLUMN_OF[op.name], op.params, strict=True):
        value = row[column]
        if param is Param.REF:
            args.append(Ref(value))
        elif param is Param.LIST:
            args.append(tuple(items[value : value + row[Y]]))
        else:
            args.append(PREDICATES[value].name if param is Param.PREDICATE else value)
    return Call(op.name, tuple(args))
