"""The archive's writer and reader: what is written, what it weighs, and what a failure leaves behind."""

from __future__ import annotations

import dataclasses
import os
import random
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ktray.archive import (
    ArchiveReader,
    ArchiveWriter,
    DecodedBlock,
    EncodedBlock,
    Span,
    decode_block,
    decode_in_process,
    encode_block,
    restore_file,
)
from ktray.commit import PendingFile
from ktray.errors import ArchiveError, ConfigError
from ktray.priors import make_prior
from ktray.programs import Language, Program
from ktray.sequences import Values
from ktray.testing.archives import bytes_block, encoded, uncut_block, write_archive
from ktray.testing.fakes import FakePrior, run_bytes

DECODE = decode_in_process(lambda name: FakePrior(), run_bytes)


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def three_blocks() -> list[EncodedBlock]:
    first = bytes_block({"a.bin": noise(100), "empty.bin": b"", "b.bin": noise(33, 1)}, 16)
    second = bytes_block({"b.bin": noise(40, 2)}, 16, start=33)
    third = uncut_block("c.jsonl", [b"one", b"", b"three" * 9])
    return [encoded(first, every=2), encoded(second), encoded(third, every=1)]


def restored(path: Path, span: Span | None = None) -> bytes:
    with ArchiveReader(path) as reader:
        return b"".join(reader.iter_restored(DECODE, span))


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    blocks = three_blocks()
    totals = write_archive(tmp_path / "x.kt", blocks, {"corpus": "file", "b": 1, "a": [None, "ü"]})
    with ArchiveReader(tmp_path / "x.kt") as reader:
        reader.verify()
        assert reader.settings == {"corpus": "file", "b": 1, "a": [None, "ü"]}
        assert reader.blocks == tuple(block.info for block in blocks)
        assert reader.totals == totals
        decoded = list(reader.iter_blocks(DECODE))
    assert [d.restored for d in decoded] == [b.restored for b in blocks]
    assert [[e.program is not None for e in d.entries] for d in decoded] == [
        b.as_program.tolist() for b in blocks
    ]


def test_a_decoded_block_is_the_corpus_block_again() -> None:
    block = bytes_block({"a\udcff.bin": noise(100), "empty": b"", "b.bin": noise(33, 1)}, 16, 7, part="dna")
    found = decode_block(encoded(block, every=3).stored, lambda name: FakePrior(), run_bytes).block
    for field in dataclasses.fields(block):
        ours, theirs = getattr(block, field.name), getattr(found, field.name)
        assert np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs, field.name
    assert [s.id for s in found.sequences()] == [s.id for s in block.sequences()]


def test_the_ledger_is_the_file(tmp_path: Path) -> None:
    totals = write_archive(tmp_path / "x.kt", three_blocks())
    bits = totals.program_bits + totals.literal_bits + totals.flag_bits + totals.overhead_bits
    assert bits == 8 * (tmp_path / "x.kt").stat().st_size
    assert (totals.literals, totals.dsl, totals.python) == (5 + 3, 3 + 2, 2 + 1)
    assert totals.sequences == totals.literals + totals.dsl + totals.python == 16
    assert totals.rate == pytest.approx(8 * totals.archive_bytes / totals.input_bits)


def test_overhead_of_one_large_block(tmp_path: Path) -> None:
    settings = {"block": "16MB", "chunk": 128, "corpus": "file", "prior": "raw"}
    block = encoded(bytes_block({"random.bin": noise(1_000_000)}, 128))
    totals = write_archive(tmp_path / "x.kt", [block], settings)
    assert totals.literal_bits == 8_000_000
    assert totals.flag_bits == 8 * 7813
    assert totals.overhead_bits / 8 < 350


