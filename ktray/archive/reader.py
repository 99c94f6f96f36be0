"""Reads an archive: opening checks header, index and footer; every block is checked before it is decoded.

Invariants: nothing is allocated that the file's size does not bear out, and whatever is wrong with a
file is an ArchiveError of one line.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from ktray.archive.blocks import DecodedBlock, decode_block
from ktray.archive.format import (
    DIGEST,
    END_MAGIC,
    FOOTER,
    HEADER_FIXED,
    MIN_FILE_BYTES,
    SHORT_DIGEST,
    BlockInfo,
    Footer,
    check_tail,
    header_size,
    unpack_footer,
    unpack_index,
    unpack_settings,
)
from ktray.archive.writer import ArchiveTotals, totals
from ktray.commit import PendingFile, refuse_same
from ktray.errors import ArchiveError, ConfigError
from ktray.ports import Prior, RunProgram

#: Turns stored blocks into decoded ones, in order: here one after another, on a cluster many at once.
DecodeBlocks = Callable[[Iterator[bytes]], Iterator[DecodedBlock]]

#: The kind of block whose `--range` counts sequences, one restored line each.
LINES = "sequences"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of what is restored: bytes, or sequences where every block is of kind "sequences"."""

    start: int
    stop: int

    @staticmethod
    def parse(text: str) -> Span:
        """Return the span of `START:END`; ConfigError where that is not what `text` says."""
        found = re.fullmatch(r"(\d{1,18}):(\d{1,18})", text, re.ASCII)
        if not found or int(found[1]) > int(found[2]):
            raise ConfigError(f"range {text!r}: expected START:END with START <= END, for example 0:4096")
        return Span(int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restored file holds: its size in bytes and its SHA-256 (hex)."""

    bytes: int
    sha256: str


def decode_in_process(make_prior: Callable[[str], Prior], run: RunProgram) -> DecodeBlocks:
    """Return a decoder that decodes one block after another in this process."""

    def decode(stored: Iterator[bytes]) -> Iterator[DecodedBlock]:
        return (decode_block(block, make_prior, run) for block in stored)

    return decode


class ArchiveReader:
    """An open archive: `settings`, `blocks` (one BlockInfo each) and `totals`, already verified.

    `verify` checks every byte; `iter_blocks` and `iter_restored` check the blocks that they read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = _opened(path)
        try:
            self._open()
        except ArchiveError as error:
            self.close()
            raise ArchiveError(f"{path}: {error}; {_MEND}") from None
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        header, index, footer, size = _read_ends(self._stream)
        check_tail(header, index, footer)
        self.settings = unpack_settings(header)
        self.blocks: tuple[BlockInfo, ...] = unpack_index(index)
        self._offsets = list(accumulate((b.stored_bytes for b in self.blocks), initial=len(header)))
        if self._offsets[-1] + len(index) + FOOTER.size != size:
            raise ArchiveError("damaged: its blocks do not fill the file")
        self._file_digest = footer.file_digest
        self.totals: ArchiveTotals = totals(self.blocks, size, footer.sha256)

    @property
    def unit(self) -> str:
        """What a span counts: "sequences" where every block has that kind, else "bytes"."""
        return LINES if self.blocks and all(b.kind == LINES for b in self.blocks) else "bytes"

    @property
    def units(self) -> int:
        """How many units a span can count."""
        return sum(self._block_units())

    def verify(self) -> None:
        """Check the digest of the whole file, in bounded memory; ArchiveError where it does not match."""
        state = hashlib.blake2b(digest_size=DIGEST)
        self._stream.seek(0)
        left = self.totals.archive_bytes - DIGEST - len(END_MAGIC)
        while left and (data := self._stream.read(min(left, _CHUNK))):
            state.update(data)
            left -= len(data)
        if left or state.digest() != self._file_digest:
            raise ArchiveError(f"{self.path}: damaged: the digest of the whole file does not match; {_MEND}")

    def stored(self, i: int) -> bytes:
        """Return the bytes of block `i`; ArchiveError where they are not the ones the index knows."""
        info = self.blocks[i]
        self._stream.seek(self._offsets[i])
        data = self._stream.read(info.stored_bytes)
        if data[-DIGEST:][:SHORT_DIGEST] != info.digest:
            raise ArchiveError("damaged: it is not the block that the index tells of")
        return data

    def iter_blocks(self, decode: DecodeBlocks, which: range | None = None) -> Iterator[DecodedBlock]:
        """Yield the decoded blocks `which` (default: all), in order."""
        which = range(len(self.blocks)) if which is None else which
        at = which.start
        try:
            for at, decoded in zip(which, decode(map(self.stored, which)), strict=True):
                if len(decoded.restored) != self.blocks[at].restored_bytes:
                    raise ArchiveError("it restores another number of bytes than the index tells")
                yield decoded
                at += 1
        except ArchiveError as error:
            raise ArchiveError(f"{self.path}: block {at}: {error}; {_MEND}") from None

    def iter_restored(self, decode: DecodeBlocks, span: Span | None = None) -> Iterator[bytes]:
        """Yield the restored bytes block by block, of `span` only where given.

        Only blocks that `span` touches are read. Raises ConfigError where it ends beyond the archive.
        """
        span = Span(0, self.units) if span is None else span
        if not span.start <= span.stop <= self.units:
            raise ConfigError(
                f"range {span.start}:{span.stop}: {self.path} restores {self.units} {self.unit}; "
                f"expected 0 <= START <= END <= {self.units}"
            )
        return self._slices(decode, span)

    def _slices(self, decode: DecodeBlocks, span: Span) -> Iterator[bytes]:
        starts = list(accumulate(self._block_units(), initial=0))
        touched = [i for i in range(len(self.blocks)) if starts[i] < span.stop and starts[i + 1] > span.start]
        which = range(touched[0], touched[-1] + 1) if touched else range(0)
        for i, decoded in zip(which, self.iter_blocks(decode, which), strict=True):
            first, last = max(span.start - starts[i], 0), min(span.stop, starts[i + 1]) - starts[i]
            yield (
                _lines(decoded.restored, first, last) if self.unit == LINES else decoded.restored[first:last]
            )

    def _block_units(self) -> list[int]:
        lines = self.unit == LINES
        return [block.units if lines else block.restored_bytes for block in self.blocks]

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> ArchiveReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def restore_file(
    reader: ArchiveReader,
    out: Path,
    decode: DecodeBlocks,
    span: Span | None = None,
    progress: Callable[[int], object] = lambda written: None,
) -> Restored:
    """Restore what `reader` holds, or `span` of it, to the file `out`, which appears only if all is right.

    The whole archive is verified first. `progress` is told the number of bytes after each block.
    Raises ArchiveError for a damaged archive and ConfigError for a wrong `span` or `out`.
    """
    refuse_same(out, reader.path, "the archive")
    reader.verify()
    chunks = reader.iter_restored(decode, span)
    state, size = hashlib.sha256(), 0
    with PendingFile(out) as pending:
        for data in chunks:
            pending.stream.write(data)
            state.update(data)
            size += len(data)
            progress(len(data))
        if span is None and state.hexdigest() != reader.totals.sha256:
            raise ArchiveError(f"{reader.path}: damaged: the restored bytes have another SHA-256; {_MEND}")
        pending.commit()
    return Restored(size, state.hexdigest())


_MEND = "use an intact copy or compress again"


def _opened(path: Path) -> BinaryIO:
    """Return `path` open for reading; ArchiveError where it is not a regular file."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "a directory" if stat.S_ISDIR(mode) else "no regular file"
            raise ArchiveError(f"{path} is {what}; expected a .kt archive")
        return path.open("rb")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ArchiveError(f"cannot read {path}: {why}; expected a .kt archive") from None


def _read_ends(stream: BinaryIO) -> tuple[bytes, bytes, Footer, int]:
    """Return header, index, footer and file size, each checked against the size before it is read."""
    size = stream.seek(0, 2)
    stream.seek(0)
    fixed = stream.read(HEADER_FIXED.size)
    if size < MIN_FILE_BYTES:
        raise ArchiveError(
            f"not a ktray archive, or cut: {size} bytes, but the smallest has {MIN_FILE_BYTES}"
        )
    header_bytes = header_size(fixed)
    stream.seek(size - FOOTER.size)
    footer = unpack_footer(stream.read(FOOTER.size))
    if header_bytes + footer.index_bytes + FOOTER.size > size:
        raise ArchiveError("damaged: header and index are larger than the file")
    stream.seek(0)
    header = stream.read(header_bytes)
    stream.seek(size - FOOTER.size - footer.index_bytes)
    return header, stream.read(footer.index_bytes), footer, size


def _lines(restored: bytes, first: int, last: int) -> bytes:
    """Return lines `first` up to `last` (excluded) of `restored`."""
    ends = np.flatnonzero(np.frombuffer(restored, np.uint8) == ord("\n")) + 1
    bounds = [0, *ends.tolist()]
    if last >= len(bounds):
        raise ArchiveError(f"a block of sequences restores {len(ends)} lines, not {last} or more")
    return restored[bounds[first] : bounds[last]]
