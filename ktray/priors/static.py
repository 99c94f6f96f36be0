"""The block code of the static priors: what differs between them is only how DSL programs are coded.

Payload: width of a literal element in bits (one byte), the sizes of three parts (varints), then the parts:
flags (literal, DSL, Python; adaptive, with the lengths of literals where the layout has none), DSL programs
by the prior's own code, Python programs in one deflate stream; to the end, the literals' elements, packed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ktray.coding.flags import decode_flags, encode_flags
from ktray.coding.varint import read_varint, varint
from ktray.errors import ArchiveError
from ktray.ledger import gzip_bits
from ktray.ports import FLAG_LANGUAGES, CodedBlock, Entry, RunProgram
from ktray.priors.texts import deflate_bits, pack_texts, unpack_texts
from ktray.programs import Language, Program
from ktray.sequences import MAX_BLOCK_ELEMENTS, Values

_DSL = 1 + FLAG_LANGUAGES.index(Language.DSL)
_PYTHON = 1 + FLAG_LANGUAGES.index(Language.PYTHON)


class ProgramCode(Protocol):
    """How one prior codes DSL programs.

    `published` and `prices` have shape (len(texts),), inf where a text cannot be coded; `encode` takes texts
    with a finite price and gives bytes and the bits they hold; `decode` gives the texts back, in the
    canonical form where the code keeps the program and not its text.
    """

    def published(self, texts: Sequence[str]) -> NDArray[np.float64]: ...

    def prices(self, texts: Sequence[str]) -> NDArray[np.float64]: ...

    def encode(self, texts: Sequence[str]) -> tuple[bytes, float]: ...

    def decode(self, data: bytes, n: int) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class StaticPrior:
    """A prior whose prices do not depend on what was coded before. Python programs are deflated."""

    name: str
    code: ProgramCode
    published_python: str = "gzip"

    def published_bits(self, programs: Sequence[Program]) -> NDArray[np.float64]:
        """Return the paper's lengths in bits; Python under `uniform` is gzipped, as published (section 4)."""
        return _by_language(programs, self.code.published, self._published_python)

    def prices(self, programs: Sequence[Program]) -> NDArray[np.float64]:
        """Return the archive's fixed price in bits of each program, inf where it cannot be coded."""
        return _by_language(programs, self.code.prices, lambda texts: np.array([*map(deflate_bits, texts)]))

    def _published_python(self, texts: Sequence[str]) -> NDArray[np.float64]:
        raw = self.published_python == "raw"
        return np.array([text_bits(text) if raw else gzip_text_bits(text) for text in texts])

    def encode(self, entries: Sequence[Entry], lengths: NDArray[np.int64] | None) -> CodedBlock:
        """Return the block; a program that the prior cannot code becomes a literal."""
        flags = self._flags(entries)
        literals = [entry.values for entry, flag in zip(entries, flags, strict=True) if not flag]
        sizes = None if lengths is not None else np.array([len(entry.values) for entry in entries], np.int64)
        head = encode_flags(flags, sizes)
        dsl, dsl_bits = self.code.encode(_texts(entries, flags, _DSL))
        python = pack_texts(_texts(entries, flags, _PYTHON))
        width, body = _pack_literals(literals)
        payload = bytes([width]) + b"".join(varint(len(part)) for part in (head, dsl, python))
        payload += head + dsl + python + body
        literal_bits = float(width * sum(map(len, literals)))
        return CodedBlock(payload, dsl_bits + 8 * len(python), literal_bits, 8 * len(head), flags > 0)

    def decode(
        self, payload: bytes, n: int, lengths: NDArray[np.int64] | None, run: RunProgram
    ) -> list[Entry]:
        """Return the block's entries; mirror of `encode`. Raises ArchiveError on a damaged payload."""
        width, (head, dsl, python, body) = _split(payload)
        flags, coded = decode_flags(head, n, lengths is None)
        sizes = np.where(flags == 0, coded if lengths is None else lengths, 0)
        literals = _unpack_literals(body, width, sizes)
        texts = {
            _DSL: iter(self.code.decode(dsl, int((flags == _DSL).sum()))),
            _PYTHON: iter(unpack_texts(python, int((flags == _PYTHON).sum()))),
        }
        programs = [Program(FLAG_LANGUAGES[f - 1], next(texts[f])) if f else None for f in flags.tolist()]
        entries: list[Entry] = []
        total = 0
        for program, literal in zip(programs, literals, strict=True):
            values = literal if program is None else run(program)
            total += len(values)
            if total > MAX_BLOCK_ELEMENTS or (lengths is not None and len(values) != lengths[len(entries)]):
                raise ArchiveError(
                    "damaged: its programs give more or fewer elements than their sequences have"
                )
            entries.append(Entry(values, program))
        return entries

    def _flags(self, entries: Sequence[Entry]) -> NDArray[np.uint8]:
        """Return 0 for a literal, else 1 + the language's place; 0 also where a program has no price."""
        flags = np.zeros(len(entries), np.uint8)
        given = [(i, e.program) for i, e in enumerate(entries) if e.program is not None]
        prices = self.prices([program for _, program in given])
        for (i, program), price in zip(given, prices.tolist(), strict=True):
            flags[i] = 1 + FLAG_LANGUAGES.index(program.language) if price < float("inf") else 0
        return flags


