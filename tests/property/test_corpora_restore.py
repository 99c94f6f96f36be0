"""Laws of every corpus: its blocks restore exactly what they stand for, however they are cut."""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from Bio.SeqIO.FastaIO import SimpleFastaParser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ktray.corpora import CorpusBlock, dna, fasta, open_corpus, restore
from ktray.corpora.restoring import origin_table, restore_block
from ktray.corpora.side import read_columns, squeeze, unsqueeze, write_columns
from ktray.errors import ArchiveError

CUTS = st.tuples(st.integers(1, 40), st.integers(1, 90))
CHECKS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

LETTERS = "ACGTacgt"
OTHERS = "NnRYrykKMSWBDHVUu-."


@st.composite
def fasta_bytes(draw: st.DrawFn) -> bytes:
    """A FASTA with all that the grammar allows: runs of N, comments, blank lines, odd lines, any line end."""
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = draw(st.sampled_from(["", end, " " + end, ";first" + end + end]))
    header = st.text(alphabet="chr12 |>;x\té", max_size=12)
    run = st.one_of(
        st.text(alphabet=LETTERS, min_size=1, max_size=30),
        st.text(alphabet=LETTERS + OTHERS, max_size=12),
        st.builds(lambda letter, n: letter * n, st.sampled_from("Nn-A"), st.integers(1, 80)),
        st.just(" "),
    )
    for _ in range(draw(st.integers(1, 4))):
        text += ">" + draw(header) + end
        for _ in range(draw(st.integers(0, 3))):
            width, body = draw(st.integers(1, 20)), "".join(draw(st.lists(run, max_size=4)))
            text += "".join(body[i : i + width] + end for i in range(0, len(body), width))
            text += draw(st.sampled_from(["", end, ";comment >x" + end, " " + end]))
    if draw(st.booleans()):
        text = text.removesuffix(end)
    return text.encode()


def check_blocks(blocks: list[CorpusBlock], chunk: int, room: int) -> None:
    """What the contract in ktray.corpora.blocks says of each block."""
    for block in blocks:
        assert block.values.dtype == np.uint8
        assert block.lengths.dtype == np.int64
        assert int(block.lengths.sum()) == len(block.values) <= max(chunk, room)
        assert sum(origin.sequences for origin in block.origins) == len(block.lengths)
        assert len(restore_block(block)) == block.restored_bytes == block.units
        firsts = np.cumsum([0] + [origin.sequences for origin in block.origins])
        for first, stop in itertools.pairwise(firsts):
            assert (block.lengths[first : stop - 1] == chunk).all()
            assert 0 < block.lengths[stop - 1] <= chunk


def check_ids(blocks: list[CorpusBlock], coarse: list[CorpusBlock]) -> None:
    """An id is a function of the corpus and the position, not of where blocks are cut."""
    ids = [sequence.id for block in blocks for sequence in block.sequences()]
    assert ids == [sequence.id for block in coarse for sequence in block.sequences()]
    assert len(set(ids)) == len(ids)


@CHECKS
@given(data=fasta_bytes(), cuts=CUTS, zipped=st.booleans())
def test_a_fasta_is_restored_byte_for_byte(tmp_path: Path, data: bytes, cuts: tuple[int, int], zipped: bool):
    path = tmp_path / "x.fa"
    path.write_bytes(gzip.compress(data) if zipped else data)
    corpus = open_corpus("dna", path)
    blocks = list(corpus.blocks(*cuts))
    assert b"".join(map(restore_block, blocks)) == data
    check_blocks(blocks, *cuts)
    check_ids(blocks, list(corpus.blocks(cuts[0], 1 << 20)))


