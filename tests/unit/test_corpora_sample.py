"""The shipped sample, selections from a corpus, and memory that does not grow with the input."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ktray.corpora import open_corpus, restore
from ktray.corpora.make_sample import make_dna
from ktray.corpora.mixed import SAMPLE_DATA
from ktray.corpora.restoring import origin_table, restore_block
from ktray.corpora.selection import Limit, parse_limit
from ktray.dsl.interpreter import execute_text
from ktray.errors import ArchiveError

PARTS = ["text", "dna", "audio16", "audio8", "mfcc", "synthetic"]


@pytest.fixture(scope="module")
def sample_blocks():
    return list(open_corpus("sample").blocks(128, 1 << 17))


def test_the_sample_is_small_and_attributed():
    files = [path for path in SAMPLE_DATA.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_000_000
    attribution = (SAMPLE_DATA / "ATTRIBUTION.md").read_text()
    for path in files:
        assert path.name == "ATTRIBUTION.md" or path.name.split("_64kb")[-1] in attribution


def test_the_sample_has_every_modality_in_order(sample_blocks):
    assert list(dict.fromkeys(block.part for block in sample_blocks)) == PARTS
    bits = {block.part: block.element_bits for block in sample_blocks}
    assert bits == {part: 3 if part == "dna" else 8 for part in PARTS}


def test_each_part_restores_what_its_own_corpus_does(sample_blocks):
    restored = dict.fromkeys(PARTS, b"")
    for block in sample_blocks:
        restored[block.part] += restore_block(block)
    assert restored["text"] == (SAMPLE_DATA / "text.xml").read_bytes()
    assert restored["dna"] == (SAMPLE_DATA / "dna.fa").read_bytes()
    for name in ("audio16", "audio8", "mfcc"):
        alone = open_corpus(name, SAMPLE_DATA).blocks(128, 1 << 20)
        assert restored[name] == b"".join(map(restore_block, alone))
    assert restored["audio16"][1::2] == restored["audio8"]


def test_the_synthetic_programs_make_their_sequences(sample_blocks):
    with gzip.open(SAMPLE_DATA / "synthetic.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    assert len(rows) == 400
    for row in rows:
        assert execute_text(row["program"]).values.tolist() == row["sequence"]
    shipped = [
        s.values.tolist() for block in sample_blocks if block.part == "synthetic" for s in block.sequences()
    ]
    assert shipped == [row["sequence"] for row in rows]


def test_the_samples_text_has_characters_of_several_bytes():
    text = (SAMPLE_DATA / "text.xml").read_text(encoding="utf-8")
    assert "Григориански" in text
    assert "Anarchism" in text


def test_the_samples_dna_has_the_soft_mask(sample_blocks):
    values = np.concatenate([block.values for block in sample_blocks if block.part == "dna"])
    assert len(values) > 190_000
    assert 0.3 < (values >= 4).mean() < 0.5


def test_ids_of_the_sample_are_unique(sample_blocks):
    ids = [sequence.id for block in sample_blocks for sequence in block.sequences()]
    assert len(set(ids)) == len(ids)


def test_the_listing_tells_where_each_origin_begins(sample_blocks):
    rows = list(origin_table(sample_blocks))
    assert sum(row.elements for row in rows) == sum(len(block.values) for block in sample_blocks)
    restored = b"".join(map(restore_block, sample_blocks))
    values = {(s.origin, s.start): s.values for block in sample_blocks for s in block.sequences()}
    for row in rows:
        if row.kind == "sequences":
            assert restored[row.offset :].startswith(b'{"sequence": [')
        elif row.kind != "fasta":
            first = values[row.name, row.start].tobytes()
            assert restored[row.offset : row.offset + len(first)] == first


def test_the_same_settings_give_the_same_blocks(sample_blocks):
    again = list(open_corpus("sample").blocks(128, 1 << 17))
    assert [(b.side, b.values.tobytes(), b.origins) for b in again] == [
        (b.side, b.values.tobytes(), b.origins) for b in sample_blocks
    ]
    assert open_corpus("sample").digest() == open_corpus("sample").digest()


def test_a_limit_runs_through_the_parts():
    blocks = list(open_corpus("sample", limit="260KB").blocks(128, 1 << 17))
    assert {block.part for block in blocks} == {"text", "dna"}
    assert sum(len(block.values) * block.element_bits for block in blocks) // 8 == 260_000
    blocks = list(open_corpus("sample", limit="3500seq").blocks(128, 1 << 17))
    assert sum(len(block.lengths) for block in blocks) == 3500


def test_a_sample_of_the_sample_keeps_its_ids(sample_blocks):
    drawn = list(open_corpus("sample", sample=300, seed=7).blocks(128, 1 << 17))
    ids = [sequence.id for block in drawn for sequence in block.sequences()]
    assert len(ids) == 300
    assert set(ids) < {sequence.id for block in sample_blocks for sequence in block.sequences()}
    assert [block.part for block in drawn] == [part for part in PARTS if part in {b.part for b in drawn}]
    other = open_corpus("sample", sample=300, seed=8)
    assert other.digest() != open_corpus("sample", sample=300, seed=7).digest()
    assert ids != [s.id for block in other.blocks(128, 1 << 17) for s in block.sequences()]


def test_limits_are_read_with_their_units():
    assert parse_limit(None) == Limit()
    assert parse_limit("1MB") == Limit(bits=8_000_000)
    assert parse_limit("1.5 kb") == Limit(bits=12_000)
    assert parse_limit("2MiB") == Limit(bits=16 << 20)
    assert parse_limit("500seq") == Limit(sequences=500)
    # The published megabyte of DNA at 3 bits a symbol.
    assert parse_limit("1MB").elements(3) == 2_666_667


def test_a_limited_corpus_has_its_own_digest(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"abc" * 1000)
    digests = {
        open_corpus("file", tmp_path / "x", limit=limit).digest() for limit in (None, "1KB", "2KB", "1seq")
    }
    assert len(digests) == 4


def test_limits_and_samples_of_sequences_take_whole_lines(tmp_path: Path):
    rows = [[i] * (i % 5) for i in range(100)]
    (tmp_path / "x").write_text("".join(json.dumps({"sequence": row, "id": 1}) + "\n" for row in rows))

    def taken(**options: object) -> list[list[int]]:
        blocks = open_corpus("sequences", tmp_path / "x", **options).blocks(128, 20)
        lines = b"".join(map(restore_block, blocks)).splitlines()
        return [json.loads(line)["sequence"] for line in lines]

    assert taken(limit="7seq") == rows[:7]
    assert taken(limit="8B") == rows[:5]  # the line that crosses the limit is whole
    assert taken(limit="11B") == rows[:7]
    assert taken(limit="1MB") == rows
    drawn = taken(sample=30, seed=1)
    assert len(drawn) == 30
    kept = [row for row in drawn if row]
    assert kept == [row for row in rows if row in kept]


def test_an_empty_file_is_a_corpus_of_no_blocks(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"")
    for name in ("file", "text"):
        corpus = open_corpus(name, tmp_path / "x")
        assert list(corpus.blocks(128, 100)) == []
        assert len(corpus.digest()) == 32


def test_a_fasta_without_bases_is_restored_too(tmp_path: Path):
    for data in (b">empty\n", b">n\n" + b"N" * 50 + b"\n", b">"):
        (tmp_path / "x").write_bytes(data)
        (block,) = open_corpus("dna", tmp_path / "x").blocks(128, 100)
        assert (len(block.values), len(block.lengths), block.origins) == (0, 0, ())
        assert restore_block(block) == data


def test_regular_lines_and_runs_of_n_cost_next_to_nothing(tmp_path: Path):
    line = b"ACGTacgtAC" * 6 + b"\n"
    data = b">chr1\n" + (b"N" * 60 + b"\n") * 5000 + line * 15_000 + b">chr2\n" + line * 1000
    (tmp_path / "x").write_bytes(data)
    blocks = list(open_corpus("dna", tmp_path / "x").blocks(128, 1 << 20))
    assert b"".join(map(restore_block, blocks)) == data
    assert sum(len(block.side) for block in blocks) < 150


def test_an_unknown_kind_is_the_archives_error():
    with pytest.raises(ArchiveError, match="unknown kind 'hologram'"):
        restore("hologram", np.zeros(1, np.uint8), np.ones(1, np.int64), b"")


def test_make_sample_takes_whole_lines(tmp_path: Path):
    (tmp_path / "x.fa").write_bytes(b">a\n" + b"ACGT\n" * 60_000)
    make_dna(tmp_path / "x.fa", tmp_path)
    assert (tmp_path / "dna.fa").read_bytes() == b">a\n" + b"ACGT\n" * 50_000


PEAK = """
import sys
from pathlib import Path
from ktray.corpora import open_corpus
from ktray.corpora.restoring import restore_block
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
before = peak()
for block in open_corpus(sys.argv[1], Path(sys.argv[2])).blocks(128, 1 << 16):
    restore_block(block)
print((peak() - before) // 1024)
"""
LINES = {
    "file": b"some text\n",
    "dna": b"ACGTacgtAC" * 6 + b"\n",
    "sequences": b'{"sequence": [' + b"17, " * 2000 + b"1]}\n",
}


@pytest.mark.parametrize("name", LINES)
def test_memory_does_not_grow_with_the_input(tmp_path: Path, name: str):
    path = tmp_path / "x"
    path.write_bytes(b">chr1\n" * (name == "dna") + LINES[name] * (10_000_000 // len(LINES[name])))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, name, str(path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 9, "MiB beyond what importing takes, of an input of 10 MB"
