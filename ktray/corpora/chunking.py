"""Cutting streams of elements into blocks of chunks.

Chunks never cross origins, every chunk but the last of an origin has the full length, and a block is
never longer than `block_elements` (or one chunk, where that is longer).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ktray.corpora.blocks import CorpusBlock, Origin
from ktray.errors import ConfigError, CorpusError
from ktray.sequences import Values

#: A block has at most so many sequences, and so many origins, however small they are.
MAX_SEQUENCES = 1 << 20
MAX_ORIGINS = 1 << 17


@dataclass(frozen=True, slots=True)
class Span:
    """Elements `start` .. `start + elements` of the origin `name`, which lie in one block; `about` is the
    corpus's own knowledge of the origin."""

    name: str
    start: int
    elements: int
    about: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """An origin: its name and its elements, piece by piece."""

    name: str
    pieces: Iterable[Values]
    about: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Quota:
    """At most so many elements and chunks (None: all). Elements are cut exactly, or else taken in `whole`
    origins until they are enough."""

    elements: int | None = None
    chunks: int | None = None
    whole: bool = False


Finish = Callable[[list[Span], Values], CorpusBlock]


@dataclass(slots=True)
class _Growing:
    spans: list[Span] = field(default_factory=list)
    parts: list[Values] = field(default_factory=list)
    size: int = 0

    def add(self, stream: Stream, start: int, values: Values) -> None:
        last = self.spans[-1] if self.spans else None
        if last and last.name == stream.name and last.start + last.elements == start:
            self.spans[-1] = Span(last.name, last.start, last.elements + len(values), last.about)
        else:
            self.spans.append(Span(stream.name, start, len(values), stream.about))
        self.parts.append(values)
        self.size += len(values)


def check_chunk(chunk: int, block_elements: int) -> None:
    """Raise ConfigError where the lengths of a chunk and a block make no sense."""
    if chunk < 1:
        raise ConfigError(f"--chunk {chunk}: expected a number of elements of 1 or more, such as 128")
    if block_elements < 1:
        raise ConfigError(f"block size {block_elements}: expected a number of elements of 1 or more")


def block_room(chunk: int, block_elements: int) -> int:
    """Return the most elements that a block of chunks may have."""
    return max(chunk, min(block_elements, MAX_SEQUENCES * chunk))


def chunked_blocks(
    streams: Iterable[Stream], chunk: int, block_elements: int, finish: Finish, quota: Quota
) -> Iterator[CorpusBlock]:
    """Yield the blocks of `streams`, up to `quota`; `finish` makes a block of its spans and its values.

    Memory is that of one block and one piece.
    """
    check_chunk(chunk, block_elements)
    room, growing = block_room(chunk, block_elements), _Growing()
    for stream, start, aligned in _limited(streams, chunk, quota):
        values = aligned
        while len(values):
            left = room - growing.size
            take = len(values) if len(values) <= left else left // chunk * chunk
            if take:
                growing.add(stream, start, values[:take])
                start, values = start + take, values[take:]
            if len(values):
                yield finish(growing.spans, _joined(growing.parts))
                growing = _Growing()
    if growing.size:
        yield finish(growing.spans, _joined(growing.parts))


def _limited(streams: Iterable[Stream], chunk: int, quota: Quota) -> Iterator[tuple[Stream, int, Values]]:
    """Yield stream, first element and elements (whole chunks, but for a stream's last) up to `quota`."""
    elements, chunks = 0, 0
    for stream in streams:
        if quota.elements is not None and elements >= quota.elements:
            return
        start = 0
        for values in _aligned(stream.pieces, chunk):
            if quota.elements is not None and not quota.whole:
                values = values[: quota.elements - elements]
            if quota.chunks is not None:
                values = values[: (quota.chunks - chunks) * chunk]
            if not len(values):
                return
            yield stream, start, values
            start, elements = start + len(values), elements + len(values)
            chunks += -(-len(values) // chunk)


def _aligned(pieces: Iterable[Values], chunk: int) -> Iterator[Values]:
    """Yield the same elements in pieces of whole chunks, but for the last piece."""
    carry = np.zeros(0, dtype=np.uint8)
    for piece in pieces:
        values = np.concatenate([carry, piece]) if len(carry) else piece
        even = len(values) // chunk * chunk
        if even:
            yield values[:even]
        carry = values[even:]
    if len(carry):
        yield carry


def _joined(parts: list[Values]) -> Values:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def chunk_lengths(spans: Iterable[Span], chunk: int) -> NDArray[np.int64]:
    """Return the lengths (int64) of the chunks that `spans` are cut into."""
    return np.concatenate([np.zeros(0, dtype=np.int64)] + [_lengths(span.elements, chunk) for span in spans])


def _lengths(elements: int, chunk: int) -> NDArray[np.int64]:
    lengths = np.full(-(-elements // chunk), chunk, dtype=np.int64)
    if elements % chunk:
        lengths[-1] = elements % chunk
    return lengths


def chunk_origins(spans: Iterable[Span], chunk: int) -> tuple[Origin, ...]:
    """Return the origins of the chunks that `spans` are cut into."""
    return tuple(Origin(span.name, span.start, -(-span.elements // chunk)) for span in spans)


def within_bits(blocks: Iterable[CorpusBlock], element_bits: int) -> Iterator[CorpusBlock]:
    """Yield `blocks` unchanged; raises CorpusError at the first element of more than `element_bits` bits."""
    before = 0
    for block in blocks:
        if element_bits < 8 and len(block.values) and int(block.values.max()) >> element_bits:
            at = int(np.argmax(block.values >> element_bits > 0))
            raise CorpusError(
                f"element {before + at} is {block.values[at]}; with --element-bits {element_bits} "
                f"expected 0 to {(1 << element_bits) - 1}; leave the option out or raise it"
            )
        before += len(block.values)
        yield block
