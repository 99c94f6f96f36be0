"""Under `adaptive` no file grows by more than 0.05 % and 600 bytes, and repetition costs next to nothing."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest

from ktray.archive import ArchiveReader, decode_in_process, encode_block, restore_file
from ktray.corpora import open_corpus
from ktray.priors.adaptive.prior import AdaptivePrior
from ktray.testing.archives import write_archive
from ktray.testing.fakes import run_bytes


def _random(n: int) -> bytes:
    return np.random.default_rng(1).integers(0, 256, n).astype(np.uint8).tobytes()


FILES = {
    "empty": b"",
    "one byte": b"k",
    "random": _random(20_000),
    "compressed": lzma.compress(b" ".join(b"%d" % (i * i % 9973) for i in range(9000)))[:20_000],
    "zeros": bytes(200_000),
    "a repeated kilobyte": _random(1024) * 120,
}


def archived(data: bytes, folder: Path, literals: str = "fast") -> int:
    """Archive `data` as a file without programs, restore and compare it; return the archive's bytes."""
    source, path = folder / "data", folder / "data.kt"
    source.write_bytes(data)
    blocks = [
        encode_block(block, [None] * len(block.lengths), AdaptivePrior(literals))
        for block in open_corpus("file", source).blocks(128, 16 << 20)
    ]
    write_archive(path, blocks, {"corpus": "file", "prior": "adaptive", "literals": literals})
    with ArchiveReader(path) as reader:
        restore_file(
            reader, folder / "restored", decode_in_process(lambda _: AdaptivePrior(literals), run_bytes)
        )
    assert (folder / "restored").read_bytes() == data
    return path.stat().st_size


@pytest.mark.parametrize("name", FILES)
def test_no_file_grows_and_repetition_costs_next_to_nothing(name: str, tmp_path: Path) -> None:
    size = archived(FILES[name], tmp_path)
    assert size <= 1.0005 * len(FILES[name]) + 600
    assert name != "zeros" or size < 0.001 * len(FILES[name]) + 150  # of 1 MB, with all it takes, below 0.001
    assert name != "a repeated kilobyte" or size < 1024 + 600
