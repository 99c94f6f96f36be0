"""`dna`: the bases of a FASTA as symbols 0..7; all else of the file is kept in `side`, so that the file
itself is restored byte for byte. Memory is that of a block, whatever the size of the genome.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ktray.corpora.blocks import CorpusBlock
from ktray.corpora.chunking import (
    MAX_ORIGINS,
    Span,
    block_room,
    check_chunk,
    chunk_lengths,
    chunk_origins,
    within_bits,
)
from ktray.corpora.fasta import (
    BREAK,
    CLASSES,
    COMMENT,
    CR,
    FOREIGN,
    KIND,
    LETTER,
    LF,
    RECORD,
    pack_layout,
)
from ktray.corpora.selection import NO_LIMIT, Limit, selected_digest
from ktray.corpora.side import Column
from ktray.corpora.sources import PIECE_BYTES, check_file, digest_files, open_plain_or_gzip, pieces, reading
from ktray.errors import CorpusError

#: A block restores at most about this many bytes, however few bases they hold (a long run of N).
MAX_RESTORED_BYTES = 1 << 25
#: Names are cut at this length; the number before them keeps them apart.
_NAME_BYTES = 256


@dataclass(frozen=True, slots=True)
class DnaCorpus:
    """The bases of the FASTA file `path` (plain or gzipped); an origin is a record, `1:chr16`, by its
    number and the first word of its header."""

    name: str
    path: Path
    element_bits: int = 3
    limit: Limit = NO_LIMIT

    def digest(self) -> str:
        return selected_digest(digest_files([(self.path.name, self.path)]), self.limit)

    def blocks(self, chunk: int, block_elements: int) -> Iterator[CorpusBlock]:
        check_chunk(chunk, block_elements)
        yield from within_bits(self._blocks(chunk, block_room(chunk, block_elements)), self.element_bits)

    def _blocks(self, chunk: int, room: int) -> Iterator[CorpusBlock]:
        window, left = _Window(self.path), self.limit
        for last in self._fill(window, room):
            while cut := window.next_cut(chunk, room, last):
                block = window.take(cut, chunk, self.element_bits, left)
                yield block
                left = left.after(block)
                if left.exhausted:
                    return

    def _fill(self, window: _Window, room: int) -> Iterator[bool]:
        """Read into `window`, and yield after each piece whether it was the last."""
        with reading(self.path), open_plain_or_gzip(self.path) as file:
            for piece in pieces(file, min(max(room, 1 << 14), PIECE_BYTES)):
                window.append(piece)
                yield False
        window.check_ended()
        yield True


@dataclass(slots=True)
class _Window:
    """The bytes read and not yet in a block, with the class of each byte.

    `records` are the positions of the `>` in it; the bytes before the first of them belong to record
    number `number`, named `name` (0 before the first record), of which `offset` bases are gone already.
    """

    path: Path
    raw: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    classes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    records: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    bases: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, dtype=np.uint32))
    number: int = 0
    name: str = ""
    offset: int = 0
    at_line_start: bool = True
    in_header: bool = False
    lines: int = 1

    def append(self, data: bytes) -> None:
        """Classify `data` and add it; raises CorpusError at a letter that no FASTA of DNA may have."""
        piece, before = np.frombuffer(data, dtype=np.uint8), len(self.raw)
        classes, records = self._classify(piece)
        self.raw = np.concatenate([self.raw, piece])
        self.classes = np.concatenate([self.classes, classes])
        self.records = np.concatenate([self.records, records + before])
        bases = (np.flatnonzero(classes < LETTER) + before).astype(np.uint32)
        self.bases = np.concatenate([self.bases, bases])
        self._check(before)
        self.lines += _line_ends(piece)

    def _classify(self, piece: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return the class of each byte and the positions of new records."""
        ends = np.flatnonzero((piece == LF) | (piece == CR))
        starts = np.concatenate([[0] if self.at_line_start else [], ends + 1]).astype(np.int64)
        starts = starts[starts < len(piece)]
        first = piece[starts]
        headers = starts[(first == RECORD) | (first == COMMENT)]
        records = starts[first == RECORD]
        if self.in_header:
            headers = np.concatenate([[0], headers])
        classes = CLASSES[piece]
        stops = np.append(ends, len(piece))[np.searchsorted(ends, headers)]
        classes[_covered(headers, stops, len(piece))] = BREAK
        self.in_header = bool(len(stops)) and int(stops[-1]) == len(piece)
        self.at_line_start = bool(len(ends)) and int(ends[-1]) == len(piece) - 1
        return classes, records

    def _check(self, start: int) -> None:
        """Refuse letters before the first record, and foreign letters, in what was added at `start`."""
        first_record = int(self.records[0]) if len(self.records) else len(self.raw)
        letters = np.flatnonzero(self.classes[start:] != BREAK)
        foreign = np.flatnonzero(self.classes[start:] == FOREIGN)
        if not self.number and len(letters) and start + letters[0] < first_record:
            at = start + int(letters[0])
            raise CorpusError(
                f"{self.path}, line {self._line(start, at)} begins with {_letter(self.raw[at])}; "
                "expected a FASTA, whose records begin with a line '>name'"
            )
        if len(foreign):
            at = start + int(foreign[0])
            raise CorpusError(
                f"{self.path}, record {self._record_name(at)!r}, line {self._line(start, at)} has the letter "
                f"{_letter(self.raw[at])}; expected DNA: ACGT, U, IUPAC ambiguity letters (N, R ...), - or ."
            )

    def _line(self, start: int, at: int) -> int:
        return self.lines + _line_ends(self.raw[start:at])

    def _record_name(self, at: int) -> str:
        i = int(np.searchsorted(self.records, at)) - 1
        return self._header_word(int(self.records[i])) if i >= 0 else self.name

    def _header_word(self, record: int) -> str:
        """Return the first word of the header whose `>` is at `record`."""
        text = self.raw[record + 1 : record + 1 + _NAME_BYTES].tobytes().replace(b"\r", b"\n").split(b"\n")[0]
        words = text.decode("utf-8", "replace").split()
        return words[0] if words else ""

    def check_ended(self) -> None:
        """Refuse a file in which no record was found."""
        if not self.number and not len(self.records):
            seen = "has no record" if len(self.raw) else "is empty"
            raise CorpusError(f"{self.path} {seen}; expected a FASTA: a line '>name', then lines of bases")

    def next_cut(self, chunk: int, room: int, last: bool) -> int:
        """Return how many bytes the next block takes, or 0 where more must be read first."""
        most = int(self.records[MAX_ORIGINS]) if len(self.records) > MAX_ORIGINS else 0
        if len(self.bases) > room:
            count = self._whole_chunks(room, chunk)
            cut = int(self.bases[count - 1]) + 1
            return min(cut, most) if most else cut
        if last or most:
            return most or len(self.raw)
        return self._line_cut() if len(self.raw) > MAX_RESTORED_BYTES + 2 * room else 0

    def _whole_chunks(self, count: int, chunk: int) -> int:
        """Return the largest number of bases up to `count` that ends a chunk (chunks start at a record's
        first base, and at the window's)."""
        firsts = self._bases_before(self.records)
        inside = firsts[firsts <= count]
        start = int(inside[-1]) if len(inside) else 0
        return start + (count - start) // chunk * chunk

    def _bases_before(self, at: int | Column) -> Column:
        # In the positions' own type: numpy would widen all of them for any other.
        return np.searchsorted(self.bases, np.asarray(at, dtype=np.uint32))

    def _line_cut(self) -> int:
        """Return the position behind the last complete line, so that no header is divided, or 0."""
        ends = np.flatnonzero((self.raw == LF) | (self.raw == CR))
        if len(ends):
            return int(ends[-1]) + 1
        return 0 if self.in_header else len(self.raw)

    def take(self, cut: int, chunk: int, element_bits: int, limit: Limit) -> CorpusBlock:
        """Remove the first `cut` bytes, or fewer where `limit` falls among them, and return their block."""
        spans = self._spans(int(self._bases_before(cut)))
        lengths = chunk_lengths(spans, chunk)
        most = limit.elements(element_bits)
        count = int(lengths[: limit.sequences].sum())
        count = count if most is None else min(count, most)
        if count < int(lengths.sum()):
            cut = int(self.bases[count - 1]) + 1
            spans = self._spans(count)
            lengths = chunk_lengths(spans, chunk)
        raw, classes = self.raw[:cut], self.classes[:cut]
        values = classes[classes < LETTER]
        side = pack_layout(raw, classes)
        self._drop(cut, spans)
        return CorpusBlock(
            KIND, values, lengths, chunk_origins(spans, chunk), element_bits, chunk, side, cut, cut
        )

    def _spans(self, count: int) -> list[Span]:
        """Return what the records have of the window's first `count` bases."""
        firsts = np.minimum(self._bases_before(self.records), count)
        spans = [Span(f"{self.number}:{self.name}", self.offset, int(firsts[0]) if len(firsts) else count)]
        for i, (first, stop) in enumerate(zip(firsts, np.append(firsts, count)[1:], strict=True)):
            if stop > first:
                name = f"{self.number + 1 + i}:{self._header_word(int(self.records[i]))}"
                spans.append(Span(name, 0, int(stop - first)))
        return [span for span in spans if span.elements]

    def _drop(self, cut: int, spans: list[Span]) -> None:
        gone = int(np.searchsorted(self.records, cut))
        taken = int(self._bases_before(cut))
        if gone:
            last = int(self.records[gone - 1])
            self.name, self.number = self._header_word(last), self.number + gone
            self.offset = taken - int(self._bases_before(last))
        else:
            self.offset += taken
        self.raw, self.classes = self.raw[cut:], self.classes[cut:]
        self.records, self.bases = self.records[gone:] - cut, self.bases[taken:] - cut


def _covered(starts: NDArray[np.int64], stops: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """Return a mask of the disjoint stretches from `starts` to `stops`."""
    steps = np.zeros(size + 1, dtype=np.int8)
    steps[starts] = 1
    steps[stops] -= 1
    return np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)


def _line_ends(piece: NDArray[np.uint8]) -> int:
    """Return the number of line ends, whether they are LF, CR LF or CR."""
    return max(int(np.count_nonzero(piece == LF)), int(np.count_nonzero(piece == CR)))


def _letter(byte: int) -> str:
    return repr(chr(byte)) if 32 < byte < 127 else f"byte {byte}"


def open_dna(name: str, path: Path, element_bits: int, limit: Limit) -> DnaCorpus:
    """Open a FASTA, plain or gzipped; raises CorpusError where there is no file at `path`."""
    return DnaCorpus(name, check_file(path, "a FASTA file, plain or gzipped"), element_bits, limit)
