"""Boundaries found in a stream that lost them: `--chunk auto`."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from jobs.reading import CorpusConfig
from ktray.archive.blocks import decode_block, encode_block
from ktray.corpora import open_corpus
from ktray.corpora.cutting import AutoCut, find_cuts, recut
from ktray.corpora.mixed import SAMPLE_DATA
from ktray.errors import ConfigError
from ktray.priors.adaptive.prior import AdaptivePrior
from ktray.programs import Program
from ktray.sequences import Values
from ktray.testing.archives import bytes_block


@cache
def sequences() -> list[Values]:
    """The shipped synthetic sequences."""
    packed = (SAMPLE_DATA / "synthetic.jsonl.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    return [np.array(json.loads(line)["sequence"], dtype=np.uint8) for line in lines]


@cache
def stream() -> Values:
    """Some of them, one after another."""
    return np.concatenate(sequences()[:120])


def file_of(path: Path, values: Values) -> Path:
    """Write a file of `values`."""
    path.write_bytes(values.tobytes())
    return path


def refuse(program: Program) -> Values:
    """Stand in for a sandbox where no program is to run."""
    raise AssertionError(program)


def test_many_boundaries_are_found() -> None:
    true = np.cumsum([len(sequence) for sequence in sequences()[:120]])
    lengths = find_cuts(stream())
    found = np.cumsum(lengths)
    assert found[-1] == len(stream())
    assert lengths.min() >= 16
    assert lengths.max() <= 512
    assert len(np.intersect1d(true, found)) > 0.3 * len(true)  # by chance: one in fifty


def test_an_interleaving_begins_a_sequence() -> None:
    noise = np.random.default_rng(1).integers(0, 256, 400).astype(np.uint8)
    woven = np.stack([np.arange(10, 40), np.full(30, 200)], axis=1).ravel().astype(np.uint8)
    values = np.concatenate(
        [noise[:90], woven, np.tile(np.arange(20, dtype=np.uint8), 40), woven, noise[:70]]
    )
    found = np.cumsum(find_cuts(values))
    assert 90 in found
    assert 90 + 60 + 800 in found


def test_what_has_no_structure_stays_as_it_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    words = [bytes(rng.integers(97, 123, rng.integers(2, 9)).tolist()) for _ in range(80)]
    text = b" ".join(words[i] for i in rng.integers(0, 80, 600))
    for values in (np.frombuffer(text, np.uint8), rng.integers(0, 256, 3000).astype(np.uint8)):
        assert len(find_cuts(values)) == 0
        (block,) = AutoCut(open_corpus("file", file_of(tmp_path / "f", values))).blocks(128, 1 << 20)
        assert set(block.lengths[:-1].tolist()) == {128}


def test_recut_block_is_restored_from_its_archive_bytes(tmp_path: Path) -> None:
    corpus = AutoCut(open_corpus("file", file_of(tmp_path / "f", stream())))
    (block,) = corpus.blocks(128, 1 << 20)
    assert len(set(block.lengths.tolist())) > 10
    assert len({sequence.id for sequence in block.sequences()}) == len(block.lengths)
    stored = encode_block(block, [None] * len(block.lengths), AdaptivePrior("order0")).stored
    decoded = decode_block(stored, lambda name: AdaptivePrior(), refuse)
    assert decoded.restored == stream().tobytes()
    assert np.array_equal(decoded.block.lengths, block.lengths)


def test_own_boundaries_and_empty_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text("".join(json.dumps({"sequence": s.tolist()}) + "\n" for s in sequences()[:40]))
    (block,) = AutoCut(open_corpus("sequences", path)).blocks(128, 1 << 20)
    assert block.lengths.tolist() == [len(s) for s in sequences()[:40]]
    assert (
        list(AutoCut(open_corpus("file", file_of(tmp_path / "e", stream()[:0]))).blocks(128, 1 << 20)) == []
    )


def test_blocks_of_several_origins_are_cut_apart() -> None:
    half = len(stream()) // 2
    parts = {"a": stream()[:half].tobytes(), "b": stream()[half:].tobytes()}
    block = recut(bytes_block(parts, 128))
    counts = [origin.sequences for origin in block.origins]
    assert sum(counts) == len(block.lengths)
    assert block.lengths[: counts[0]].sum() == half


def test_options_that_make_no_sense(tmp_path: Path) -> None:
    path = file_of(tmp_path / "f", stream()[:100])
    with pytest.raises(ConfigError, match="does not go with --sample"):
        CorpusConfig(corpus="file", input=path, chunk="auto", sample=3).open()
    with pytest.raises(ConfigError, match="such as 128, or auto"):
        CorpusConfig(corpus="file", input=path, chunk="often").require(chunk=1)
    with pytest.raises(ConfigError, match="--chunk is 0, expected 1 or more"):
        CorpusConfig(corpus="file", input=path, chunk=0).require(chunk=1)
    CorpusConfig(corpus="file", input=path, chunk="auto").require(chunk=1)
