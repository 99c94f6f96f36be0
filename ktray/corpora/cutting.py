"""Where to cut a stream of elements whose sequences stand one after another without marks.

A dynamic programme explains the whole stream by what short programs are made of: progressions, lists, copies
of what stands shortly before (as it is, or with a constant added), and interleavings of two such streams, one
of which may be interleaved again. Cuts go where no copy and no interleaving reaches across. Used by the encoder
alone: the archive stores the lengths.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ktray.corpora.blocks import CorpusBlock, DerivedCorpus, Origin
from ktray.kernels import njit
from ktray.sequences import Values

#: The explanation of elements that are worth cutting costs less than this share of what LZMA makes of them.
WORTH = 0.8
#: Sequences have at most so many elements; fewer than `_SHORTEST` only where an interleaving begins, and
#: never fewer than `_LEAST`, so that a block has no more of them than an archive's block holds.
_LONGEST_SEQUENCE, _SHORTEST, _LEAST = 512, 48, 16
_STRETCH = 1 << 20  # elements explained at once

_INF = 1 << 40
# Prices in 1/16 bit, typical of the adaptive prior.
_LIST, _ELEMENT = 136, 128
_REPEAT, _UP, _STEPPED, _TURNED = 264, 264, 296, 88
_COPY, _SHIFTED, _WEAVE = 112, 224, 56
_MOST_STEP = 9

_REACH = 160  # elements between a copy and its source
_LONGEST = 96  # elements of a copy
_PAIRS = 112  # of the longest interleaving, and twice the pairs of one within it
_KEPT = 3  # copies kept for a place within an interleaving
_INNER_REACH = 48

# Kinds of piece.
_LIST_PIECE, _RUN_PIECE, _COPY_PIECE, _WEAVE_PIECE = range(4)


@dataclass(frozen=True, slots=True)
class AutoCut(DerivedCorpus):
    """The corpus `whole` with its chunks' boundaries replaced by those that `find_cuts` finds; blocks in which
    it finds next to no structure, and boundaries that are the corpus's own, stay as they are."""

    def digest(self) -> str:
        return self.whole.digest()

    def blocks(self, chunk: int, block_elements: int) -> Iterator[CorpusBlock]:
        for block in self.whole.blocks(chunk, block_elements):
            yield recut(block) if block.chunk else block


def recut(block: CorpusBlock) -> CorpusBlock:
    """Return `block` with each of its origins cut where sequences seem to begin."""
    ends = np.cumsum([0, *block.lengths])
    bounds = ends[np.cumsum([0, *(origin.sequences for origin in block.origins)])]
    pieces = [find_cuts(block.values[a:b]) for a, b in pairwise(bounds.tolist())]
    if not all(len(piece) for piece in pieces):
        return block
    origins = tuple(
        Origin(o.name, o.start, len(piece)) for o, piece in zip(block.origins, pieces, strict=True)
    )
    return replace(block, lengths=np.concatenate(pieces), origins=origins)


def find_cuts(values: Values) -> NDArray[np.int64]:
    """The lengths (int64) of the sequences that `values` (uint8) seem to be made of; they sum to its length.

    Empty where the explanation costs more than `WORTH` of the values' LZMA.
    """
    lengths, price = [np.zeros(0, np.int64)], 0
    if not len(values):
        return lengths[0]
    for start in range(0, len(values), _STRETCH):
        stretch = values[start : start + _STRETCH].astype(np.int64)
        bits, cuts = _cut_stretch(stretch)
        price += bits
        lengths.append(np.diff(np.flatnonzero(cuts)))
    packed = len(lzma.compress(values[:_STRETCH].tobytes())) * len(values) / min(len(values), _STRETCH)
    return np.concatenate(lengths) if price < 128 * WORTH * packed else lengths[0]


def _cut_stretch(x: NDArray[np.int64]) -> tuple[int, NDArray[np.bool_]]:
    kind, back, about = (np.zeros(len(x) + 1, np.int32) for _ in range(3))
    price = _explain(x, _inner_copies(x, 2), _inner_copies(x, 4), kind, back, about)
    return int(price), _choose(kind, back, about, len(x))


@njit(cache=True)
def _run_price(step: int) -> int:
    size = abs(step)
    if size == 0:
        return _REPEAT
    if size > _MOST_STEP:
        return _INF
    return (_UP if size == 1 else _STEPPED) + (_TURNED if step < 0 else 0)


