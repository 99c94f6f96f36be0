"""Text to program: exactly the published form, with comments, blank lines and free spacing between tokens.

Programs spelled canonically take a quick path; all others are read row by row, and a row that is refused once
more token by token, to say where and why. A program that both paths accept is the same on both.
"""

from __future__ import annotations

import re
from typing import NoReturn

from ktray.dsl.ops import (
    BY_NAME,
    INTEGER_BOUND,
    INTEGER_PARAMS,
    PREDICATE_BY_NAME,
    Dialect,
    Operation,
    Param,
)
from ktray.dsl.program import Argument, Call, DslProgram, Ref
from ktray.errors import ProgramError

#: The first line of a text that uses the second dialect; without it, its operations are not known.
DIALECT_LINE = "# dsl2\n"

#: Longest source text in characters; the sandbox caps Python programs alike.
MAX_SOURCE = 64 * 1024

_INTEGER = r"-?(?:0|[1-9][0-9]{0,18})"
_NAME = r"sequence_[1-9][0-9]*"
_SPACE = r"[ \t\r]*+"
_LITERAL = rf"\[{_SPACE}(?:{_INTEGER}(?:{_SPACE},{_SPACE}{_INTEGER})*)?{_SPACE}\]"
_COMMENT = r"(?:#.*)?"

_PATTERNS = {Param.REF: _NAME, Param.LIST: _LITERAL, Param.PREDICATE: "|".join(PREDICATE_BY_NAME)}
_EXPECTED = {
    Param.REF: "an earlier list such as sequence_1",
    Param.LIST: "a literal list of integers such as [1, 2, 3]",
    Param.PREDICATE: f"a predicate: {', '.join(PREDICATE_BY_NAME)}",
}

_CALL = re.compile(rf"{_SPACE}({_NAME}){_SPACE}={_SPACE}([a-z0-9_]+){_SPACE}\(([^()#]*)\){_SPACE}{_COMMENT}$")
_OUTPUT = re.compile(rf"{_SPACE}output{_SPACE}={_SPACE}({_NAME}){_SPACE}{_COMMENT}$")
_ROWS = re.compile(rf"^({_NAME}) = ([a-z0-9_]+)\(([^()#\n]*)\)$", re.MULTILINE)
_EMPTY = re.compile(rf"{_SPACE}{_COMMENT}$")

_REFS = tuple(Ref(line) for line in range(256))


def _argument_pattern(op: Operation) -> re.Pattern[str]:
    """Return the pattern of an operation's argument list, one group an argument."""
    groups = (f"({_PATTERNS.get(param, _INTEGER)})" for param in op.params)
    return re.compile(_SPACE + rf"{_SPACE},{_SPACE}".join(groups) + _SPACE + "$")


_ARGUMENTS = {name: _argument_pattern(op) for name, op in BY_NAME.items()}

#: The quick path of the published dialect: argument types by operation, and the tokens it looks up.
_TYPES: dict[Param, type] = {Param.REF: Ref, Param.LIST: tuple, Param.PREDICATE: str}
_LITERAL_SIGNATURE: tuple[type, ...] = (tuple,)
_SIGNATURES: dict[str, tuple[type, ...]] = {
    op.name: _LITERAL_SIGNATURE
    if op.params == (Param.LIST,)
    else tuple(_TYPES.get(param, int) for param in op.params)
    for op in BY_NAME.values()
    if op.dialect is Dialect.DSL
}
_EVERYDAY: dict[str, int | str] = {str(i): i for i in range(-256, 4096)} | {
    name: name for name in PREDICATE_BY_NAME
}


class _Refused(Exception):
    """A line that is not well formed; what is wrong with it is found out afterwards."""


def _ref(line: int) -> Ref:
    return _REFS[line] if line < len(_REFS) else Ref(line)


