"""Writes an archive block by block. Invariant: `path` holds the finished archive or what was there before.

Peak memory is one block and the index; the same settings and blocks give the same bytes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ktray.archive.blocks import EncodedBlock
from ktray.archive.format import (
    DIGEST,
    END_MAGIC,
    SHORT_DIGEST,
    BlockInfo,
    pack_index,
    pack_settings,
    pack_tail,
)
from ktray.commit import PendingFile


@dataclass(frozen=True, slots=True)
class ArchiveTotals:
    """What a finished archive weighs and where its bits went (the archive ledger).

    program + literal + flag + overhead bits = 8 x `archive_bytes`; `sha256` (hex) is of all restored bytes.
    """

    archive_bytes: int
    restored_bytes: int
    sha256: str
    sequences: int
    elements: int
    input_bits: int
    literals: int
    dsl: int
    python: int
    program_bits: float
    literal_bits: float
    flag_bits: float
    overhead_bits: float

    @property
    def rate(self) -> float | None:
        """Bits on disk per bit of input, None for an empty corpus."""
        return 8 * self.archive_bytes / self.input_bits if self.input_bits else None


def totals(infos: Sequence[BlockInfo], archive_bytes: int, sha256: bytes) -> ArchiveTotals:
    """Return the sums over blocks `infos` of an archive of `archive_bytes` bytes."""
    program = math.fsum(info.program_bits for info in infos)
    literal = math.fsum(info.literal_bits for info in infos)
    flag = math.fsum(info.flag_bits for info in infos)
    return ArchiveTotals(
        archive_bytes=archive_bytes,
        restored_bytes=sum(info.restored_bytes for info in infos),
        sha256=sha256.hex(),
        sequences=sum(info.sequences for info in infos),
        elements=sum(info.elements for info in infos),
        input_bits=sum(info.input_bits for info in infos),
        literals=sum(info.literals for info in infos),
        dsl=sum(info.dsl for info in infos),
        python=sum(info.python for info in infos),
        program_bits=program,
        literal_bits=literal,
        flag_bits=flag,
        overhead_bits=8 * archive_bytes - (program + literal + flag),
    )


class ArchiveWriter:
    """Writes the archive at `path`: `add_block` in corpus order, then `close`.

    As a context manager it closes at the end of the block, and discards everything on an exception.
    Raises ConfigError where `path` cannot be written.
    """

    def __init__(self, path: Path, settings: Mapping[str, object]) -> None:
        header = pack_settings(settings)
        self._header = header
        self._pending = PendingFile(path)
        self._infos: list[BlockInfo] = []
        self._restored = hashlib.sha256()
        self._whole = hashlib.blake2b(digest_size=DIGEST)
        self._size = 0
        self._totals: ArchiveTotals | None = None
        self._put(header)

    def add_block(self, block: EncodedBlock) -> None:
        """Append the corpus's next block."""
        if block.stored[-DIGEST:][:SHORT_DIGEST] != block.info.digest:
            raise ValueError("an encoded block's stored bytes are not the ones its digest was taken of")
        self._put(block.stored)
        self._restored.update(block.restored)
        self._infos.append(block.info)

    def close(self) -> ArchiveTotals:
        """Write index and footer, commit the file, and return its totals; again: the same totals."""
        if self._totals is None:
            try:
                self._finish()
            except BaseException:
                self.discard()
                raise
        return self.totals

    def discard(self) -> None:
        """Remove what was written; an earlier file at the path stays as it was."""
        self._pending.discard()

    @property
    def totals(self) -> ArchiveTotals:
        """The finished archive's totals; ValueError before `close`."""
        if self._totals is None:
            raise ValueError("the archive is not closed yet")
        return self._totals

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _put(self, data: bytes) -> None:
        try:
            self._pending.stream.write(data)
        except BaseException:
            self.discard()
            raise
        self._whole.update(data)
        self._size += len(data)

    def _finish(self) -> None:
        index, sha256 = pack_index(self._infos), self._restored.digest()
        self._put(index)
        self._put(pack_tail(self._header, index, sha256))
        self._put(self._whole.digest() + END_MAGIC)
        self._pending.commit()
        self._totals = totals(self._infos, self._size, sha256)