@njit(cache=True)
def _inner_copies(x: NDArray[np.int64], stride: int) -> NDArray[np.int32]:
    """The longest copies that begin at each place of the streams of `stride`: source's distance, length, and
    whether a constant is added; shape (n, _KEPT, 3)."""
    n = len(x)
    found = np.zeros((n, _KEPT, 3), np.int32)
    for j in range(n):
        for k in range(1, _INNER_REACH):
            d = k * stride
            if d > j:
                break
            delta = x[j] - x[j - d]
            length = 1
            at = j + stride
            while length < _LONGEST and at < n and x[at] - x[at - d] == delta:
                length += 1
                at += stride
            if length < (2 if delta == 0 else 4):
                continue
            worth = length if delta == 0 else length - 1
            least = 0
            for c in range(1, _KEPT):
                if found[j, c, 1] - found[j, c, 2] < found[j, least, 1] - found[j, least, 2]:
                    least = c
            if worth > found[j, least, 1] - found[j, least, 2]:
                found[j, least, 0], found[j, least, 1], found[j, least, 2] = d, length, delta != 0
    return found


@njit(cache=True)
def _stream(
    x: NDArray[np.int64],
    start: int,
    stride: int,
    size: int,
    copies: Any,
    closed: Any,
    open_list: Any,
    open_run: Any,
) -> None:
    """The prices of the first k elements, k <= size, of the stream from `start` on: all pieces closed, or the
    last an open list or an open progression. `closed` holds prices known beforehand or _INF."""
    closed[0] = 0
    open_list[0], open_run[0] = _INF, _INF
    lists, runs, step = _INF, _INF, 1000
    for k in range(size):
        at = start + k * stride
        here = closed[k]
        lists = min(lists, here + _LIST) + _ELEMENT
        if k > 0:
            new = x[at] - x[at - stride]
            if new != step:
                runs, step = _INF, new
            runs = min(runs, closed[k - 1] + _run_price(step))
        open_list[k + 1], open_run[k + 1] = lists, runs
        closed[k + 1] = min(closed[k + 1], min(lists, runs))
        for c in range(_KEPT):
            length = copies[at, c, 1]
            if length == 0 or at - copies[at, c, 0] < start:
                continue
            price = here + (_SHIFTED if copies[at, c, 2] else _COPY)
            for q in range(2, min(length, size - k) + 1):
                closed[k + q] = min(closed[k + q], price)


