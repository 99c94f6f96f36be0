"""The bytes of a `.kt` archive, version 1. All integers little-endian or base 128 (`fields.uint`).

    ┌─ header ──────────────────────────────────────────────────────────────────────────────┐
    │ MAGIC 8 │ version u16 │ body length u32 │ body: settings, canonical JSON │ digest 8   │
    ├─ block 0 ─────────────────────────────────────────────────────────────────────────────┤
    │ description │ digest of the restored bytes 8 │ origins │ side │ payload │ digest 16   │
    ├─ block 1, 2, ... each decodes on its own ─────────────────────────────────────────────┤
    ├─ index ───────────────────────────────────────────────────────────────────────────────┤
    │ blocks │ for each: description, stored bytes, counts, bits, head of its digest 8      │
    ├─ footer ──────────────────────────────────────────────────────────────────────────────┤
    │ index length u32 │ SHA-256 of all restored bytes 32 │ tail digest 16 │ file digest 16 │
    │ END_MAGIC 8                                                                           │
    └───────────────────────────────────────────────────────────────────────────────────────┘

Invariants: header, blocks, index and footer tile the file without a gap. Digests are BLAKE2b: the
header's and a block's are over all their bytes before it, the tail digest over header, index and the
footer's fields before it, the file digest over every byte before it. So opening checks everything but
the blocks, and a block is bound to its place by the index. No field depends on a clock or a path.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ktray.archive.fields import FieldReader, squeezed, text, uint
from ktray.errors import ArchiveError
from ktray.sequences import MAX_BLOCK_ELEMENTS

MAGIC = b"\x89KTR\r\n\x1a\n"
END_MAGIC = b"KTRAYEND"
VERSION = 1

HEADER_FIXED = struct.Struct("<8sHI")
TAIL = struct.Struct("<I32s")
FOOTER = struct.Struct("<I32s16s16s8s")
SHORT_DIGEST = 8
DIGEST = 16

#: What a reader accepts before it allocates; a writer keeps to the same.
MAX_SETTINGS_BYTES = 1 << 20
MAX_INDEX_BYTES = 1 << 24
MAX_ORIGINS_BYTES = 1 << 25
MAX_BLOCK_ORIGINS = 1 << 20
MAX_BLOCK_SEQUENCES = 1 << 22
MAX_BLOCK_BYTES = 1 << 29
#: Bits are accounted for in whole 256ths, so that no file depends on a machine's last float digit.
BIT_FRACTION = 256

#: The smallest file that can be an archive: no blocks, no settings.
MIN_FILE_BYTES = HEADER_FIXED.size + 4 + SHORT_DIGEST + 4 + FOOTER.size


def digest(*parts: bytes, size: int = DIGEST) -> bytes:
    """Return BLAKE2b of `size` bytes over `parts` one after another."""
    state = hashlib.blake2b(digest_size=size)
    for part in parts:
        state.update(part)
    return state.digest()


def whole_256ths(bits: float) -> float:
    """Return `bits` rounded to the archive's grain."""
    return round(bits * BIT_FRACTION) / BIT_FRACTION


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """What the index tells of one block.

    `units` is what `--range` counts (bytes, or sequences), `stored_bytes` the block's size on disk,
    `literals`, `dsl` and `python` count sequences by how they are coded and sum to `sequences`;
    `*_bits` are in multiples of 1/256 bit.
    """

    kind: str
    part: str
    prior: str
    element_bits: int
    chunk: int
    sequences: int
    elements: int
    units: int
    restored_bytes: int
    stored_bytes: int
    literals: int
    dsl: int
    python: int
    program_bits: float
    literal_bits: float
    flag_bits: float
    digest: bytes

    @property
    def input_bits(self) -> int:
        """The denominator of the block's rates: elements times bits an element."""
        return self.elements * self.element_bits

    @property
    def overhead_bits(self) -> float:
        """The block's bits that are neither program nor literal nor flag."""
        return 8 * self.stored_bytes - (self.program_bits + self.literal_bits + self.flag_bits)


