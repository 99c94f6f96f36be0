"""Blocks of entries in one stream, in their order: what each is, then its program or its literal.

Payload: two bytes that tell the counts it began with, a byte for how literals are coded and that way's own
header, the number and length of the texts (varints), Python programs in one deflate stream, the same of the DSL
programs that the model cannot code (the second dialect's, and those beyond its bounds) by the uniform code, the
stream.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ktray.coding.varint import read_varint, varint
from ktray.dsl.interpreter import execute_text
from ktray.dsl.ops import Dialect
from ktray.dsl.parser import parse
from ktray.dsl.printer import to_text
from ktray.errors import ArchiveError, ProgramError
from ktray.ports import CodedBlock, Entry, RunProgram
from ktray.priors.adaptive.counts import Counts, blank_counts
from ktray.priors.adaptive.desk import Desk, Sink
from ktray.priors.adaptive.flat import Flat, flatten
from ktray.priors.adaptive.literals import Way, make_literals, read_way
from ktray.priors.adaptive.model import FLAG
from ktray.priors.canonical import variants
from ktray.priors.texts import deflate_bits, pack_texts, unpack_texts
from ktray.priors.uniform import UniformCode
from ktray.programs import Language, Program
from ktray.sequences import MAX_BLOCK_ELEMENTS, Values

#: What an entry may be: a literal, a DSL program in the stream, a Python program, a DSL program apart.
_LITERAL, _DSL, _PYTHON, _APART = range(4)

#: How DSL programs are coded that the model cannot code.
APART = UniformCode(Dialect.DSL2)


def flat_variants(program: Program) -> list[Flat]:
    """Return the variants of a DSL program that the model can code; none where the text is no DSL program."""
    try:
        parsed = parse(program.text)
    except ProgramError:
        return []
    return [flat for flat in map(flatten, variants(parsed)) if flat is not None]


def cheapest(desk: Desk, variants: list[Flat], values: Values | None = None) -> tuple[float, Flat] | None:
    """Return the variant that costs least as the desk's model stands, and its bits.

    None where the model can code none of them, or they do not give bytes, namely `values`.
    """
    best: tuple[float, Flat] | None = None
    for flat in variants:
        bits = desk.quote(desk.load(flat))
        if bits is None or (best and best[0] <= bits):
            continue
        output = desk.output(len(flat.rows))
        if output is not None and (values is None or np.array_equal(output, values)):
            best = bits, flat
    return best


class BlockEncoder:
    """Codes one entry after another; `sized` says that lengths of literals must be coded too."""

    def __init__(self, counts: Counts, way: Way, sized: bool) -> None:
        self._desk = Desk(counts)
        self._sink = Sink()
        self._literals = make_literals(way, self._desk)
        self._sized = sized
        self._texts: list[str] = []
        self._apart: list[str] = []
        self._program_bits = self._literal_bits = 0.0
        self._head = counts.digest().to_bytes(2, "little") + way.header()

    def add(self, entry: Entry) -> bool:
        """Code an entry; return whether it was coded as its program, which must give the entry's values."""
        literal_bits = self._literals.weigh(entry.values)
        literal_bits += self._desk.kind_bits(_LITERAL) - self._desk.kind_bits(_DSL)
        program = entry.program
        lines = self._chosen(program, entry.values, literal_bits)
        if lines:
            self._desk.kind(_DSL)
            self._program_bits += self._desk.program(lines)
            self._sink.drain(self._desk)
        elif program is not None and self._outside_pays(program, entry, literal_bits):
            self._add_outside(program)
        else:
            self._add_literal(entry.values)
            return False
        return True

    def _chosen(self, program: Program | None, values: Values, literal_bits: float) -> int:
        """Put the form to code on the tape; return its lines, 0 where the literal is cheaper or there is none."""
        if program is None or program.language is not Language.DSL:
            return 0
        desk = self._desk
        lines = desk.read(program.text)
        if lines > 0 and 0 <= desk.bound(lines, values) < literal_bits:
            return lines
        quoted = cheapest(desk, flat_variants(program), values)
        return desk.load(quoted[1]) if quoted and quoted[0] < literal_bits else 0

    def finish(self, as_program: Sequence[bool]) -> CodedBlock:
        """Return the block."""
        texts = pack_texts(self._texts)
        apart, apart_bits = APART.encode(self._apart)
        stream = self._sink.finish()
        payload = self._head + varint(len(self._texts)) + varint(len(texts)) + texts
        payload += varint(len(self._apart)) + varint(len(apart)) + apart + stream
        flag_bits = float(self._desk.bits[FLAG])
        program_bits = self._program_bits + 8 * len(texts) + apart_bits
        return CodedBlock(
            payload, program_bits, self._literal_bits, flag_bits, np.array(as_program, np.bool_)
        )

    def _outside_pays(self, program: Program, entry: Entry, literal_bits: float) -> bool:
        """Return whether a program that the model cannot code gives the entry's values and costs less."""
        if outside_price(program) >= literal_bits:
            return False
        if program.language is Language.PYTHON:
            return True
        done = execute_text(program.text)
        good = done.values is not None and np.array_equal(done.values, entry.values)
        return good and cheapest(Desk(blank_counts()), flat_variants(program)) is None

    def _add_outside(self, program: Program) -> None:
        python = program.language is Language.PYTHON
        self._desk.kind(_PYTHON if python else _APART)
        self._sink.drain(self._desk)
        (self._texts if python else self._apart).append(program.text)

    def _add_literal(self, values: Values) -> None:
        self._desk.kind(_LITERAL)
        before = self._desk.spent()
        if self._sized:
            self._desk.size(len(values))
        self._literal_bits += self._desk.spent() - before
        self._sink.drain(self._desk)
        self._literal_bits += self._literals.encode(values, self._sink)


