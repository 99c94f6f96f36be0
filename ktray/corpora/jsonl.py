"""`sequences`: a list of bytes a line, `{"sequence": [1, 2, 3]}`; sequences keep their boundaries.

What is restored is one such line a sequence, in order, written as `json.dumps` writes it (a blank behind
each comma and colon) and ended by a newline; other keys, blank lines and other spacing are not kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ktray.corpora.blocks import CorpusBlock, Origin
from ktray.corpora.chunking import MAX_SEQUENCES, check_chunk, within_bits
from ktray.corpora.selection import NO_LIMIT, Limit, selected_digest
from ktray.corpora.sources import check_file, digest_files, open_plain_or_gzip, reading
from ktray.errors import CorpusError
from ktray.sequences import Values

KIND = "sequences"
#: A line longer than this is refused: it is no list of values, and reading it would take the memory.
MAX_LINE_BYTES = 1 << 28
_FRAME = len('{"sequence": []}\n')


@dataclass(slots=True)
class _Growing:
    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, values: bytes) -> None:
        self.parts.append(values)
        self.size += len(values)


@dataclass(frozen=True, slots=True)
class SequencesCorpus:
    """The sequences of the JSONL file `path` (plain or gzipped), one origin whose positions are numbers of
    sequences. Chunking does not apply: every block has `chunk` 0."""

    name: str
    path: Path
    element_bits: int = 8
    limit: Limit = NO_LIMIT

    def digest(self) -> str:
        return selected_digest(digest_files([(self.path.name, self.path)]), self.limit)

    def blocks(self, chunk: int, block_elements: int) -> Iterator[CorpusBlock]:
        check_chunk(max(chunk, 1), block_elements)
        whole = limited(read_sequences(self.path), self.limit, self.element_bits)
        yield from sequence_blocks(whole, self.path.name, self.element_bits, block_elements)


def limited(sequences: Iterable[bytes], limit: Limit, element_bits: int) -> Iterator[bytes]:
    """Yield whole sequences until the limit is reached."""
    most, elements = limit.elements(element_bits), 0
    for i, values in enumerate(sequences):
        if i == limit.sequences or (most is not None and elements >= most):
            return
        elements += len(values)
        yield values


def sequence_blocks(
    sequences: Iterable[bytes], origin: str, element_bits: int, block_elements: int
) -> Iterator[CorpusBlock]:
    """Yield blocks of kind `sequences` of about `block_elements` elements; `origin` names all of them."""
    blocks = _blocks(sequences, origin, element_bits, block_elements)
    yield from within_bits(blocks, element_bits)


def _blocks(
    sequences: Iterable[bytes], origin: str, element_bits: int, block_elements: int
) -> Iterator[CorpusBlock]:
    # Empty sequences take no elements, so that a block is also bounded by their number.
    growing, first, most = _Growing(), 0, min(block_elements, MAX_SEQUENCES)
    for values in sequences:
        full = growing.size + len(values) > block_elements or len(growing.parts) >= most
        if growing.parts and full:
            yield _finish(growing.parts, origin, first, element_bits)
            growing, first = _Growing(), first + len(growing.parts)
        growing.add(values)
    if growing.parts:
        yield _finish(growing.parts, origin, first, element_bits)


def _finish(parts: list[bytes], origin: str, first: int, element_bits: int) -> CorpusBlock:
    values = np.frombuffer(b"".join(parts), dtype=np.uint8)
    lengths = np.array([len(part) for part in parts], dtype=np.int64)
    origins = (Origin(origin, first, len(parts)),)
    size = lines_bytes(values, lengths)
    return CorpusBlock(KIND, values, lengths, origins, element_bits, 0, b"", len(parts), size)


def read_sequences(path: Path) -> Iterator[bytes]:
    """Yield each line's `sequence` as bytes; raises CorpusError with the number of the first bad line."""
    seen = False
    with reading(path), open_plain_or_gzip(path) as file:
        for number, line in _lines(path, file):
            if not line.isspace():
                seen = True
                yield _sequence(path, number, line)
    if not seen:
        raise CorpusError(f'{path} has no lines; expected one {{"sequence": [...]}} a line')


def _lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(MAX_LINE_BYTES):
        number += 1
        if len(line) == MAX_LINE_BYTES:
            raise CorpusError(f"{path}, line {number} is longer than {MAX_LINE_BYTES} bytes; expected JSONL")
        yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def _sequence(path: Path, number: int, line: bytes) -> bytes:
    where, expected = f"{path}, line {number}", '{"sequence": [...]} with whole numbers 0 to 255'
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "not UTF-8, or nested too deep"
        raise CorpusError(f"{where} is not JSON ({reason}); expected {expected}") from None
    if not isinstance(record, dict) or "sequence" not in record:
        raise CorpusError(f'{where} has no "sequence"; expected {expected}')
    sequence = record["sequence"]
    if type(sequence) is not list:
        raise CorpusError(f'{where}: "sequence" is {_shown(sequence)}, not a list; expected {expected}')
    if set(map(type, sequence)) <= {int} and (not sequence or 0 <= min(sequence) <= max(sequence) <= 255):
        return bytes(sequence)
    at = next(i for i, value in enumerate(sequence) if type(value) is not int or not 0 <= value <= 255)
    raise CorpusError(f"{where}: element {at} of the sequence is {_shown(sequence[at])}; expected {expected}")


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def lines_bytes(values: Values, lengths: NDArray[np.int64]) -> int:
    """Return how many bytes `restore_lines` would write."""
    digits = len(values) + int(np.count_nonzero(values >= 10)) + int(np.count_nonzero(values >= 100))
    commas = len(values) - int(np.count_nonzero(lengths))
    return _FRAME * len(lengths) + digits + 2 * commas


def restore_lines(values: Values, lengths: NDArray[np.int64], side: bytes) -> bytes:
    """Return one JSON line a sequence."""
    ends = np.cumsum(lengths).tolist()
    starts = [0, *ends[:-1]]
    lines = (json.dumps({"sequence": values[i:j].tolist()}) for i, j in zip(starts, ends, strict=True))
    return "".join(f"{line}\n" for line in lines).encode()


def open_sequences(name: str, path: Path, element_bits: int, limit: Limit) -> SequencesCorpus:
    """Open a JSONL file of sequences; raises CorpusError where there is none at `path`."""
    return SequencesCorpus(
        name, check_file(path, 'a JSONL file, {"sequence": [...]} a line'), element_bits, limit
    )
