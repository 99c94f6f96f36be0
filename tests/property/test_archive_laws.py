"""Laws of the archive: whatever blocks go in come out, whole or in any range, and cost what they weigh."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktray.archive import ArchiveReader, EncodedBlock, Span, decode_block, decode_in_process, encode_block
from ktray.archive.fields import FieldReader, blob, squeezed, text, uint
from ktray.corpora.blocks import CorpusBlock, Origin
from ktray.corpora.restoring import restore_block
from ktray.errors import ArchiveError
from ktray.programs import Language
from ktray.testing.archives import bytes_block, encoded, listing_programs, uncut_block, write_archive
from ktray.testing.fakes import FakePrior, run_bytes

DECODE = decode_in_process(lambda name: FakePrior(), run_bytes)
NAMES = st.text(st.characters(codec="utf-8"), max_size=8)


@st.composite
def cut_blocks(draw: st.DrawFn) -> CorpusBlock:
    files = draw(st.dictionaries(NAMES, st.binary(max_size=60), max_size=5))
    return bytes_block(files, draw(st.integers(1, 20)), draw(st.integers(0, 1 << 40)), draw(NAMES))


@st.composite
def uncut_blocks(draw: st.DrawFn) -> CorpusBlock:
    return uncut_block(draw(NAMES), draw(st.lists(st.binary(max_size=20), max_size=8)))


@st.composite
def line_blocks(draw: st.DrawFn) -> CorpusBlock:
    pieces = draw(st.lists(st.binary(max_size=12), min_size=1, max_size=6))
    plain = uncut_block("lines", pieces)
    lines = sum(len(str(list(piece))) + len('{"sequence": }\n') for piece in pieces)
    scalars = {"kind": "sequences", "element_bits": 8, "chunk": 0, "side": b"", "units": len(pieces)}
    origins = (Origin("lines", draw(st.integers(0, 1000)), len(pieces)),)
    return CorpusBlock(
        values=plain.values, lengths=plain.lengths, origins=origins, restored_bytes=lines, **scalars
    )


@st.composite
def encoded_blocks(draw: st.DrawFn, blocks: st.SearchStrategy[CorpusBlock]) -> EncodedBlock:
    block = draw(blocks)
    n = len(block.lengths)
    languages = draw(st.lists(st.sampled_from([None, *Language]), min_size=n, max_size=n))
    return encode_block(block, listing_programs(block, languages.__getitem__), FakePrior())


def archive_of(blocks: Sequence[EncodedBlock], folder: str, settings: dict[str, object]) -> ArchiveReader:
    path = Path(folder) / "x.kt"
    totals = write_archive(path, blocks, settings)
    bits = (totals.program_bits, totals.literal_bits, totals.flag_bits, totals.overhead_bits)
    assert sum(bits) == 8 * path.stat().st_size
    return ArchiveReader(path)


@given(encoded_blocks(st.one_of(cut_blocks(), uncut_blocks(), line_blocks())))
def test_a_block_round_trips(block: EncodedBlock) -> None:
    found = decode_block(block.stored, lambda name: FakePrior(), run_bytes)
    assert found.restored == block.restored == restore_block(found.block)
    assert [e.program is not None for e in found.entries] == block.as_program.tolist()
    again = encode_block(found.block, [e.program for e in found.entries], FakePrior())
    assert again.to_bytes() == block.to_bytes()


@settings(deadline=None, max_examples=50)
@given(
    st.lists(encoded_blocks(st.one_of(cut_blocks(), uncut_blocks())), max_size=4),
    st.dictionaries(NAMES, NAMES),
)
def test_every_range_of_bytes(blocks: list[EncodedBlock], header: dict[str, object]) -> None:
    whole = b"".join(block.restored for block in blocks)
    bounds = np.cumsum([0, *(len(block.restored) for block in blocks)]).tolist()
    near = sorted({i for b in bounds for i in (b - 1, b, b + 1) if 0 <= i <= len(whole)})
    with tempfile.TemporaryDirectory() as folder, archive_of(blocks, folder, header) as reader:
        assert (reader.settings, reader.unit) == (header or {"chunk": 16}, "bytes")
        assert b"".join(reader.iter_restored(DECODE)) == whole
        for start in near:
            for stop in (i for i in near if i >= start):
                assert b"".join(reader.iter_restored(DECODE, Span(start, stop))) == whole[start:stop]


@settings(deadline=None, max_examples=50)
@given(st.lists(encoded_blocks(line_blocks()), min_size=1, max_size=3))
def test_every_range_of_sequences(blocks: list[EncodedBlock]) -> None:
    lines = b"".join(block.restored for block in blocks).splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as folder, archive_of(blocks, folder, {}) as reader:
        assert (reader.unit, reader.units) == ("sequences", len(lines))
        for start in range(len(lines) + 1):
            for stop in range(start, len(lines) + 1):
                got = b"".join(reader.iter_restored(DECODE, Span(start, stop)))
                assert got == b"".join(lines[start:stop])


@given(st.integers(0, (1 << 63) - 1), st.binary(), st.text(), st.binary(), st.integers(1, 50))
def test_fields_round_trip(number: int, data: bytes, words: str, small: bytes, times: int) -> None:
    words = words.encode("utf-8", "replace").decode()
    stored = uint(number) + blob(data) + text(words) + squeezed(small * times)
    fields = FieldReader(stored, "it")
    found = (fields.uint(), fields.blob(), fields.text(), fields.squeezed(len(small) * times))
    fields.end()
    assert found == (number, data, words, small * times)
    with pytest.raises(ArchiveError, match="it is damaged"):
        fields.take(1)


@given(st.binary(max_size=40))
def test_a_number_has_one_encoding(data: bytes) -> None:
    fields = FieldReader(data, "it")
    try:
        number = fields.uint()
    except ArchiveError:
        return
    assert data.startswith(uint(number))


@given(st.binary(min_size=1), st.integers(0, 1 << 20))
def test_inflating_stops_at_the_limit(data: bytes, size: int) -> None:
    bomb = squeezed(bytes(size) + data)
    with pytest.raises(ArchiveError, match="at most"):
        FieldReader(bomb, "it").squeezed(size)


def test_encoded_is_what_the_fake_prior_says() -> None:
    block = encoded(uncut_block("x", [b"ab", b"c"]), every=2)
    assert (block.program_bits, block.literal_bits, block.flag_bits) == (8 * (4 + 5), 8 * (4 + 1), 16)