def outside_price(program: Program) -> float:
    """Return the bits of a program that stands outside the stream; inf where it is none."""
    if program.language is Language.PYTHON:
        return deflate_bits(program.text)
    return float(APART.prices([program.text])[0])


class BlockDecoder:
    """Decodes one entry after another; mirror of `BlockEncoder`."""

    def __init__(self, counts: Counts, payload: bytes, run: RunProgram) -> None:
        if payload[:2] != counts.digest().to_bytes(2, "little"):
            raise ArchiveError(
                "a block of prior `adaptive` that began with other counts than this version ships; "
                "restore it with the version that wrote it"
            )
        way, size = read_way(payload[2:])
        texts, count, at = _read_part(payload, 2 + size)
        self._texts = iter(unpack_texts(texts, count))
        apart, count, at = _read_part(payload, at)
        self._apart = iter(APART.decode(apart, count))
        self._desk = Desk(counts, np.frombuffer(payload, dtype=np.uint8)[at:])
        self._literals = make_literals(way, self._desk)
        self._run = run
        self._total = 0

    def next(self, length: int | None) -> Entry:
        """Decode an entry, of `length` elements where the archive's layout tells. Raises ArchiveError."""
        kind = self._desk.kind()
        if kind == _LITERAL:
            size = self._desk.size() if length is None else length
            self._count(size)
            return Entry(self._literals.decode(size))
        program, values = self._next_program(kind)
        self._count(len(values))
        if length is not None and len(values) != length:
            raise ArchiveError(f"damaged: a program gives {len(values)} elements where {length} are expected")
        self._literals.learn(values)
        return Entry(values, program)

    def _count(self, elements: int) -> None:
        """Raise ArchiveError where the entries so far, with so many elements, are more than a block holds."""
        self._total += elements
        if self._total > MAX_BLOCK_ELEMENTS:
            raise ArchiveError(f"damaged: its entries give {self._total} elements or more")

    def _next_program(self, kind: int) -> tuple[Program, Values]:
        if kind == _DSL:
            parsed, values = self._desk.next_program()
            return Program(Language.DSL, to_text(parsed)), values
        text = next(self._texts if kind == _PYTHON else self._apart, None)
        if text is None:
            raise ArchiveError("damaged: a block has fewer programs outside its stream than its entries name")
        program = Program(Language.PYTHON if kind == _PYTHON else Language.DSL, text)
        return program, self._run(program)


def _read_part(payload: bytes, at: int) -> tuple[bytes, int, int]:
    """Return a part that begins at `at`, how many programs it holds, and where it ends. Raises ArchiveError."""
    count, at = read_varint(payload, at)
    length, at = read_varint(payload, at)
    if at + length > len(payload):
        raise ArchiveError("damaged: a part of a block is longer than the block")
    return payload[at : at + length], count, at + length