def text_bits(text: str) -> float:
    """Return eight bits a byte of the text as UTF-8, inf where it cannot be."""
    try:
        return 8.0 * len(text.encode())
    except UnicodeEncodeError:
        return float("inf")


def gzip_text_bits(text: str) -> float:
    """Return the length in bits of the text as a gzip file of its own, header included; inf without UTF-8."""
    try:
        return float(gzip_bits(text.encode()))
    except UnicodeEncodeError:
        return float("inf")


class _Pricer(Protocol):
    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float64]: ...


def _by_language(programs: Sequence[Program], dsl: _Pricer, python: _Pricer) -> NDArray[np.float64]:
    """Return bits for each program, those of a language priced together."""
    bits = np.zeros(len(programs))
    for language, pricer in ((Language.DSL, dsl), (Language.PYTHON, python)):
        at = [i for i, program in enumerate(programs) if program.language is language]
        if at:
            bits[at] = pricer([programs[i].text for i in at])
    return bits


def _texts(entries: Sequence[Entry], flags: NDArray[np.uint8], flag: int) -> list[str]:
    chosen = [entries[i].program for i in np.flatnonzero(flags == flag)]
    return [program.text for program in chosen if program is not None]


def _pack_literals(literals: Sequence[Values]) -> tuple[int, bytes]:
    """Return the bits an element needs (1..8: 3 for DNA's symbols) and all elements in as many bits."""
    joined = np.concatenate([np.zeros(0, np.uint8), *literals])
    width = max(1, int(joined.max()).bit_length()) if len(joined) else 8
    if width == 8:
        return 8, joined.tobytes()
    bits = np.unpackbits(joined).reshape(-1, 8)[:, 8 - width :]
    return width, np.packbits(bits.ravel()).tobytes()


def _unpack_literals(body: bytes, width: int, sizes: NDArray[np.int64]) -> list[Values]:
    """Return the literals (of `sizes` elements) that `_pack_literals` packed into `body`."""
    elements = sum(map(int, sizes))
    if len(body) != -(-elements * width // 8):
        raise ArchiveError(f"damaged: {len(body)} bytes of literals where {elements} elements are expected")
    flat = np.frombuffer(body, np.uint8)
    if width < 8:
        bits = np.unpackbits(flat, count=elements * width).reshape(elements, width)
        padded = np.zeros((elements, 8), np.uint8)
        padded[:, 8 - width :] = bits
        flat = np.packbits(padded.ravel())
    ends = np.cumsum(sizes).tolist()
    return [flat[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def _split(payload: bytes) -> tuple[int, tuple[bytes, ...]]:
    """Return the literals' width and the payload's four parts. Raises ArchiveError where they do not fit."""
    try:
        width, at, sizes = payload[0], 1, []
        for _ in range(3):
            size, at = read_varint(payload, at)
            sizes.append(size)
    except IndexError as error:
        raise ArchiveError("damaged: a block ends within its header") from error
    if at + sum(sizes) > len(payload) or not 1 <= width <= 8:
        raise ArchiveError("damaged: a block's parts are longer than the block")
    cuts = np.cumsum([at, *sizes]).tolist()
    return width, tuple(payload[a:b] for a, b in zip(cuts, [*cuts[1:], len(payload)], strict=True))
