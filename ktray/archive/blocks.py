"""One block: from a corpus's block, its programs and a prior to bytes on disk, and back.

Invariants: `decode_block` is a function of the stored bytes alone, so blocks decode in any order and
place; what it returns has the digest that the encoder took of the bytes it was to restore.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ktray.archive.fields import FieldReader, blob, text, uint
from ktray.archive.format import (
    DIGEST,
    MAX_BLOCK_BYTES,
    MAX_BLOCK_SEQUENCES,
    SHORT_DIGEST,
    BlockInfo,
    digest,
    pack_info,
    unpack_info,
    whole_256ths,
)
from ktray.archive.layout import Lengths, layout_of, pack_layout, unpack_layout
from ktray.corpora.blocks import CorpusBlock
from ktray.corpora.restoring import restore_block
from ktray.errors import ArchiveError, ConfigError, ProgramError
from ktray.ports import CodedBlock, Entry, Prior, RunProgram
from ktray.programs import Language, Program
from ktray.sequences import MAX_BLOCK_ELEMENTS, Values

#: What a decoder or a restorer may raise on bytes that it did not write.
_UNDECODABLE = (
    ValueError,
    IndexError,
    KeyError,
    OverflowError,
    EOFError,
    MemoryError,
    zlib.error,
    ProgramError,
)


@dataclass(frozen=True, slots=True)
class EncodedBlock:
    """A block as it goes to disk (`stored`), what the index will say of it, and what it restores.

    `as_program[i]` tells whether sequence i is coded as its program. `restored` is there for the
    writer to hash and drop.
    """

    info: BlockInfo
    as_program: NDArray[np.bool_]
    stored: bytes
    restored: bytes

    @property
    def program_bits(self) -> float:
        """Bits of programs, in multiples of 1/256."""
        return self.info.program_bits

    @property
    def literal_bits(self) -> float:
        """Bits of literals, in multiples of 1/256."""
        return self.info.literal_bits

    @property
    def flag_bits(self) -> float:
        """Bits that tell programs from literals, in multiples of 1/256."""
        return self.info.flag_bits

    def to_bytes(self) -> bytes:
        """Return a self-contained form, with a digest, for a worker's file."""
        flags = np.packbits(self.as_program).tobytes()
        body = pack_info(self.info) + flags + self.stored + self.restored
        return body + digest(body)

    @staticmethod
    def from_bytes(data: bytes) -> EncodedBlock:
        """Return the block that `to_bytes` wrote; ArchiveError where the bytes are not whole."""
        body = data[:-DIGEST]
        if digest(body) != data[-DIGEST:]:
            raise ArchiveError("an encoded block is damaged: its digest does not match")
        fields = FieldReader(body, "an encoded block")
        info = unpack_info(fields)
        flags = np.frombuffer(fields.take(-(-info.sequences // 8)), np.uint8)
        stored, restored = fields.take(info.stored_bytes), fields.take(info.restored_bytes)
        fields.end()
        return EncodedBlock(info, np.unpackbits(flags, count=info.sequences).astype(bool), stored, restored)


@dataclass(frozen=True, slots=True)
class DecodedBlock:
    """What a stored block holds: the corpus's block, each sequence's entry, and the restored bytes."""

    block: CorpusBlock
    prior: str
    entries: tuple[Entry, ...]
    restored: bytes


def encode_block(block: CorpusBlock, programs: Sequence[Program | None], prior: Prior) -> EncodedBlock:
    """Return `block` coded by `prior`: sequence i as `programs[i]` or, where None, as a literal.

    A program must produce its sequence: the decoder refuses a block in which one does not. Raises
    ArchiveError where the block is too large for the format.
    """
    _check_encodable(block, programs)
    layout = layout_of(block)
    pieces = _pieces(block)
    coded = prior.encode([Entry(v, p) for v, p in zip(pieces, programs, strict=True)], layout.lengths)
    restored = restore_block(block)
    if len(restored) != block.restored_bytes:
        raise ValueError(f"kind {block.kind!r} restores {len(restored)} bytes, not {block.restored_bytes}")
    body = _pack_description(block, prior.name) + digest(restored, size=SHORT_DIGEST)
    body += pack_layout(block, layout) + blob(block.side) + blob(coded.payload)
    stored = body + digest(body)
    if len(stored) > MAX_BLOCK_BYTES:
        raise ArchiveError(
            f"a block of {len(stored)} bytes; at most {MAX_BLOCK_BYTES} fit, use smaller blocks"
        )
    return EncodedBlock(_info(block, programs, prior.name, coded, stored), coded.as_program, stored, restored)


def decode_block(stored: bytes, make_prior: Callable[[str], Prior], run: RunProgram) -> DecodedBlock:
    """Return what `stored` holds; mirror of `encode_block`.

    `make_prior` gives a prior by name, `run` executes its programs. Raises ArchiveError where the bytes
    are damaged, or where they do not decode to what was encoded.
    """
    body = stored[:-DIGEST]
    if digest(body) != stored[-DIGEST:]:
        raise ArchiveError("damaged: its digest does not match")
    fields = FieldReader(body, "the block")
    description = _unpack_description(fields)
    checksum = fields.take(SHORT_DIGEST)
    layout = unpack_layout(fields, description.chunk)
    side, payload = fields.blob(), fields.blob()
    fields.end()
    n = layout.sequences
    if n > MAX_BLOCK_SEQUENCES:
        raise fields.damaged(f"it counts {n} sequences")
    try:
        prior = make_prior(description.prior)
    except ConfigError as error:
        raise ArchiveError(f"coded by a prior that this ktray does not have: {error}") from None
    try:
        entries = tuple(prior.decode(payload, n, layout.lengths, run))
        values, lengths = _joined(entries, description.elements, layout.lengths, n)
        block = CorpusBlock(
            kind=description.kind,
            values=values,
            lengths=lengths,
            origins=layout.origins,
            element_bits=description.element_bits,
            chunk=description.chunk,
            side=side,
            units=description.units,
            restored_bytes=description.restored_bytes,
            part=description.part,
        )
        restored = restore_block(block)
    except _UNDECODABLE as error:
        raise ArchiveError(f"cannot be decoded by prior {description.prior!r}: {error}") from error
    if len(restored) != block.restored_bytes or digest(restored, size=SHORT_DIGEST) != checksum:
        raise ArchiveError("decodes to other bytes than were encoded: a program or a prior differs")
    return DecodedBlock(block, description.prior, entries, restored)


@dataclass(frozen=True, slots=True)
class _Description:
    """The scalar fields at the start of a stored block."""

    kind: str
    part: str
    prior: str
    element_bits: int
    chunk: int
    elements: int
    units: int
    restored_bytes: int


def _pack_description(block: CorpusBlock, prior: str) -> bytes:
    names = (block.kind, block.part, prior)
    numbers = (block.element_bits, block.chunk, len(block.values), block.units, block.restored_bytes)
    return b"".join([*map(text, names), *map(uint, numbers)])


def _unpack_description(fields: FieldReader) -> _Description:
    kind, part, prior = (fields.text() for _ in range(3))
    element_bits, chunk, elements = fields.uint(64), fields.uint(), fields.uint(MAX_BLOCK_ELEMENTS)
    return _Description(kind, part, prior, element_bits, chunk, elements, fields.uint(), fields.uint())


def _check_encodable(block: CorpusBlock, programs: Sequence[Program | None]) -> None:
    n = len(block.lengths)
    if len(programs) != n or sum(origin.sequences for origin in block.origins) != n:
        raise ValueError(f"a block of {n} sequences needs as many programs, and origins that count as many")
    if int(block.lengths.sum()) != len(block.values):
        raise ValueError(
            f"lengths sum to {block.lengths.sum()}, but the block has {len(block.values)} elements"
        )
    if n > MAX_BLOCK_SEQUENCES or len(block.values) > MAX_BLOCK_ELEMENTS:
        raise ArchiveError(
            f"a block of {n} sequences and {len(block.values)} elements; "
            f"at most {MAX_BLOCK_SEQUENCES} and {MAX_BLOCK_ELEMENTS} fit, use smaller blocks"
        )


def _info(
    block: CorpusBlock, programs: Sequence[Program | None], prior: str, coded: CodedBlock, stored: bytes
) -> BlockInfo:
    languages = [p.language for p, kept in zip(programs, coded.as_program, strict=True) if p and kept]
    dsl, python = languages.count(Language.DSL), languages.count(Language.PYTHON)
    return BlockInfo(
        kind=block.kind,
        part=block.part,
        prior=prior,
        element_bits=block.element_bits,
        chunk=block.chunk,
        sequences=len(block.lengths),
        elements=len(block.values),
        units=block.units,
        restored_bytes=block.restored_bytes,
        stored_bytes=len(stored),
        literals=len(block.lengths) - dsl - python,
        dsl=dsl,
        python=python,
        program_bits=whole_256ths(coded.program_bits),
        literal_bits=whole_256ths(coded.literal_bits),
        flag_bits=whole_256ths(coded.flag_bits),
        digest=stored[-DIGEST:][:SHORT_DIGEST],
    )


def _pieces(block: CorpusBlock) -> list[Values]:
    ends = np.cumsum(block.lengths).tolist()
    return [block.values[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def _joined(
    entries: tuple[Entry, ...], elements: int, lengths: Lengths | None, n: int
) -> tuple[Values, Lengths]:
    """Return all values and the lengths of decoded `entries`; ValueError where they are others."""
    found = np.array([len(entry.values) for entry in entries], dtype=np.int64)
    if len(entries) != n or (lengths is not None and not np.array_equal(found, lengths)):
        raise ValueError("its sequences have other lengths than its layout")
    values = np.concatenate([np.zeros(0, np.uint8), *(entry.values for entry in entries)])
    if values.dtype != np.uint8 or len(values) != elements:
        raise ValueError(f"it gives {len(values)} elements, not {elements}")
    return values, found
