"""`dna`: the bases of a FASTA as symbols 0..7; all else of the file is kept in `side`, so that the file
itself is restored byte for byte. Memory is that of a block, whatever the size of the genome.

A, C, T, G are 0, 1, 2, 3 and a, c, t, g are 4, 5, 6, 7: bit 2 is the soft mask. This order is the one that
the published dna.bin shows: its rarest upper-case pairs are 1-3 and 2-0, as CG and TA are in the human
genome, and its first repeat, 6 4 4 4 5 5 5, is the telomere's taaaccc.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from Bio.Data.IUPACData import ambiguous_dna_letters, ambiguous_rna_letters
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
from ktray.corpora.selection import NO_LIMIT, Limit, selected_digest
from ktray.corpora.side import Column, read_columns, squeeze, unsqueeze, write_columns
from ktray.corpora.sources import PIECE_BYTES, check_file, digest_files, open_plain_or_gzip, pieces, reading
from ktray.errors import ArchiveError, CorpusError
from ktray.sequences import Values

KIND = "fasta"
BASES = b"ACTGactg"
#: Beside the IUPAC letters, both cases: gaps as alignments write them.
_OTHER_LETTERS = "".join(sorted(set(ambiguous_dna_letters + ambiguous_rna_letters))) + "-."
#: A block restores at most about this many bytes, however few bases they hold (a long run of N).
MAX_RESTORED_BYTES = 1 << 25
#: Names are cut at this length; the number before them keeps them apart.
_NAME_BYTES = 256

_LETTER, _BREAK, _FOREIGN = 8, 9, 10
_LF, _CR, _RECORD, _COMMENT = b"\n\r>;"


def _classes() -> NDArray[np.uint8]:
    table = np.full(256, _FOREIGN, dtype=np.uint8)
    table[list(b" \t\n\r\v\f")] = _BREAK
    table[list((_OTHER_LETTERS + _OTHER_LETTERS.lower()).encode())] = _LETTER
    table[list(BASES)] = np.arange(8)
    return table


_CLASSES = _classes()


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
        window, bases, sequences = (
            _Window(self.path),
            self.limit.elements(self.element_bits),
            self.limit.sequences,
        )
        for last in self._fill(window, room):
            while cut := window.next_cut(chunk, room, last):
                block = window.take(cut, chunk, bases, sequences, self.element_bits)
                yield block
                bases = None if bases is None else bases - len(block.values)
                sequences = None if sequences is None else sequences - len(block.lengths)
                if bases == 0 or sequences == 0:
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
        bases = (np.flatnonzero(classes < _LETTER) + before).astype(np.uint32)
        self.bases = np.concatenate([self.bases, bases])
        self._check(before)
        self.lines += _line_ends(piece)

    def _classify(self, piece: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return the class of each byte and the positions of new records."""
        ends = np.flatnonzero((piece == _LF) | (piece == _CR))
        starts = np.concatenate([[0] if self.at_line_start else [], ends + 1]).astype(np.int64)
        starts = starts[starts < len(piece)]
        first = piece[starts]
        headers = starts[(first == _RECORD) | (first == _COMMENT)]
        records = starts[first == _RECORD]
        if self.in_header:
            headers = np.concatenate([[0], headers])
        classes = _CLASSES[piece]
        stops = np.append(ends, len(piece))[np.searchsorted(ends, headers)]
        classes[_covered(headers, stops, len(piece))] = _BREAK
        self.in_header = bool(len(stops)) and int(stops[-1]) == len(piece)
        self.at_line_start = bool(len(ends)) and int(ends[-1]) == len(piece) - 1
        return classes, records

    def _check(self, start: int) -> None:
        """Refuse letters before the first record, and foreign letters, in what was added at `start`."""
        first_record = int(self.records[0]) if len(self.records) else len(self.raw)
        letters = np.flatnonzero(self.classes[start:] != _BREAK)
        foreign = np.flatnonzero(self.classes[start:] == _FOREIGN)
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
        ends = np.flatnonzero((self.raw == _LF) | (self.raw == _CR))
        if len(ends):
            return int(ends[-1]) + 1
        return 0 if self.in_header else len(self.raw)

    def take(
        self, cut: int, chunk: int, bases: int | None, sequences: int | None, element_bits: int
    ) -> CorpusBlock:
        """Remove the first `cut` bytes, or fewer where a limit falls among them, and return their block."""
        spans = self._spans(int(self._bases_before(cut)))
        lengths = chunk_lengths(spans, chunk)
        count = int(lengths[:sequences].sum())
        count = count if bases is None else min(count, bases)
        if count < int(lengths.sum()):
            cut = int(self.bases[count - 1]) + 1
            spans = self._spans(count)
            lengths = chunk_lengths(spans, chunk)
        raw, classes = self.raw[:cut], self.classes[:cut]
        values = classes[classes < _LETTER]
        side = squeeze(_layout(raw, classes))
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
    return max(int(np.count_nonzero(piece == _LF)), int(np.count_nonzero(piece == _CR)))


def _letter(byte: int) -> str:
    return repr(chr(byte)) if 32 < byte < 127 else f"byte {byte}"


# The layout of a block. Two layers: letters between breaks (line ends, headers, comments, blanks), and
# bases between other letters. Both are runs behind a gap, and equal neighbours are counted, so that
# regular lines cost nothing and a run of N costs three numbers.