def test_same_blocks_give_the_same_bytes(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.kt", three_blocks(), {"a": 1, "b": 2})
    write_archive(tmp_path / "y.kt", three_blocks(), {"b": 2, "a": 1})
    assert (tmp_path / "x.kt").read_bytes() == (tmp_path / "y.kt").read_bytes()


def test_an_empty_corpus(tmp_path: Path) -> None:
    totals = write_archive(tmp_path / "x.kt", [])
    assert totals.rate is None
    assert restored(tmp_path / "x.kt") == b""
    with ArchiveReader(tmp_path / "x.kt") as reader:
        assert restore_file(reader, tmp_path / "out", DECODE).bytes == 0
    assert (tmp_path / "out").read_bytes() == b""


def test_a_block_decodes_alone_and_blocks_decode_in_any_order(tmp_path: Path) -> None:
    blocks = [encoded(bytes_block({f"{i}": noise(50, i)}, 16), every=2) for i in range(20)]
    write_archive(tmp_path / "x.kt", blocks)

    def threads(stored: Iterator[bytes]) -> Iterator[DecodedBlock]:
        with ThreadPoolExecutor(4) as pool:
            yield from pool.map(lambda s: decode_block(s, lambda name: FakePrior(), run_bytes), stored)

    with ArchiveReader(tmp_path / "x.kt") as reader:
        together = b"".join(reader.iter_restored(threads))
        alone = decode_block(reader.stored(7), lambda name: FakePrior(), run_bytes)
    assert together == b"".join(block.restored for block in blocks)
    assert alone.restored == noise(50, 7)


def test_a_range_reads_only_the_blocks_it_needs(tmp_path: Path) -> None:
    blocks = [encoded(bytes_block({f"{i}": noise(50, i)}, 16)) for i in range(5)]
    write_archive(tmp_path / "x.kt", blocks)
    seen: list[bytes] = []

    def watched(stored: Iterator[bytes]) -> Iterator[DecodedBlock]:
        for block in stored:
            seen.append(block)
            yield decode_block(block, lambda name: FakePrior(), run_bytes)

    with ArchiveReader(tmp_path / "x.kt") as reader:
        got = b"".join(reader.iter_restored(watched, Span(60, 101)))
    assert got == b"".join(b.restored for b in blocks)[60:101]
    assert seen == [block.stored for block in blocks[1:3]]


@pytest.mark.parametrize("text", ["", "5", "5:", ":5", "-1:5", "7:5", "1:2:3", "a:b", "1 : 2", "٣:٤"])
def test_a_range_that_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match="expected START:END"):
        Span.parse(text)


