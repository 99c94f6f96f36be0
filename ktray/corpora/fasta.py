"""The bytes of a FASTA: which are bases, and how all the others are kept and put back.

A, C, T, G are 0, 1, 2, 3 and a, c, t, g are 4, 5, 6, 7: bit 2 is the soft mask. This order is the one that
the published dna.bin shows: its rarest upper-case pairs are 1-3 and 2-0, as CG and TA are in the human
genome, and the repeat at its start, 6 4 4 5 5 5, is the telomere's taaccc.
"""

from __future__ import annotations

import numpy as np
from Bio.Data.IUPACData import ambiguous_dna_letters, ambiguous_rna_letters
from numpy.typing import NDArray

from ktray.corpora.side import Column, read_columns, squeeze, unsqueeze, write_columns
from ktray.errors import ArchiveError
from ktray.sequences import Values

KIND = "fasta"
BASES = b"ACTGactg"
#: Beside the IUPAC letters, both cases: gaps as alignments write them.
_OTHER_LETTERS = "".join(sorted(set(ambiguous_dna_letters + ambiguous_rna_letters))) + "-."

#: The class of a base is its symbol; the other classes follow.
LETTER, BREAK, FOREIGN = 8, 9, 10
LF, CR, RECORD, COMMENT = b"\n\r>;"


def _classes() -> NDArray[np.uint8]:
    table = np.full(256, FOREIGN, dtype=np.uint8)
    table[list(b" \t\n\r\v\f")] = BREAK
    table[list((_OTHER_LETTERS + _OTHER_LETTERS.lower()).encode())] = LETTER
    table[list(BASES)] = np.arange(8)
    return table


CLASSES = _classes()


# The layout of a block. Two layers: letters between breaks (line ends, headers, comments, blanks), and
# bases between other letters. Both are runs behind a gap, and equal neighbours are counted, so that
# regular lines cost nothing and a run of N costs three numbers.

_PLAIN_BREAKS = (b"\n", b"\r\n")
_WRITTEN = len(_PLAIN_BREAKS)


def _runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return starts and stops of the runs of True."""
    if not len(mask):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    flips = np.flatnonzero(mask[1:] != mask[:-1]) + 1
    flips = np.concatenate([[0] if mask[0] else [], flips, [len(mask)] if mask[-1] else []]).astype(np.int64)
    return flips[0::2], flips[1::2]


def _gaps(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    return starts - np.concatenate([[0], stops[:-1]]) if len(starts) else starts


def pack_layout(raw: NDArray[np.uint8], classes: NDArray[np.uint8]) -> bytes:
    """Return the side of the bytes `raw`: everything in them but their bases."""
    starts, stops = _runs(classes == BREAK)
    codes = _break_codes(raw, starts, stops)
    gaps, codes_once, counts = _counted(_gaps(starts, stops), codes)
    written = codes == _WRITTEN
    texts = [raw[i:j].tobytes() for i, j in zip(starts[written], stops[written], strict=True)]
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    letters = classes != BREAK
    others = _other_letters(raw[letters], classes[letters])
    return squeeze(write_columns([gaps, codes_once, counts, sizes, *others]) + b"".join(texts))


def _break_codes(raw: NDArray[np.uint8], starts: Column, stops: Column) -> Column:
    """Return 0 for a break that is LF, 1 for CR LF, 2 for one that must be written out."""
    codes = np.full(len(starts), _WRITTEN, dtype=np.int64)
    codes[(stops - starts == 1) & (raw[starts] == LF)] = 0
    second = raw[np.minimum(starts + 1, len(raw) - 1)] if len(starts) else raw[:0]
    codes[(stops - starts == 2) & (raw[starts] == CR) & (second == LF)] = 1
    return codes


def _counted(gaps: Column, codes: Column) -> tuple[Column, Column, Column]:
    """Return pairs of gap and code without equal neighbours, and how often each came."""
    if not len(gaps):
        return gaps, codes, gaps
    new = np.flatnonzero(np.concatenate([[True], (gaps[1:] != gaps[:-1]) | (codes[1:] != codes[:-1])]))
    return gaps[new], codes[new], np.diff(np.append(new, len(gaps)))


def _other_letters(letters: NDArray[np.uint8], classes: NDArray[np.uint8]) -> list[Column]:
    """Return gap, byte and length of each run of one letter that is no base."""
    at = np.flatnonzero(classes == LETTER)
    if not len(at):
        return [at, at, at]
    kinds = letters[at]
    new = np.concatenate([[True], (np.diff(at) != 1) | (kinds[1:] != kinds[:-1])])
    starts = at[new]
    counts = np.diff(np.append(np.flatnonzero(new), len(at)))
    return [_gaps(starts, starts + counts), kinds[new].astype(np.int64), counts]


#: No block restores more bytes.
_MOST_RESTORED = 1 << 31


def restore_fasta(values: Values, lengths: NDArray[np.int64], side: bytes) -> bytes:
    """Return the bytes of the FASTA that the bases `values` and `side` stand for."""
    (gaps, codes, counts, sizes, other_gaps, others, other_counts), text = read_columns(unsqueeze(side), 7)
    if max(_sum(other_counts), _sum(counts), _sum(sizes)) > _MOST_RESTORED:
        raise ArchiveError("a FASTA block's side data asks for too much; the archive must be made again")
    bases = np.frombuffer(BASES, dtype=np.uint8)[values & 7]
    runs = np.repeat(others.astype(np.uint8), other_counts)
    letters = _spread(bases, other_gaps, other_counts, runs)
    codes, gaps = np.repeat(codes, counts), np.repeat(gaps, counts)
    breaks, break_sizes = _written_out(codes, sizes, text)
    return _spread(letters, gaps, break_sizes, breaks).tobytes()


def _sum(column: Column) -> float:
    """Return a sum that does not wrap around; of numbers below zero, which no writer writes, infinity."""
    return float(column.sum(dtype=np.float64)) if not len(column) or column.min() >= 0 else float("inf")


def _written_out(codes: Column, sizes: Column, text: bytes) -> tuple[NDArray[np.uint8], Column]:
    """Return the bytes of all breaks one after another, and the size of each."""
    if int(np.count_nonzero(codes == _WRITTEN)) != len(sizes) or int(sizes.sum()) != len(text):
        raise ArchiveError("a FASTA block's side data does not fit together; the archive must be made again")
    break_sizes = codes + 1
    break_sizes[codes == _WRITTEN] = sizes
    out = np.full(int(break_sizes.sum()), LF, dtype=np.uint8)
    ends = np.cumsum(break_sizes)
    out[ends[codes == 1] - 2] = CR
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