@CHECKS
@given(data=fasta_bytes(), cuts=CUTS)
def test_the_bases_are_those_that_biopython_reads(tmp_path: Path, data: bytes, cuts: tuple[int, int]):
    lines = data.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    plain = "\n".join(line for line in lines if not line.startswith(";"))
    records = [sequence for _, sequence in SimpleFastaParser(io.StringIO(plain))]
    (tmp_path / "x.fa").write_bytes(data)
    found: dict[str, str] = {}
    for block in open_corpus("dna", tmp_path / "x.fa").blocks(*cuts):
        for sequence in block.sequences():
            text = "".join(chr(fasta.BASES[value]) for value in sequence.values)
            assert sequence.start == len(found.get(sequence.origin, ""))
            found[sequence.origin] = found.get(sequence.origin, "") + text
    expected = ["".join(letter for letter in record if letter in LETTERS) for record in records]
    assert list(found.values()) == [text for text in expected if text]


@CHECKS
@given(data=fasta_bytes(), pieces=st.integers(1, 7), cuts=CUTS)
def test_a_fasta_does_not_depend_on_how_it_is_read(
    tmp_path: Path, data: bytes, pieces: int, cuts: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "x.fa"
    path.write_bytes(data)
    whole = list(open_corpus("dna", path).blocks(*cuts))
    with monkeypatch.context() as patch:
        patch.setattr(dna, "pieces", lambda file, size: iter(lambda: file.read(pieces), b""))
        patched = list(open_corpus("dna", path).blocks(*cuts))
    assert [block.side for block in patched] == [block.side for block in whole]
    check_ids(patched, whole)


@CHECKS
@given(data=fasta_bytes(), cuts=CUTS, cap=st.integers(1, 60))
def test_a_fasta_with_few_bases_is_cut_by_its_bytes(
    tmp_path: Path, data: bytes, cuts: tuple[int, int], cap: int, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "x.fa"
    path.write_bytes(data)
    with monkeypatch.context() as patch:
        patch.setattr(dna, "MAX_RESTORED_BYTES", cap - 2 * max(cuts))
        patch.setattr(dna, "pieces", lambda file, size: iter(lambda: file.read(cap), b""))
        blocks = list(open_corpus("dna", path).blocks(*cuts))
    assert b"".join(map(restore_block, blocks)) == data
    check_blocks(blocks, *cuts)


@CHECKS
@given(data=fasta_bytes(), cuts=CUTS, most=st.integers(1, 3))
def test_a_fasta_of_many_records_is_cut_by_their_number(
    tmp_path: Path, data: bytes, cuts: tuple[int, int], most: int, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "x.fa"
    path.write_bytes(data)
    with monkeypatch.context() as patch:
        patch.setattr(dna, "MAX_ORIGINS", most)
        blocks = list(open_corpus("dna", path).blocks(*cuts))
    assert b"".join(map(restore_block, blocks)) == data
    assert all(len(block.origins) <= most + 1 for block in blocks)
    check_blocks(blocks, *cuts)
    check_ids(blocks, list(open_corpus("dna", path).blocks(*cuts)))


@CHECKS
@given(data=fasta_bytes(), chunk=st.integers(1, 9), limit=st.integers(1, 60))
def test_a_limit_takes_the_front_of_a_fasta(tmp_path: Path, data: bytes, chunk: int, limit: int):
    path = tmp_path / "x.fa"
    path.write_bytes(data)
    whole = [s.id for block in open_corpus("dna", path).blocks(chunk, 20) for s in block.sequences()]
    front = list(open_corpus("dna", path, limit=f"{limit}seq").blocks(chunk, 20))
    assert [s.id for block in front for s in block.sequences()] == whole[:limit]
    assert data.startswith(b"".join(map(restore_block, front)))
    bases = sum(len(b.values) for b in open_corpus("dna", path).blocks(chunk, 20))
    some = list(open_corpus("dna", path, limit=f"{limit}B").blocks(chunk, 20))
    assert sum(len(block.values) for block in some) == min(bases, -(-8 * limit // 3))
    assert data.startswith(b"".join(map(restore_block, some)))


@CHECKS
@given(data=st.binary(max_size=400), cuts=CUTS, name=st.sampled_from(["file", "text"]))
def test_any_file_is_restored(tmp_path: Path, data: bytes, cuts: tuple[int, int], name: str):
    path = tmp_path / "x"
    path.write_bytes(data)
    corpus = open_corpus(name, path)
    blocks = list(corpus.blocks(*cuts))
    assert b"".join(map(restore_block, blocks)) == data
    check_blocks(blocks, *cuts)
    check_ids(blocks, list(corpus.blocks(cuts[0], 1 << 20)))
    rows = list(origin_table(blocks))
    assert [row.offset for row in rows] == [row.start for row in rows]
    assert sum(row.elements for row in rows) == len(data)


@CHECKS
@given(
    sequences=st.lists(st.lists(st.integers(0, 255), max_size=20), min_size=1, max_size=20),
    room=st.integers(1, 60),
    zipped=st.booleans(),
)
def test_sequences_are_restored_line_by_line(
    tmp_path: Path, sequences: list[list[int]], room: int, zipped: bool
):
    text = "".join(
        json.dumps({"program": "x", "sequence": s}, separators=(",", ":")) + "\n" for s in sequences
    )
    path = tmp_path / "x.jsonl"
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    blocks = list(open_corpus("sequences", path).blocks(128, room))
    expected = "".join(json.dumps({"sequence": s}) + "\n" for s in sequences).encode()
    assert b"".join(map(restore_block, blocks)) == expected
    assert [s.values.tolist() for block in blocks for s in block.sequences()] == sequences
    assert [s.start for block in blocks for s in block.sequences()] == list(range(len(sequences)))
    assert all(block.chunk == 0 and block.units == len(block.lengths) for block in blocks)
    assert all(len(restore_block(block)) == block.restored_bytes for block in blocks)
    check_ids(blocks, list(open_corpus("sequences", path).blocks(128, 1 << 20)))


@CHECKS
@given(
    data=st.binary(min_size=1, max_size=300),
    cuts=CUTS,
    count=st.integers(1, 40),
    seed=st.integers(0, 3),
)
def test_a_sample_is_drawn_without_replacement(
    tmp_path: Path, data: bytes, cuts: tuple[int, int], count: int, seed: int
):
    path = tmp_path / "x"
    path.write_bytes(data)
    whole = [s.id for block in open_corpus("file", path).blocks(*cuts) for s in block.sequences()]
    drawn = list(open_corpus("file", path, sample=count, seed=seed).blocks(*cuts))
    ids = [s.id for block in drawn for s in block.sequences()]
    assert len(ids) == min(count, len(whole))
    assert ids == [name for name in whole if name in set(ids)]
    restored = b"".join(map(restore_block, drawn))
    assert restored == b"".join(s.values.tobytes() for block in drawn for s in block.sequences())
    check_blocks(drawn, *cuts)


@given(data=st.binary(max_size=300), copies=st.integers(1, 30))
def test_squeezing_keeps_all_and_costs_a_byte_at_most(data: bytes, copies: int):
    squeezed = squeeze(data * copies)
    assert unsqueeze(squeezed) == data * copies
    assert len(squeezed) <= len(data) * copies + 1


@given(columns=st.lists(st.lists(st.integers(0, 2**40), max_size=9), max_size=5), rest=st.binary(max_size=9))
def test_columns_come_back(columns: list[list[int]], rest: bytes):
    packed = write_columns([np.array(column, dtype=np.int64) for column in columns])
    back, behind = read_columns(packed + rest, len(columns))
    assert [column.tolist() for column in back] == columns
    assert behind == rest


@settings(deadline=None)
@given(side=st.binary(max_size=60), kind=st.sampled_from(["fasta", "bytes", "pcm16", "sequences"]))
def test_a_damaged_side_raises_the_archives_error_only(side: bytes, kind: str):
    values, lengths = np.arange(8, dtype=np.uint8), np.array([8], dtype=np.int64)
    with contextlib.suppress(ArchiveError):
        restore(kind, values, lengths, side)
