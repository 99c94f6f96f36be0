"""The corpus that is drawn from the DSL: the same draw for the same seed, as long as the limit says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ktray.corpora import open_corpus, restore
from ktray.corpora.synthetic import preset, sample_columns
from ktray.errors import ConfigError


def values(seed: int, limit: str, name: str | None = None) -> list[bytes]:
    corpus = open_corpus("synthetic", Path(name) if name else None, seed=seed, limit=limit)
    return [s.values.tobytes() for block in corpus.blocks(128, 4096) for s in block.sequences()]


def test_it_is_the_samplers_draw() -> None:
    drawn = [v.tobytes() for _, v in sample_columns(preset("published"), 7, 0, 50).rows()]
    assert values(7, "50seq") == drawn
    assert values(7, "50seq") != values(8, "50seq") != values(8, "50seq", "natural")
    assert len(values(3, "1200seq")) == 1200


def test_a_megabyte_is_the_default_and_blocks_restore() -> None:
    corpus = open_corpus("synthetic", seed=1)
    blocks = list(corpus.blocks(128, 1 << 20))
    assert 1_000_000 <= sum(len(b.values) for b in blocks) < 1_010_000
    for block in blocks:
        lines = restore(block.kind, block.values, block.lengths, block.side)
        assert len(lines) == block.restored_bytes
        assert lines.count(b"\n") == len(block.lengths)


def test_an_unknown_preset_is_the_users_error() -> None:
    with pytest.raises(ConfigError, match="did you mean 'natural'"):
        open_corpus("synthetic", Path("naturl"))
