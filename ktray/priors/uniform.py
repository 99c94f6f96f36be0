"""The uniform prior: every choice in a program equally likely in its range (paper: Alg. 1), made decodable.

The published price is kept bit for bit for the paper ledger. The code differs where that price cannot be
decoded: lists tell their length, ranges of arguments are as wide as published programs need, a value outside
takes an escape, so that every program has a code. A line's symbol is one of 25: an operation (`filter` with
each of its predicates), "the output is the last line", "the output is another line". In the second dialect
there are as many more as it has operations, which makes every line dearer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf

import numpy as np
from numpy.typing import NDArray

from ktray.coding.symbols import SymbolReader, encode_symbols, packed, put_escape, symbol_bits
from ktray.dsl.ops import (
    BY_NAME,
    LINE_BITS,
    OPERATIONS,
    PREDICATES,
    Dialect,
    Param,
    find_dialect,
)
from ktray.dsl.parser import MAX_SOURCE, parse
from ktray.dsl.printer import to_text
from ktray.dsl.program import Argument, Call, DslProgram, Ref
from ktray.errors import ArchiveError, ProgramError
from ktray.priors.static import StaticPrior

#: The values of each kind that have a symbol of their own, first and last; others take the escape.
RANGES: dict[Param, tuple[int, int]] = {
    Param.VALUE: (0, 255),
    Param.END: (0, 256),
    Param.STEP: (1, 7),
    Param.JUMP: (1, 7),
    Param.TIMES: (2, 32),
    Param.REPEATS: (2, 8),
    Param.INDEX: (0, 254),
    Param.COUNT: (0, 254),
    Param.CONSTANT: (0, 255),
    Param.MODULUS: (2, 256),
    Param.LENGTH: (1, 1022),
}
LENGTHS = (0, 30)

#: Longest list and program that a decoder takes back: no source text of 64 KB holds more.
_MAX_LENGTH = 1 << 16
#: No canonical text is so many times as long as the one it was made of: blanks in lists, names by line numbers.
_LONGER = 8


@dataclass(frozen=True, slots=True)
class Alphabet:
    """What the symbols of a line stand for, an operation and, for filter, its predicate; and how each begins."""

    symbols: tuple[tuple[str, str | None], ...]
    heads: dict[str, int]

    @property
    def last(self) -> int:
        """The symbol of "the output is the last line"; the next one is that of another line."""
        return len(self.symbols)

    @property
    def size(self) -> int:
        """How many symbols there are."""
        return len(self.symbols) + 2


def _alphabet(dialect: Dialect) -> Alphabet:
    symbols = [
        (op.name, predicate)
        for op in OPERATIONS
        for predicate in ([p.name for p in PREDICATES] if Param.PREDICATE in op.params else [None])
        if op.dialect is Dialect.DSL or dialect is Dialect.DSL2
    ]
    heads = {predicate or op: packed(s, len(symbols) + 2) for s, (op, predicate) in enumerate(symbols)}
    return Alphabet(tuple(symbols), heads)


#: The symbols of each dialect; the published one has those of the paper, 25.
ALPHABETS = {dialect: _alphabet(dialect) for dialect in Dialect}
_PUBLISHED = ALPHABETS[Dialect.DSL]


def _span(bounds: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return first and last value, the number of symbols with the escape, the packed symbol of value 0."""
    low, high = bounds
    total = high - low + 2
    return low, high, total, packed(0, total) - low


_LENGTH_SPAN = _span(LENGTHS)
_VALUE_SPAN = _span(RANGES[Param.VALUE])
_SPANS = {op.name: tuple(_span(RANGES[p]) if p in RANGES else None for p in op.params) for op in OPERATIONS}


def put_program(out: list[int], program: DslProgram, alphabet: Alphabet = _PUBLISHED) -> None:
    """Append the packed symbols of `program`. Raises KeyError for an operation of another dialect."""
    heads = alphabet.heads
    for i, call in enumerate(program.lines):
        head = heads.get(call.op)
        out.append(heads[str(call.args[0])] if head is None else head)
        for arg, span in zip(call.args, _SPANS[call.op], strict=True):
            if type(arg) is Ref:
                if i > 1:
                    out.append((i << 24) | arg.line)
            elif type(arg) is int and span:
                low, high, _, zero = span
                if low <= arg <= high:
                    out.append(zero + arg)
                else:
                    _put_outside(out, arg, span)
            elif type(arg) is tuple:
                _put_list(out, arg)
    last = len(program.lines) - 1
    out.append(packed(alphabet.last + (program.output != last), alphabet.size))
    if program.output != last and last > 1:
        out.append(packed(program.output, last))


def _put_outside(out: list[int], value: int, span: tuple[int, int, int, int]) -> None:
    low, high, total, _ = span
    out.append(packed(total - 1, total))
    put_escape(out, value, low, high)


def _put_list(out: list[int], values: tuple[int, ...]) -> None:
    """Append a literal list: length, elements (the escape's symbol where outside), what was outside."""
    low, high, total, zero = _LENGTH_SPAN
    if len(values) <= high:
        out.append(zero + len(values))
    else:
        _put_outside(out, len(values), _LENGTH_SPAN)
    low, high, total, zero = _VALUE_SPAN
    if not values or (min(values) >= low and max(values) <= high):
        out.extend([zero + value for value in values])
        return
    out.extend([zero + v if low <= v <= high else packed(total - 1, total) for v in values])
    for value in values:
        if not low <= value <= high:
            put_escape(out, value, low, high)


