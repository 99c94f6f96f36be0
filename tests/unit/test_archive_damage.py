"""Damage: whatever happens to an archive's bytes, a reader refuses it or gives exactly what was written."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from ktray.archive import ArchiveReader, decode_block, decode_in_process, restore_file
from ktray.archive.format import (
    DIGEST,
    FOOTER,
    MIN_FILE_BYTES,
    SHORT_DIGEST,
    digest,
    unpack_index,
    unpack_settings,
)
from ktray.errors import ArchiveError
from ktray.testing.archives import bytes_block, encoded, uncut_block, write_archive
from ktray.testing.fakes import FakePrior, run_bytes

Read = TypeVar("Read")
DECODE = decode_in_process(lambda name: FakePrior(), run_bytes)
BLOCKS = [
    encoded(bytes_block({"a.bin": bytes(range(200)), "b.bin": b"bytes" * 7}, 16), every=2),
    encoded(uncut_block("c.jsonl", [b"one", b"", b"three" * 9]), every=2),
    encoded(bytes_block({"a.bin": bytes(range(55, 255)), "b.bin": b"other" * 7}, 16), every=2),
]
SETTINGS = {"corpus": "file", "chunk": 16, "prior": "fake", "padding": "settings " * 20}


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("intact") / "x.kt"
    write_archive(path, BLOCKS, SETTINGS)
    with ArchiveReader(path) as reader:
        assert b"".join(reader.iter_restored(DECODE)) == b"".join(b.restored for b in BLOCKS)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Every test here adds less than 64 MiB to the process's peak, and takes less than 60 s of CPU time."""
    peak, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 1 << 16
    assert time.process_time() - start < 60


def refused(data: bytes, folder: Path) -> str:
    """Return the message with which `data` is refused; no file may come of it, nor other bytes."""
    path, out = folder / "damaged.kt", folder / "out"
    path.write_bytes(data)
    with pytest.raises(ArchiveError) as caught:
        open_and_restore(path, out)
    assert sorted(p.name for p in folder.iterdir()) == ["damaged.kt"]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def open_and_restore(path: Path, out: Path) -> None:
    with ArchiveReader(path) as reader:
        unverified(reader)
        restore_file(reader, out, DECODE)


def unverified(reader: ArchiveReader) -> None:
    """Decode without the whole file's digest: each block is right or refused by itself."""
    for i, block in enumerate(BLOCKS):
        try:
            found = list(reader.iter_blocks(DECODE, range(i, i + 1)))
        except ArchiveError:
            continue
        assert [d.restored for d in found] == [block.restored]


def test_bit_flips(intact: bytes, tmp_path: Path) -> None:
    rng = random.Random(1)
    for _ in range(2000):
        data = bytearray(intact)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        refused(bytes(data), tmp_path)


def test_truncations(intact: bytes, tmp_path: Path) -> None:
    for size in range(len(intact)):
        refused(intact[:size], tmp_path)


def test_appended_bytes(intact: bytes, tmp_path: Path) -> None:
    rng = random.Random(2)
    for size in [*range(1, 200), len(intact)]:
        refused(intact + rng.randbytes(size), tmp_path)
    refused(intact + intact, tmp_path)
    refused(intact + intact[-FOOTER.size :], tmp_path)
    refused(bytes(1) + intact, tmp_path)


def test_holes_and_overwritten_runs(intact: bytes, tmp_path: Path) -> None:
    rng = random.Random(3)
    for _ in range(300):
        a, b = sorted(rng.sample(range(len(intact) + 1), 2))
        refused(intact[:a] + intact[b:], tmp_path)
        if intact[a:b].strip(b"\0"):
            refused(intact[:a] + bytes(b - a) + intact[b:], tmp_path)