def test_a_range_beyond_the_end(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.kt", three_blocks())
    with pytest.raises(ConfigError, match="restores 221 bytes"):
        restored(tmp_path / "x.kt", Span.parse("0:222"))


def test_encoded_blocks_travel_in_files() -> None:
    for block in three_blocks():
        data = block.to_bytes()
        again = EncodedBlock.from_bytes(data)
        assert again.to_bytes() == data
        assert (again.info, again.stored, again.restored) == (block.info, block.stored, block.restored)
        assert again.as_program.tolist() == block.as_program.tolist()
        for cut in (0, 1, 15, 16, 17, len(data) // 2, len(data) - 1):
            with pytest.raises(ArchiveError, match="digest"):
                EncodedBlock.from_bytes(data[:cut])


def test_a_program_that_gives_other_values_is_refused() -> None:
    block = uncut_block("x", [b"abc", b"def"])
    wrong = encode_block(block, [Program(Language.DSL, "97 98 100"), None], FakePrior())
    with pytest.raises(ArchiveError, match="other bytes"):
        decode_block(wrong.stored, lambda name: FakePrior(), run_bytes)
    longer = encode_block(block, [Program(Language.DSL, "97 98 99 100"), None], FakePrior())
    with pytest.raises(ArchiveError, match="cannot be decoded"):
        decode_block(longer.stored, lambda name: FakePrior(), run_bytes)


def test_a_program_that_fails_names_its_block(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.kt", three_blocks())

    def fails(program: Program) -> Values:
        if program.language is Language.PYTHON:
            raise ArchiveError("a program of it fails")
        return run_bytes(program)

    decode = decode_in_process(lambda name: FakePrior(), fails)
    with ArchiveReader(tmp_path / "x.kt") as reader, pytest.raises(ArchiveError, match="block 0: a program"):
        list(reader.iter_restored(decode))


def test_a_prior_that_is_not_here_is_named() -> None:
    stored = encoded(uncut_block("x", [b"abc"])).stored
    with pytest.raises(ArchiveError, match="does not have: unknown prior 'fake'"):
        decode_block(stored, make_prior, run_bytes)


def test_blocks_that_make_no_sense_are_the_callers_fault() -> None:
    block = uncut_block("x", [b"abc", b"def"])
    with pytest.raises(ValueError, match="as many programs"):
        encode_block(block, [None], FakePrior())
    with pytest.raises(ValueError, match="lengths sum to"):
        encode_block(dataclasses.replace(block, values=block.values[:-1]), [None, None], FakePrior())
    with pytest.raises(ValueError, match="restores 6 bytes"):
        encode_block(dataclasses.replace(block, restored_bytes=7), [None, None], FakePrior())


def test_a_writer_that_fails_leaves_the_earlier_archive(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.kt", three_blocks())
    before = (tmp_path / "x.kt").read_bytes()

    def write_half() -> None:
        with ArchiveWriter(tmp_path / "x.kt", {}) as writer:
            writer.add_block(three_blocks()[0])
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power"):
        write_half()
    assert [p.name for p in tmp_path.iterdir()] == ["x.kt"]
    assert (tmp_path / "x.kt").read_bytes() == before


def test_a_full_disk_leaves_the_earlier_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "x.kt", three_blocks())
    before = (tmp_path / "x.kt").read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    writer = ArchiveWriter(tmp_path / "x.kt", {})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        writer.close()
    assert [p.name for p in tmp_path.iterdir()] == ["x.kt"]
    assert (tmp_path / "x.kt").read_bytes() == before


def test_what_a_killed_writer_left_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".x.kt.part").write_bytes(noise(10_000))
    write_archive(tmp_path / "x.kt", three_blocks())
    assert [p.name for p in tmp_path.iterdir()] == ["x.kt"]
    assert len(restored(tmp_path / "x.kt")) == 221


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with PendingFile(tmp_path / "x.kt") as first:
        with pytest.raises(ConfigError, match="another process"):
            PendingFile(tmp_path / "x.kt")
        first.stream.write(b"first")
        first.commit()
    assert (tmp_path / "x.kt").read_bytes() == b"first"


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, why in [("folder", "a directory"), ("pipe", "no regular file"), ("no/x.kt", "No such file")]:
        with pytest.raises(ConfigError, match=why):
            PendingFile(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with PendingFile(tmp_path / "link") as pending:
        pending.commit()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b""


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_archive(tmp_path / "x.kt", [])
    finally:
        os.umask(before)
    assert (tmp_path / "x.kt").stat().st_mode & 0o777 == 0o640


def test_restoring_onto_the_archive_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.kt", three_blocks())
    with ArchiveReader(tmp_path / "x.kt") as reader, pytest.raises(ConfigError, match="the archive itself"):
        restore_file(reader, tmp_path / "x.kt", DECODE)


def test_memory_is_one_block(tmp_path: Path) -> None:
    size = 1 << 18
    block = encoded(bytes_block({"x": noise(size)}, 4096))
    tracemalloc.start()
    try:
        with ArchiveWriter(tmp_path / "x.kt", {}) as writer:
            for _ in range(64):
                writer.add_block(EncodedBlock.from_bytes(block.to_bytes()))
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        with ArchiveReader(tmp_path / "x.kt") as reader:
            restore_file(reader, tmp_path / "out", DECODE)
        read = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The test's own copies of a block are in the first figure, entries and joined values in the second.
    assert written < 10 * size
    assert read < 12 * size
    assert (tmp_path / "out").stat().st_size == 64 * size