_PLAIN_BREAKS = (b"\n", b"\r\n")
_WRITTEN = len(_PLAIN_BREAKS)


def _runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return starts and stops of the runs of True."""
    steps = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)


def _gaps(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    return starts - np.concatenate([[0], stops[:-1]]) if len(starts) else starts


def _layout(raw: NDArray[np.uint8], classes: NDArray[np.uint8]) -> bytes:
    """Return the side of the bytes `raw`: everything in them but their bases."""
    starts, stops = _runs(classes == _BREAK)
    codes = _break_codes(raw, starts, stops)
    gaps, codes_once, counts = _counted(_gaps(starts, stops), codes)
    texts = [raw[i:j].tobytes() for i, j, code in zip(starts, stops, codes, strict=True) if code == _WRITTEN]
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    letters = classes != _BREAK
    others = _other_letters(raw[letters], classes[letters])
    return write_columns([gaps, codes_once, counts, sizes, *others]) + b"".join(texts)


def _break_codes(raw: NDArray[np.uint8], starts: Column, stops: Column) -> Column:
    """Return 0 for a break that is LF, 1 for CR LF, 2 for one that must be written out."""
    codes = np.full(len(starts), _WRITTEN, dtype=np.int64)
    codes[(stops - starts == 1) & (raw[starts] == _LF)] = 0
    second = raw[np.minimum(starts + 1, len(raw) - 1)] if len(starts) else raw[:0]
    codes[(stops - starts == 2) & (raw[starts] == _CR) & (second == _LF)] = 1
    return codes


def _counted(gaps: Column, codes: Column) -> tuple[Column, Column, Column]:
    """Return pairs of gap and code without equal neighbours, and how often each came."""
    if not len(gaps):
        return gaps, codes, gaps
    new = np.flatnonzero(np.concatenate([[True], (gaps[1:] != gaps[:-1]) | (codes[1:] != codes[:-1])]))
    return gaps[new], codes[new], np.diff(np.append(new, len(gaps)))


def _other_letters(letters: NDArray[np.uint8], classes: NDArray[np.uint8]) -> list[Column]:
    """Return gap, byte and length of each run of one letter that is no base."""
    at = np.flatnonzero(classes == _LETTER)
    if not len(at):
        return [at, at, at]
    kinds = letters[at]
    new = np.concatenate([[True], (np.diff(at) != 1) | (kinds[1:] != kinds[:-1])])
    starts = at[new]
    counts = np.diff(np.append(np.flatnonzero(new), len(at)))
    return [_gaps(starts, starts + counts), kinds[new].astype(np.int64), counts]


def restore_fasta(values: Values, lengths: NDArray[np.int64], side: bytes) -> bytes:
    """Return the bytes of the FASTA that the bases `values` and `side` stand for."""
    (gaps, codes, counts, sizes, other_gaps, others, other_counts), text = read_columns(unsqueeze(side), 7)
    bases = np.frombuffer(BASES, dtype=np.uint8)[values & 7]
    runs = np.repeat(others.astype(np.uint8), other_counts)
    letters = _spread(bases, other_gaps, other_counts, runs)
    codes, gaps = np.repeat(codes, counts), np.repeat(gaps, counts)
    breaks, break_sizes = _written_out(codes, sizes, text)
    return _spread(letters, gaps, break_sizes, breaks).tobytes()


def _written_out(codes: Column, sizes: Column, text: bytes) -> tuple[NDArray[np.uint8], Column]:
    """Return the bytes of all breaks one after another, and the size of each."""
    if int(np.count_nonzero(codes == _WRITTEN)) != len(sizes) or int(sizes.sum()) != len(text):
        raise ArchiveError("a FASTA block's side data does not fit together; the archive must be made again")
    break_sizes = codes + 1
    break_sizes[codes == _WRITTEN] = sizes
    out = np.full(int(break_sizes.sum()), _LF, dtype=np.uint8)
    ends = np.cumsum(break_sizes)
    out[ends[codes == 1] - 2] = _CR
    out[np.repeat(codes == _WRITTEN, break_sizes)] = np.frombuffer(text, dtype=np.uint8)
    return out, break_sizes


def _spread(
    base: NDArray[np.uint8], gaps: Column, sizes: Column, inserted: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return `base` with pieces of `inserted`, each of its size, put in behind their gaps."""
    if int(gaps.sum()) > len(base):
        raise ArchiveError("a FASTA block's side data does not fit its bases; the archive must be made again")
    starts = np.cumsum(gaps + sizes) - sizes
    mask = _covered_runs(starts, sizes, len(base) + len(inserted))
    out = np.empty(len(base) + len(inserted), dtype=np.uint8)
    out[mask], out[~mask] = inserted, base
    return out


def _covered_runs(starts: Column, sizes: Column, size: int) -> NDArray[np.bool_]:
    # Neighbouring runs may touch (runs of different letters), so that steps are added, not set.
    steps = np.zeros(size + 1, dtype=np.int8)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + sizes, -1)
    return np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)


def open_dna(name: str, path: Path, element_bits: int, limit: Limit) -> DnaCorpus:
    """Open a FASTA, plain or gzipped; raises CorpusError where there is no file at `path`."""
    return DnaCorpus(name, check_file(path, "a FASTA file, plain or gzipped"), element_bits, limit)
