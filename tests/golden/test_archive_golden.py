"""Released archives stay readable, and the same blocks still give the same bytes (see `archive_make.py`)."""

from __future__ import annotations

from pathlib import Path

from ktray.archive import ArchiveReader, decode_in_process, restore_file
from ktray.testing.archives import golden_blocks, write_archive
from ktray.testing.fakes import FakePrior, run_bytes

HERE = Path(__file__).parent
DECODE = decode_in_process(lambda name: FakePrior(), run_bytes)
CONTENT = bytes(range(40)) + b"KoLMogorov"


def test_the_bytes_of_version_1(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.kt", golden_blocks()[:1], {"prior": "fake"})
    assert (tmp_path / "x.kt").read_bytes().hex() == (HERE / "archive_v1.bin").read_bytes().hex()


def test_reading_version_1(tmp_path: Path) -> None:
    with ArchiveReader(HERE / "archive_v1.bin") as reader:
        assert reader.settings == {"prior": "fake"}
        assert (reader.totals.literals, reader.totals.dsl, reader.totals.python) == (2, 1, 1)
        assert [b.stored_bytes for b in reader.blocks] == [b.info.stored_bytes for b in golden_blocks()[:1]]
        restore_file(reader, tmp_path / "out", DECODE)
    assert (tmp_path / "out").read_bytes() == CONTENT


def test_reading_version_1_with_deflated_fields(tmp_path: Path) -> None:
    with ArchiveReader(HERE / "archive_v1_deflated.bin") as reader:
        assert reader.settings == {f"setting {i}": i for i in range(30)}
        last = list(reader.iter_blocks(DECODE))[2]
        assert [o.name for o in last.block.origins] == [f"file {i}" for i in range(100)]
        restore_file(reader, tmp_path / "out", DECODE)
    assert (tmp_path / "out").read_bytes() == CONTENT + b"ktray" + bytes(range(100))