def _quick_call(op_name: str, arguments: str, names: dict[str, Ref]) -> Call | None:
    """Return the call of a line spelled canonically with everyday numbers, or None for a closer look."""
    signature = _SIGNATURES.get(op_name)
    if signature is None:
        return None
    if signature is _LITERAL_SIGNATURE:
        values = tuple(map(_EVERYDAY.get, arguments[1:-1].split(", ")))
        if None in values or str in map(type, values) or arguments[0] + arguments[-1] != "[]":
            return None
        return Call(op_name, (values,))  # type: ignore[arg-type]
    args = tuple([names.get(text) or _EVERYDAY.get(text) for text in arguments.split(", ")])
    return Call(op_name, args) if tuple(map(type, args)) == signature else None  # type: ignore[arg-type]


def _read_call(op_name: str, arguments: str, names: dict[str, Ref], dialect: Dialect) -> Call:
    """Return the call of any well-formed line, or raise _Refused."""
    op = BY_NAME.get(op_name)
    if op is None or (op.dialect is Dialect.DSL2 and dialect is Dialect.DSL):
        raise _Refused
    match = _ARGUMENTS[op_name].match(arguments)
    if match is None:
        raise _Refused
    return Call(
        op_name, tuple(_read_argument(*pair, names) for pair in zip(op.params, match.groups(), strict=True))
    )


def _read_argument(param: Param, text: str, names: dict[str, Ref]) -> Argument:
    if param is Param.REF:
        if text not in names:
            raise _Refused
        return names[text]
    if param is Param.LIST:
        return tuple(map(_integer, text[1:-1].split(","))) if text[1:-1].strip(" \t\r") else ()
    return text if param is Param.PREDICATE else _integer(text)


def _integer(text: str) -> int:
    value = int(text)
    if -INTEGER_BOUND < value < INTEGER_BOUND:
        return value
    raise _Refused


def parse(text: str, dialect: Dialect = Dialect.DSL) -> DslProgram:
    """Return the program that `text` spells; raise ProgramError with line and column where it is none.

    One call a line, then `output = sequence_N` as the last statement; a name may be assigned again and then
    means the newer list. Integers stay below 2**62 in magnitude, the text at 65,536 characters. A text whose
    first line is DIALECT_LINE is read in the second dialect, others in `dialect`.
    """
    if len(text) > MAX_SOURCE:
        raise ProgramError(f"the program has {len(text)} characters; at most {MAX_SOURCE} are allowed")
    return _parse_quickly(text) or _parse_rows(
        text, Dialect.DSL2 if text.startswith(DIALECT_LINE) else dialect
    )


def _parse_quickly(text: str) -> DslProgram | None:
    """Return the program of a canonical text, or None for a closer look."""
    head, _, last = text.rpartition("\n")
    rows = _ROWS.findall(head)
    if len(rows) != head.count("\n") + 1:
        return None
    calls: list[Call] = []
    names: dict[str, Ref] = {}
    for line, (name, op_name, arguments) in enumerate(rows):
        call = _quick_call(op_name, arguments, names)
        if call is None:
            return None
        calls.append(call)
        names[name] = _REFS[line] if line < 256 else Ref(line)
    output = names.get(last[9:]) if last[:9] == "output = " else None
    return DslProgram(tuple(calls), output.line) if output else None


def _parse_rows(text: str, dialect: Dialect) -> DslProgram:
    """Return the program of any text that spells one, or raise ProgramError."""
    calls: list[Call] = []
    names: dict[str, Ref] = {}
    rows = text.split("\n")
    for number, row in enumerate(rows, 1):
        match = _CALL.match(row)
        if match is None:
            if _EMPTY.match(row):
                continue
            return _finish(rows, number, calls, names)
        name, op_name, arguments = match.groups()
        try:
            calls.append(_read_call(op_name, arguments, names, dialect))
        except _Refused:
            _diagnose(row, number, names, dialect)
        names[name] = _ref(len(calls) - 1)
    raise ProgramError("the program ends without a last line `output = sequence_N`", len(rows), 1)


