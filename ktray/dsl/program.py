"""A DSL program as frozen records; a line refers only to lines above it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ref:
    """The list made by an earlier line (counted from 0)."""

    line: int


#: An argument: an earlier list, an integer, a literal list, or a predicate's name.
Argument = Ref | int | tuple[int, ...] | str


@dataclass(frozen=True, slots=True)
class Call:
    """One line: the operation's name and its arguments in the order of the text."""

    op: str
    args: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class DslProgram:
    """Lines of calls, and the index of the line (from 0) whose list is the output."""

    lines: tuple[Call, ...]
    output: int
