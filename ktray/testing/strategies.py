"""Hypothesis strategies for ktray's records: programs of the DSL, sequences, blocks of entries."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from ktray.dsl.interpreter import interpret
from ktray.dsl.ops import INTEGER_BOUND, INTEGER_PARAMS, OPERATIONS, PREDICATES, Dialect, Operation, Param
from ktray.dsl.printer import to_text
from ktray.dsl.program import Argument, Call, DslProgram, Ref
from ktray.ports import Entry
from ktray.programs import Language, Program
from ktray.sequences import KtSequence, Values, make_sequence


def integers(tame: bool = False) -> st.SearchStrategy[int]:
    """Integers of a program: bytes mostly; unless `tame`, everything that the language allows."""
    if tame:
        return st.integers(0, 255)
    edges = st.sampled_from([-1, 0, 1, 31, 32, 255, 256, 257, 1 - INTEGER_BOUND, INTEGER_BOUND - 1])
    return st.one_of(st.integers(0, 255), edges, st.integers(1 - INTEGER_BOUND, INTEGER_BOUND - 1))


@st.composite
def calls(draw: st.DrawFn, line: int, tame: bool = False) -> Call:
    """One call that can stand on line `line`, counted from 0."""
    ops = [op for op in OPERATIONS if op.dialect is Dialect.DSL and (line or Param.REF not in op.params)]
    op = draw(st.sampled_from(ops))
    return Call(op.name, tuple(draw(_argument(op, i, line, tame)) for i in range(len(op.params))))


def _argument(op: Operation, i: int, line: int, tame: bool) -> st.SearchStrategy[Argument]:
    param = op.params[i]
    if param is Param.REF:
        return st.integers(0, line - 1).map(Ref)
    if param is Param.LIST:
        return st.lists(integers(tame), max_size=40).map(tuple)
    if param is Param.PREDICATE:
        return st.sampled_from([p.name for p in PREDICATES])
    if tame and param in INTEGER_PARAMS - {Param.VALUE, Param.END, Param.INDEX}:
        return st.integers(1, 9)
    return integers(tame)


@st.composite
def programs(draw: st.DrawFn, max_lines: int = 12, tame: bool = False) -> DslProgram:
    """Any program that the parser can give; whether it runs is open. `tame` ones mostly do."""
    lines = [draw(calls(i, tame)) for i in range(draw(st.integers(1, max_lines)))]
    last = len(lines) - 1
    output = draw(st.one_of(st.just(last), st.integers(0, last)))
    return DslProgram(tuple(lines), output)


@st.composite
def solved(draw: st.DrawFn) -> tuple[DslProgram, Values]:
    """A program that runs, with the sequence it gives."""
    program = draw(programs(max_lines=6, tame=True))
    last = len(program.lines)
    bounded = (*program.lines, Call("modulo_item_list", (Ref(program.output), 256)))
    for candidate in (program, DslProgram(bounded, last)):
        values = interpret(candidate).values
        if values is not None:
            return candidate, values
    return DslProgram((Call("set_list", ((1, 2, 3),)),), 0), np.array([1, 2, 3], np.uint8)


def values(max_size: int = 80) -> st.SearchStrategy[Values]:
    """The elements of a sequence: bytes, or symbols of a small alphabet."""
    alphabets = st.sampled_from([1, 3, 7, 255])
    lists = alphabets.flatmap(lambda top: st.lists(st.integers(0, top), max_size=max_size))
    return lists.map(lambda elements: np.array(elements, np.uint8))


def sequences(max_size: int = 80) -> st.SearchStrategy[KtSequence]:
    """Sequences with any origin, at any start."""
    return st.builds(make_sequence, st.text(max_size=8), st.integers(0, 1 << 40), values(max_size))


def python_texts() -> st.SearchStrategy[str]:
    """Program texts that UTF-8 can hold: NUL, newlines and all."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@st.composite
def entries(draw: st.DrawFn, max_size: int = 12) -> list[Entry]:
    """Blocks of mixed entries: literals, DSL programs with what they give, Python texts with any values."""

    def entry(kind: int) -> Entry:
        if kind == 0:
            return Entry(draw(values()))
        if kind == 1:
            program, made = draw(solved())
            return Entry(made, Program(Language.DSL, to_text(program)))
        return Entry(draw(values()), Program(Language.PYTHON, draw(python_texts())))

    return [entry(kind) for kind in draw(st.lists(st.integers(0, 2), max_size=max_size))]


def plays(block: list[Entry]) -> Any:
    """Return a RunProgram for tests: it gives each program of `block` the values it has there.

    Two entries with one text and other values cannot both be played: make such blocks unlike first.
    """
    return {entry.program: entry.values for entry in block if entry.program is not None}.__getitem__