def test_swapped_blocks(intact: bytes, tmp_path: Path) -> None:
    first, third = BLOCKS[0].stored, BLOCKS[2].stored
    assert len(first) != len(third)
    assert "digest" in refused(swapped(intact, first, third), tmp_path)
    same = [encoded(bytes_block({"a": bytes([i]) * 50}, 16)) for i in range(2)]
    write_archive(tmp_path / "same.kt", same, SETTINGS)
    data = (tmp_path / "same.kt").read_bytes()
    (tmp_path / "same.kt").unlink()
    assert len(same[0].stored) == len(same[1].stored)
    path = tmp_path / "damaged.kt"
    path.write_bytes(swapped(data, same[0].stored, same[1].stored))
    with ArchiveReader(path) as reader:
        with pytest.raises(ArchiveError, match=r"block 0: .*not the block that the index tells of"):
            list(reader.iter_restored(DECODE))
        with pytest.raises(ArchiveError, match="whole file"):
            restore_file(reader, tmp_path / "out", DECODE)


def swapped(data: bytes, first: bytes, second: bytes) -> bytes:
    assert data.count(first) == data.count(second) == 1
    return data.replace(first, b"\0first").replace(second, first).replace(b"\0first", second)


def test_the_header_of_another_archive(intact: bytes, tmp_path: Path) -> None:
    write_archive(tmp_path / "y.kt", BLOCKS, {**SETTINGS, "chunk": 17})
    other = (tmp_path / "y.kt").read_bytes()
    (tmp_path / "y.kt").unlink()
    start = intact.index(BLOCKS[0].stored)
    assert other.index(BLOCKS[0].stored) == start
    assert "digest" in refused(other[:start] + intact[start:], tmp_path)


def test_what_is_no_archive(intact: bytes, tmp_path: Path) -> None:
    assert "0 bytes" in refused(b"", tmp_path)
    assert "first bytes" in refused(b"%PDF-1.7" + intact[8:], tmp_path)
    assert "first bytes" in refused(random.Random(4).randbytes(5000), tmp_path)
    assert "version 2" in refused(intact[:8] + b"\2\0" + intact[10:], tmp_path)
    assert "smallest" in refused(intact[: MIN_FILE_BYTES - 1], tmp_path)
    for missing in (tmp_path / "none.kt", tmp_path, tmp_path / "damaged.kt" / "x", Path("/dev/null")):
        with pytest.raises(ArchiveError, match=r"expected a \.kt archive"):
            ArchiveReader(missing)


def test_blocks_with_a_forged_digest() -> None:
    """Damage that the digest cannot tell of still gives the same bytes, or an error, in bounded memory."""
    rng = random.Random(5)
    for block in BLOCKS:
        for _ in range(1000):
            body = bytearray(block.stored[:-DIGEST])
            for _ in range(rng.choice([1, 1, 2, 8])):
                body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
            stored = bytes(body) + digest(bytes(body))
            found = attempt(lambda s: decode_block(s, lambda name: FakePrior(), run_bytes), stored)
            assert found is None or found.restored == block.restored


def test_an_index_and_settings_of_random_bytes(intact: bytes) -> None:
    rng = random.Random(6)
    index_bytes = int.from_bytes(intact[-FOOTER.size :][:4], "little")
    index = intact[-FOOTER.size - index_bytes : -FOOTER.size]
    assert len(unpack_index(index)) == len(BLOCKS)
    header = intact[: intact.index(BLOCKS[0].stored)]
    for _ in range(2000):
        for data, unpack in ((index, unpack_index), (header[:-SHORT_DIGEST], sealed_settings)):
            damaged = bytearray(data)
            damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            attempt(unpack, bytes(damaged))


def attempt(read: Callable[[bytes], Read], data: bytes) -> Read | None:
    """Return what `read` makes of `data`, None where it refuses it; any other exception fails the test."""
    try:
        return read(data)
    except ArchiveError:
        return None


def sealed_settings(head: bytes) -> object:
    return unpack_settings(head + digest(head, size=SHORT_DIGEST))