def _finish(rows: list[str], number: int, calls: list[Call], names: dict[str, Ref]) -> DslProgram:
    """Return the program whose output statement is row `number`, or raise ProgramError."""
    row = rows[number - 1]
    match = _OUTPUT.match(row)
    if match is None:
        _diagnose(row, number, names, Dialect.DSL2)
    if match.group(1) not in names:
        raise ProgramError(f"{match.group(1)} is not defined above", number, match.start(1) + 1)
    for later, rest in enumerate(rows[number:], number + 1):
        if not _EMPTY.match(rest):
            raise ProgramError("expected nothing after the output statement", later, _first(rest))
    return DslProgram(tuple(calls), names[match.group(1)].line)


def _first(row: str) -> int:
    """Return the column (from 1) of a row's first token."""
    return len(row) - len(row.lstrip(" \t\r")) + 1


class _Walk:
    """Reads one row token by token and raises at the first that does not fit."""

    def __init__(self, row: str, number: int) -> None:
        self.row, self.number, self.at = row, number, 0
        self.skip()

    def skip(self) -> None:
        while self.at < len(self.row) and self.row[self.at] in " \t\r":
            self.at += 1

    def fail(self, message: str, at: int | None = None) -> NoReturn:
        raise ProgramError(message, self.number, (self.at if at is None else at) + 1)

    def take(self, pattern: str, expected: str) -> tuple[str, int]:
        """Return the token that matches `pattern` and where it starts; skip the spaces after it."""
        match = re.compile(pattern).match(self.row, self.at)
        if match is None:
            rest = self.row[self.at :]
            token = re.match(r"\w+|.", rest) if rest else None
            self.fail(
                f"expected {expected}, found {repr(token.group()[:40]) if token else 'the end of the line'}"
            )
        start, self.at = self.at, match.end()
        self.skip()
        return match.group(), start


def _diagnose(row: str, number: int, names: dict[str, Ref], dialect: Dialect) -> NoReturn:
    """Raise the ProgramError that says what is wrong with `row`."""
    walk = _Walk(row, number)
    target, _ = walk.take(rf"output\b|{_NAME}\b", "`sequence_N = ...` or `output = sequence_N`")
    walk.take("=", "`=`")
    if target == "output":
        walk.take(rf"{_NAME}\b", _EXPECTED[Param.REF])
    else:
        _diagnose_call(walk, names, dialect)
    walk.take(r"(?=#)|$", "the end of the line")
    raise ProgramError("this line is not of the form `sequence_N = operation(...)`", number, _first(row))


def _diagnose_call(walk: _Walk, names: dict[str, Ref], dialect: Dialect) -> None:
    name, at = walk.take(r"\w+", "the name of an operation")
    op = BY_NAME.get(name)
    if op is None or (op.dialect is Dialect.DSL2 and dialect is Dialect.DSL):
        walk.fail(f"there is no operation {name!r}; see the README's table of operations", at)
    walk.take(r"\(", "`(`")
    for i, param in enumerate(op.params):
        if i:
            walk.take(",", f"`,`: {name} takes {len(op.params)} arguments")
        token, at = walk.take(_PATTERNS.get(param, r"-?[0-9]+"), _EXPECTED.get(param, "an integer"))
        if param is Param.REF and token not in names:
            walk.fail(f"{token} is not defined above", at)
        for integer in re.findall(r"-?[0-9]+", token) if param in INTEGER_PARAMS | {Param.LIST} else ():
            _check_integer(walk, integer, at)
    walk.take(r"\)", f"`)`: {name} takes {len(op.params)} argument{'s'[: len(op.params) != 1]}")


def _check_integer(walk: _Walk, text: str, at: int) -> None:
    if not re.fullmatch(_INTEGER, text):
        walk.fail(f"{text[:40]} is not a plain integer below 2**62 in magnitude, without leading zeros", at)
    if not -INTEGER_BOUND < int(text) < INTEGER_BOUND:
        walk.fail(f"{text} is not below 2**62 in magnitude", at)
