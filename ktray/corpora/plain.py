"""Files as bytes: `file`, `text`, `enwik8`, `enwik9`. The elements are the bytes, so restoring is a copy."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from ktray.corpora.blocks import CorpusBlock
from ktray.corpora.chunking import (
    Quota,
    Span,
    Stream,
    chunk_lengths,
    chunk_origins,
    chunked_blocks,
    within_bits,
)
from ktray.corpora.selection import NO_LIMIT, Limit, selected_digest
from ktray.corpora.sources import check_file, digest_files, pieces, reading
from ktray.errors import CorpusError
from ktray.sequences import Values

KIND = "bytes"


@dataclass(frozen=True, slots=True)
class BytesCorpus:
    """The bytes of the file `path`, one origin. An empty file is a valid corpus without blocks.

    With `member` the file is a ZIP and the bytes are those of the member with that name.
    """

    name: str
    path: Path
    element_bits: int = 8
    limit: Limit = NO_LIMIT
    member: str = ""

    def digest(self) -> str:
        digest = digest_files([(self.member or self.path.name, self.path)])
        return selected_digest(digest, self.limit)

    def blocks(self, chunk: int, block_elements: int) -> Iterator[CorpusBlock]:
        def finish(spans: list[Span], values: Values) -> CorpusBlock:
            lengths, origins = chunk_lengths(spans, chunk), chunk_origins(spans, chunk)
            size = len(values)
            return CorpusBlock(KIND, values, lengths, origins, self.element_bits, chunk, b"", size, size)

        stream = Stream(self.member or self.path.name, self._pieces(max(chunk, block_elements)))
        quota = Quota(self.limit.elements(self.element_bits), self.limit.sequences)
        blocks = chunked_blocks([stream], chunk, block_elements, finish, quota)
        yield from within_bits(blocks, self.element_bits)

    def _pieces(self, size: int) -> Iterator[Values]:
        with reading(self.path), self._open() as file:
            for piece in pieces(file, size):
                yield np.frombuffer(piece, dtype=np.uint8)

    def _open(self) -> BinaryIO:
        if not self.member:
            return self.path.open("rb")
        try:
            return cast(BinaryIO, zipfile.ZipFile(self.path).open(self.member))
        except RuntimeError as error:  # encrypted, or packed in a way that Python does not know
            raise CorpusError(f"{self.path} cannot be unpacked ({error}); give the unpacked file") from None


def open_bytes(name: str, path: Path, element_bits: int, limit: Limit) -> BytesCorpus:
    """Open any file as bytes; raises CorpusError where there is no readable file at `path`."""
    return BytesCorpus(name, check_file(path, "a file"), element_bits, limit)


def open_enwik(name: str, path: Path, element_bits: int, limit: Limit) -> BytesCorpus:
    """Open `enwik8` or `enwik9`, as the file itself or as the ZIP that it is published in.

    Raises CorpusError where it is neither.
    """
    check_file(path, f"the file {name} or {name}.zip")
    if not zipfile.is_zipfile(path):
        return BytesCorpus(name, path, element_bits, limit)
    with reading(path), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if name not in names:
        raise CorpusError(
            f"{path} holds {', '.join(names[:3]) or 'nothing'}; expected a ZIP with {name} in it"
        )
    return BytesCorpus(name, path, element_bits, limit, member=name)


def restore_bytes(values: Values, lengths: NDArray[np.int64], side: bytes) -> bytes:
    """Return the elements as they are."""
    return values.tobytes()