@njit(cache=True)
def _explain(x: Any, copies2: Any, copies4: Any, kind: Any, back: Any, about: Any) -> int:
    n = len(x)
    closed = np.full(n + 1, _INF, np.int64)
    lists = np.full(n + 1, _INF, np.int64)
    lists_from = np.zeros(n + 1, np.int32)
    # Streams of stride 2 and 4 from the present place and the next ones, rings by place.
    two = np.full((3, 2, _PAIRS + 1), _INF, np.int64)
    four = np.full((3, 4, _PAIRS // 2 + 1), _INF, np.int64)
    for ahead in range(3):
        _fill_four(x, ahead, n, copies4, four)
    _fill_two(x, 0, n, copies2, two, four)
    closed[0] = 0
    step, run, run_from = 1000, _INF, 0
    for i in range(n):
        _fill_four(x, i + 3, n, copies4, four)
        _fill_two(x, i + 1, n, copies2, two, four)
        here = closed[i]
        if here + _LIST < lists[i]:
            lists[i], lists_from[i] = here + _LIST, i
        lists[i + 1], lists_from[i + 1] = lists[i] + _ELEMENT, lists_from[i]
        if i > 0:
            new = x[i] - x[i - 1]
            if new != step:
                run, step = _INF, new
            fresh = closed[i - 1] + _run_price(step)
            if fresh < run:
                run, run_from = fresh, i - 1
        if lists[i + 1] < closed[i + 1]:
            closed[i + 1], kind[i + 1], back[i + 1] = lists[i + 1], _LIST_PIECE, i + 1 - lists_from[i + 1]
        if run < closed[i + 1]:
            closed[i + 1], kind[i + 1], back[i + 1], about[i + 1] = run, _RUN_PIECE, i + 1 - run_from, 0
        _copies(x, i, n, here, closed, kind, back, about)
        _weaves(x, i, n, here, two, closed, kind, back, about)
    return int(closed[n])


@njit(cache=True)
def _fill_four(x: Any, at: int, n: int, copies: Any, four: Any) -> None:
    """Price the stream of stride 4 that begins at `at`."""
    if at < n:
        rows = four[:, at & 3]
        rows[0].fill(_INF)
        _stream(x, at, 4, min(_PAIRS // 2, (n - at + 3) // 4), copies, rows[0], rows[1], rows[2])


@njit(cache=True)
def _fill_two(x: Any, at: int, n: int, copies: Any, two: Any, four: Any) -> None:
    """Price the stream of stride 2 that begins at `at`, which may begin with an interleaving itself."""
    if at >= n:
        return
    rows = two[:, at & 1]
    rows[0].fill(_INF)
    for m in range(2, min(_PAIRS // 2, (n - at) // 4) + 1):
        rows[0, 2 * m] = _WEAVE + four[0, at & 3, m] + four[0, (at + 2) & 3, m]
    _stream(x, at, 2, min(_PAIRS, (n - at + 1) // 2), copies, rows[0], rows[1], rows[2])


@njit(cache=True)
def _copies(x: Any, i: int, n: int, here: int, closed: Any, kind: Any, back: Any, about: Any) -> None:
    """Pieces from i on that repeat what stands before, plainly or with a constant added."""
    for d in range(1, min(i, _REACH) + 1):
        delta = x[i] - x[i - d]
        if delta != 0 and (i + 1 >= n or x[i + 1] - x[i + 1 - d] != delta):
            continue
        length = 1
        while length < _LONGEST and i + length < n and x[i + length] - x[i + length - d] == delta:
            length += 1
        price = here + (_COPY if delta == 0 else _SHIFTED)
        for q in range(2 if delta == 0 else 4, length + 1):
            if price < closed[i + q]:
                closed[i + q], kind[i + q], back[i + q], about[i + q] = price, _COPY_PIECE, q, d


@njit(cache=True)
def _weaves(
    x: Any, i: int, n: int, here: int, two: Any, closed: Any, kind: Any, back: Any, about: Any
) -> None:
    """Interleavings from i on, and the longer list's tail where it goes on as a progression."""
    even, odd = two[:, i & 1], two[:, (i + 1) & 1]
    for m in range(2, min(_PAIRS, (n - i) // 2) + 1):
        end = i + 2 * m
        price = here + _WEAVE + even[0, m] + odd[0, m]
        if price < closed[end]:
            closed[end], kind[end], back[end], about[end] = price, _WEAVE_PIECE, 2 * m, m
        for side in range(2):
            last = end - 2 + side
            step = x[last] - x[last - 2]
            if end < n and x[end] - x[last] == step:
                price = here + _WEAVE + (even[2, m] + odd[0, m] if side == 0 else even[0, m] + odd[2, m])
                at = end
                value = x[last]
                while at < n and x[at] == value + step:
                    value = x[at]
                    at += 1
                    if price < closed[at]:
                        closed[at], kind[at], back[at], about[at] = price, _WEAVE_PIECE, at - i, m


@njit(cache=True)
def _choose(kind: Any, back: Any, about: Any, n: int) -> NDArray[np.bool_]:
    """Mark the cuts: where interleavings begin, where nothing reaches across, and in what is too long."""
    crossed = np.zeros(n + 2, np.int64)
    piece = np.zeros(n + 1, np.bool_)
    forced = np.zeros(n + 1, np.bool_)
    at = n
    while at > 0:
        begin = at - back[at]
        piece[at] = True
        forced[begin] = kind[at] == _WEAVE_PIECE
        if kind[at] == _COPY_PIECE:
            saved = back[at] * _ELEMENT - _COPY
            crossed[begin - about[at] + 1] += saved
            crossed[begin + 1] -= saved
        at = begin
    cuts = np.zeros(n + 1, np.bool_)
    cuts[0] = cuts[n] = True
    last, over, best, least = 0, 0, 0, _INF
    p = 1
    while p < n - _LEAST:
        over += crossed[p]
        size = p - last
        if piece[p] and size >= _LEAST and over <= least:
            best, least = p, over
        if piece[p] and ((forced[p] and size >= _LEAST) or (over == 0 and size >= _SHORTEST)):
            best = p
        elif size < _LONGEST_SEQUENCE:
            p += 1
            continue
        best = best if best > last else p
        cuts[best] = True
        while p > best:
            over -= crossed[p]
            p -= 1
        last, least = best, _INF
        p += 1
    return cuts