def pack_settings(settings: Mapping[str, object]) -> bytes:
    """Return the header of a file whose resolved settings are `settings` (anything JSON can say)."""
    body = json.dumps(settings, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(body) > MAX_SETTINGS_BYTES:
        raise ValueError(f"settings of {len(body)} bytes; at most {MAX_SETTINGS_BYTES} fit a header")
    stored = squeezed(body)
    head = HEADER_FIXED.pack(MAGIC, VERSION, len(stored)) + stored
    return head + digest(head, size=SHORT_DIGEST)


def header_size(fixed: bytes) -> int:
    """Return the length in bytes of the header that starts with `fixed`, once magic and version are right.

    Raises ArchiveError where they are others.
    """
    if fixed[: len(MAGIC)] != MAGIC:
        raise ArchiveError("not a ktray archive: its first bytes are not a .kt file's")
    _, version, body = HEADER_FIXED.unpack(fixed)
    if version != VERSION:
        raise ArchiveError(
            f"format version {version}, but this ktray reads version {VERSION}; use another ktray"
        )
    return HEADER_FIXED.size + int(body) + SHORT_DIGEST


def unpack_settings(header: bytes) -> dict[str, object]:
    """Return the settings of a whole `header`; mirror of `pack_settings`.

    Raises ArchiveError where it is damaged.
    """
    if digest(header[:-SHORT_DIGEST], size=SHORT_DIGEST) != header[-SHORT_DIGEST:]:
        raise ArchiveError("the header is damaged: its digest does not match")
    fields = FieldReader(header[HEADER_FIXED.size : -SHORT_DIGEST], "the header")
    body = fields.squeezed(MAX_SETTINGS_BYTES)
    fields.end()
    try:
        settings = json.loads(body)
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise ArchiveError("the header is damaged: its settings are not a JSON object")
    return settings


def pack_info(info: BlockInfo) -> bytes:
    """Return the index's entry of one block."""
    names = (info.kind, info.part, info.prior)
    counts = (info.element_bits, info.chunk, info.sequences, info.elements, info.units, info.restored_bytes)
    coded = (info.stored_bytes, info.dsl, info.python)
    bits = (round(b * BIT_FRACTION) for b in (info.program_bits, info.literal_bits, info.flag_bits))
    return b"".join([*map(text, names), *map(uint, (*counts, *coded, *bits)), info.digest])


def unpack_info(fields: FieldReader) -> BlockInfo:
    """Read one block's entry off the index; mirror of `pack_info`."""
    kind, part, prior = (fields.text() for _ in range(3))
    element_bits, chunk = fields.uint(64), fields.uint()
    sequences, elements = fields.uint(MAX_BLOCK_SEQUENCES), fields.uint(MAX_BLOCK_ELEMENTS)
    units, restored_bytes, stored_bytes = fields.uint(), fields.uint(), fields.uint(MAX_BLOCK_BYTES)
    dsl = fields.uint(sequences)
    python = fields.uint(sequences - dsl)
    bits = [fields.uint() / BIT_FRACTION for _ in range(3)]
    return BlockInfo(
        kind=kind,
        part=part,
        prior=prior,
        element_bits=element_bits,
        chunk=chunk,
        sequences=sequences,
        elements=elements,
        units=units,
        restored_bytes=restored_bytes,
        stored_bytes=stored_bytes,
        literals=sequences - dsl - python,
        dsl=dsl,
        python=python,
        program_bits=bits[0],
        literal_bits=bits[1],
        flag_bits=bits[2],
        digest=fields.take(SHORT_DIGEST),
    )


def pack_index(infos: Sequence[BlockInfo]) -> bytes:
    """Return the index of blocks `infos`, in order. Raises ArchiveError where they are too many."""
    body = uint(len(infos)) + b"".join(map(pack_info, infos))
    if len(body) > MAX_INDEX_BYTES:
        raise ArchiveError(f"{len(infos)} blocks are more than one index holds; use larger blocks")
    return squeezed(body)


def unpack_index(index: bytes) -> tuple[BlockInfo, ...]:
    """Return the blocks of an `index`; mirror of `pack_index`."""
    outer = FieldReader(index, "the index")
    fields = FieldReader(outer.squeezed(MAX_INDEX_BYTES), "the index")
    outer.end()
    infos = tuple(unpack_info(fields) for _ in range(fields.uint(MAX_INDEX_BYTES)))
    fields.end()
    return infos


@dataclass(frozen=True, slots=True)
class Footer:
    """The last bytes of a file: how long the index before it is, and the digests of everything."""

    index_bytes: int
    sha256: bytes
    tail_digest: bytes
    file_digest: bytes


def pack_tail(header: bytes, index: bytes, sha256: bytes) -> bytes:
    """Return the footer up to the file digest, for a file of this header and index."""
    fields = TAIL.pack(len(index), sha256)
    return fields + digest(header, index, fields)


def check_tail(header: bytes, index: bytes, footer: Footer) -> None:
    """Raise ArchiveError unless `footer` belongs to this header and index."""
    if pack_tail(header, index, footer.sha256)[TAIL.size :] != footer.tail_digest:
        raise ArchiveError("header, index or footer is damaged: their digest does not match")


def unpack_footer(data: bytes) -> Footer:
    """Return the footer in `data` (FOOTER.size bytes). Raises ArchiveError where it is none."""
    index_bytes, sha256, tail, whole, magic = FOOTER.unpack(data)
    if magic != END_MAGIC:
        raise ArchiveError("cut or appended to: its last bytes are not the end of a .kt file")
    return Footer(index_bytes, sha256, tail, whole)