def take_program(reader: SymbolReader, alphabet: Alphabet = _PUBLISHED) -> DslProgram:
    """Return the next program; mirror of `put_program`. Raises ArchiveError where it cannot be one."""
    lines: list[Call] = []
    while (symbol := reader.take(alphabet.size)) < alphabet.last:
        op, predicate = alphabet.symbols[symbol]
        args = [
            predicate if param is Param.PREDICATE and predicate else _take_argument(reader, param, len(lines))
            for param in BY_NAME[op].params
        ]
        lines.append(Call(op, tuple(args)))
        if len(lines) > _MAX_LENGTH:
            raise ArchiveError("damaged: a program without an end")
    last = len(lines) - 1
    if last < (0 if symbol == alphabet.last else 1):
        raise ArchiveError("damaged: a program that puts out a line it does not have")
    if symbol == alphabet.last:
        return DslProgram(tuple(lines), last)
    return DslProgram(tuple(lines), reader.take(last) if last > 1 else 0)


def _take_argument(reader: SymbolReader, param: Param, line: int) -> Argument:
    if param is Param.REF:
        if not line:
            raise ArchiveError("damaged: a program whose first line refers to a line above it")
        return Ref(reader.take(line) if line > 1 else 0)
    if param is Param.LIST:
        return _take_list(reader)
    low, high = RANGES[param]
    symbol = reader.take(high - low + 2)
    return low + symbol if symbol <= high - low else reader.take_escape(low, high)


def _take_list(reader: SymbolReader) -> tuple[int, ...]:
    low, high, total, _ = _LENGTH_SPAN
    symbol = reader.take(total)
    length = low + symbol if symbol < total - 1 else reader.take_escape(low, high)
    if not 0 <= length <= _MAX_LENGTH:
        raise ArchiveError(f"damaged: a literal list of {length} elements")
    low, high, total, _ = _VALUE_SPAN
    symbols = reader.take_many(total, length)
    return tuple([low + s if s < total - 1 else reader.take_escape(low, high) for s in symbols])


def published_bits(program: DslProgram) -> float:
    """Return the paper's uniform price of `program` in bits (Alg. 1), the output line's included."""
    lines = sum(BY_NAME[call.op].published_bits(call.args, i) for i, call in enumerate(program.lines))
    return lines + LINE_BITS


def _parsed(text: str) -> DslProgram | None:
    try:
        return parse(text)
    except ProgramError:
        return None


class UniformCode:
    """DSL programs by the uniform code of a dialect; a text comes back in canonical form."""

    def __init__(self, dialect: Dialect = Dialect.DSL) -> None:
        self._alphabet = ALPHABETS[dialect]

    def published(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the paper's uniform price of each text, inf where it is no program of the published dialect."""
        programs = map(_parsed, texts)
        return np.array([inf if p is None or not _in(p, _PUBLISHED) else published_bits(p) for p in programs])

    def prices(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the bits that the code spends on each text, inf where it is no program of the dialect."""
        codes: list[int] = []
        counts: list[int] = []
        for text in texts:
            program = _parsed(text)
            before = len(codes)
            if program is not None and _in(program, self._alphabet) and _comes_back(text, program):
                put_program(codes, program, self._alphabet)
            counts.append(len(codes) - before)
        return _summed(codes, counts)

    def encode(self, texts: Sequence[str]) -> tuple[bytes, float]:
        """Return the programs one after another, and their bits."""
        codes: list[int] = []
        for text in texts:
            put_program(codes, parse(text), self._alphabet)
        return encode_symbols(codes), float(symbol_bits(np.array(codes, np.int64)).sum())

    def decode(self, data: bytes, n: int) -> list[str]:
        """Return the `n` canonical texts; mirror of `encode`. Raises ArchiveError where `data` cannot hold them."""
        if n > len(data):  # a program costs more than a byte
            raise ArchiveError("damaged: a block names more programs than its bytes can hold")
        reader = SymbolReader(data)
        return [to_text(take_program(reader, self._alphabet)) for _ in range(n)]


def _comes_back(text: str, program: DslProgram) -> bool:
    """Return whether a decoder's parser takes the canonical text, which may be longer than the given one."""
    return len(text) <= MAX_SOURCE // _LONGER or len(to_text(program)) <= MAX_SOURCE


def _in(program: DslProgram, alphabet: Alphabet) -> bool:
    return all(call.op in alphabet.heads or call.op == "filter" for call in program.lines)


def _summed(codes: list[int], counts: list[int]) -> NDArray[np.float64]:
    """Return the bits of each run of `counts[i]` symbols, inf for an empty run."""
    sums = np.concatenate([[0.0], np.cumsum(symbol_bits(np.array(codes, np.int64)))])
    ends = np.array([0, *accumulate(counts)])
    bits: NDArray[np.float64] = sums[ends[1:]] - sums[ends[:-1]]
    bits[np.array(counts, np.int64) == 0] = np.inf
    return bits


def uniform_prior(dialect: str = "dsl") -> StaticPrior:
    """Return the uniform prior of a dialect: "dsl", the published one, or "dsl2". Raises ConfigError."""
    return StaticPrior("uniform", UniformCode(find_dialect(dialect)))
