"""Programs that are nearly right, made right: whoever proposed them.

A program right on a prefix is cut or extended; one that is right up to one operation (an offset, a modulus, one
value substituted, elements dropped, the order, a repetition) gets that operation.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ktray.dsl.interpreter import ExecutionError, interpret, run_lines
from ktray.dsl.parser import parse
from ktray.dsl.printer import to_text
from ktray.dsl.program import Call, DslProgram, Ref
from ktray.errors import ProgramError
from ktray.programs import Language, Program
from ktray.proposers.search.arrays import Ints
from ktray.proposers.search.bank import Bank
from ktray.proposers.search.costs import Prices, learned_prices
from ktray.proposers.search.graph import refs
from ktray.proposers.search.polish import Price, polish
from ktray.proposers.search.quotes import Quotes
from ktray.proposers.search.spine import leaf, literal
from ktray.sequences import Values

#: Exact prices that improving one program may ask for.
QUOTES = 200

#: Fewest elements that must be right at the head of an output for it to be extended.
LEAST_RIGHT = 8


def shorten(
    program: DslProgram, values: Values, prices: Prices, price: Price, quotes: int
) -> tuple[DslProgram, float] | None:
    """Return the cheapest program found that makes `values` (uint8), and its bits by `price`; None where `program`
    is not even nearly right.

    `prices` are typical ones; at most about `quotes` programs are priced.
    """
    rights = list(corrected(program, values))
    polished = [polish(right, prices, price, quotes // len(rights)) for right in rights]
    return min(polished, key=lambda made: made[1], default=None)


def corrected(program: DslProgram, values: Values) -> Iterator[DslProgram]:
    """Yield programs that make `values`: the program itself where it is right, else repairs of it."""
    try:
        made = [np.array(line, np.int64) for line in run_lines(program)]
    except ExecutionError:
        return
    target = values.astype(np.int64)
    if np.array_equal(made[program.output], target):
        yield program
        return
    for repaired in (*_by_operation(program, made, target), *_by_prefix(program, made, target)):
        done = interpret(repaired).values
        if done is not None and np.array_equal(done, values):
            yield repaired


def _by_operation(program: DslProgram, made: list[Ints], target: Ints) -> Iterator[DslProgram]:
    """Yield the program followed by one operation on its output, and another list, that gives `target`."""
    for call in _ways(made, target):
        if program.output in refs(call):
            yield _followed(program, call)


def _ways(made: list[Ints], target: Ints) -> list[Call]:
    """Return the calls that make `target` from the lists of lines, the references being to lines."""
    bank, line = Bank(), dict[int, int]()
    for i, values in enumerate(made):
        if len(values):
            line[bank.add(values)] = i
    calls = bank.ways(bank.add(target), list(line))
    return [Call(c.op, tuple(Ref(line[a.line]) if type(a) is Ref else a for a in c.args)) for c in calls]


def _by_prefix(program: DslProgram, made: list[Ints], target: Ints) -> Iterator[DslProgram]:
    """Yield the program with its output cut where it goes wrong, and the rest of `target` appended."""
    output = made[program.output]
    right = _right(output, target)
    if right < min(LEAST_RIGHT, len(target)):
        return
    if right < len(output):
        program = _followed(program, Call("get_subsequence_between_indices", (Ref(program.output), 0, right)))
    rest = target[right:]
    if not len(rest):
        yield program
        return
    single = leaf(rest)
    for call in [*_ways(made, rest), single if single is not None else literal(rest)]:
        extended = _followed(program, call)
        yield _followed(extended, Call("concatenate", (Ref(program.output), Ref(extended.output))))


def _right(output: Ints, target: Ints) -> int:
    """Return how many elements at the head of an output are right."""
    n = min(len(output), len(target))
    wrong = np.flatnonzero(output[:n] != target[:n])
    return int(wrong[0]) if len(wrong) else n


def _followed(program: DslProgram, call: Call) -> DslProgram:
    """Return the program with one more line, which is its output."""
    return DslProgram((*program.lines, call), len(program.lines))


class Improver:
    """Shortens and repairs DSL programs of any origin under the adaptive prior."""

    def __init__(self) -> None:
        self._prices = learned_prices()
        self._quotes = Quotes()

    def __call__(self, program: Program, values: Values) -> Program | None:
        """Return a program that makes `values` (uint8); None where `program` is far off or no DSL program."""
        if program.language is not Language.DSL or not len(values):
            return None
        try:
            parsed = parse(program.text)
        except ProgramError:
            return None
        found = shorten(parsed, values, self._prices, self._quotes, QUOTES)
        return Program(Language.DSL, to_text(found[0])) if found else None
