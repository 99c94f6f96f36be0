"""Compressors to compare with: each restores what it was given, and wrong names are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jobs import evaluate
from ktray import peers
from ktray.baselines import baseline_rate
from ktray.errors import ConfigError

TEXT = b"the quick brown fox jumps over the lazy dog. " * 40


@pytest.mark.parametrize("name", peers.peers_at_hand())
@pytest.mark.parametrize("data", [b"x", TEXT, bytes(range(256)) * 3])
def test_each_restores_what_it_was_given(name: str, data: bytes) -> None:
    peer = peers.peer(name)
    payload = peer.compress(data)
    assert peer.decompress(payload) == data
    assert data != TEXT or len(payload) < len(TEXT) / 3


def test_names_that_are_not_known_or_not_installed_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="did you mean 'brotli'"):
        peers.peer("brotly")
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install pyppmd"):
        peers.peer("ppmd")
    assert peers.peers_at_hand() == ["gzip", "xz", "zstd"]


def test_a_peer_is_a_baseline_without_a_flag() -> None:
    values = np.frombuffer(TEXT, np.uint8)
    rate = baseline_rate("xz", [values], 8, published=False, whole=True)
    assert rate.compression_rate == len(peers.peer("xz").compress(TEXT)) / len(TEXT)


def test_several_baselines_are_measured_in_one_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "text"
    path.write_bytes(TEXT)
    given = ["--corpus", "file", "--input", str(path), "--chunk", "whole", "--baseline"]
    assert evaluate.main([*given, "gzip,xz,repeat"]) == 0
    for argv, seen in (
        ([*given, "gzip,xzz"], "unknown baseline 'xzz'"),
        ([*given, ","], "--baseline names nothing"),
        ([*given, "gzip,xz", "--published"], "recipe of gzip"),
        ([*given, "lmic"], "need a length such as 128"),
        ([*given, "gzip", "--sample", "2"], "need a length such as 128"),
        ([*given, "gzip", "--lmic.form", "bytes"], "expected numbers or text"),
        ([*given[:-1], "--sample", "2"], "programs are all evaluated"),
        ([*given, "lmic", "--chunk", "16"], "name a hub model or a local folder"),
    ):
        assert evaluate.main(argv) == 2
        assert seen in capsys.readouterr().err
