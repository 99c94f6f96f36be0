"""Downloads against a local server: resumed after a cut, checked by their hash, refused in one clear line."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ktray.corpora import downloads, open_corpus
from ktray.corpora.downloads import DOWNLOADS, Download, fetch
from ktray.corpora.restoring import restore_block
from ktray.errors import CorpusError

DATA = np.random.default_rng(3).bytes(3_000_000)


@dataclass
class Server:
    """What is served, where the connection is cut (bytes into each reply), and the ranges asked for."""

    content: bytes = DATA
    cuts: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    honours_ranges: bool = True
    status: int = 200
    port: int = 0

    def download(self, name: str = "data.bin", sha256: str = "", folder: str = "") -> Download:
        known = sha256 or hashlib.sha256(self.content).hexdigest()
        return Download(f"http://127.0.0.1:{self.port}/{name}", f"sha256:{known}", len(self.content), folder)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.honours_ranges else 0
            if start >= len(state.content):
                self.send_error(416)
                return
            body = state.content[start:]
            self.send_response(206 if start else state.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.cuts.pop(0)] if state.cuts else body)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that reads no more than it needs is no news."""

    http = Quiet(("127.0.0.1", 0), Handler)
    state.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def known(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setitem(DOWNLOADS, "test", server.download())
    return server


def get(cache: Path) -> Path:
    return fetch("test", "enwik8", cache, progress=False)


def test_a_file_is_fetched_once(tmp_path: Path, known: Server):
    path = get(tmp_path)
    assert path.read_bytes() == DATA
    assert get(tmp_path) == path
    assert known.ranges == [None]
    assert [p.name for p in tmp_path.iterdir()] == ["data.bin"]


def test_a_cut_connection_is_continued(tmp_path: Path, known: Server):
    known.cuts = [1 << 20, 1 << 19]
    assert get(tmp_path).read_bytes() == DATA
    assert known.ranges[0] is None
    assert [int(wanted[6:-1]) for wanted in known.ranges[1:]] == [1 << 20, 3 << 19]


def test_a_later_call_continues_where_an_earlier_one_gave_up(tmp_path: Path, known: Server):
    known.cuts = [600_000, 0, 0]
    with pytest.raises(CorpusError, match="cannot be fetched"):
        get(tmp_path)
    assert (tmp_path / "data.bin.part").stat().st_size == 1 << 19
    known.cuts = []
    assert get(tmp_path).read_bytes() == DATA
    assert known.ranges[-1] == f"bytes={1 << 19}-"
    assert not (tmp_path / "data.bin.part").exists()


def test_a_server_without_ranges_starts_again(tmp_path: Path, known: Server):
    known.honours_ranges, known.cuts = False, [1_000_000]
    assert get(tmp_path).read_bytes() == DATA


def test_a_part_that_is_complete_is_not_fetched_again(tmp_path: Path, known: Server):
    (tmp_path / "data.bin.part").write_bytes(DATA)
    assert get(tmp_path).read_bytes() == DATA
    assert known.ranges == [f"bytes={len(DATA)}-"]


def test_a_wrong_checksum_is_refused_and_the_file_removed(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
):
    download = server.download(sha256="00" * 32)
    monkeypatch.setitem(DOWNLOADS, "test", download)
    with pytest.raises(CorpusError) as caught:
        get(tmp_path)
    assert str(caught.value) == (
        f"{download.url} does not have the expected sha256:{'00' * 32}; it was removed; "
        "fetch it yourself and give --corpus enwik8 --input PATH"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_part_is_found_by_the_checksum(tmp_path: Path, known: Server):
    (tmp_path / "data.bin.part").write_bytes(b"damaged")
    with pytest.raises(CorpusError, match="it was removed"):
        get(tmp_path)
    assert get(tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("status", [404, 503])
def test_a_server_that_refuses_is_one_clear_line(tmp_path: Path, known: Server, status: int):
    known.status = status
    with pytest.raises(CorpusError) as caught:
        get(tmp_path)
    assert str(caught.value) == (
        f"{DOWNLOADS['test'].url} cannot be fetched (HTTPError: {status}); try again to continue, or "
        "fetch it yourself and give --corpus enwik8 --input PATH"
    )


def test_no_network_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(DOWNLOADS, "test", Download("http://127.0.0.1:9/data.bin", "sha256:" + "0" * 64, 5))
    with pytest.raises(CorpusError) as caught:
        get(tmp_path)
    assert str(caught.value) == (
        "http://127.0.0.1:9/data.bin cannot be fetched (ConnectionError); try again to continue, or "
        "fetch it yourself and give --corpus enwik8 --input PATH"
    )


def test_a_cache_that_cannot_be_written_is_one_clear_line(tmp_path: Path, known: Server):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(
        CorpusError, match=r"the cache cannot be written .*; set KTRAY_CACHE, or fetch it yourself"
    ):
        get(tmp_path / "file")


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KTRAY_CACHE", str(tmp_path))
    assert downloads.default_cache() == tmp_path
    monkeypatch.delenv("KTRAY_CACHE")
    assert downloads.default_cache().name == "ktray"


def test_enwik_is_read_out_of_its_zip(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("enwik8", b"<mediawiki>" * 999)
    server.content = sink.getvalue()
    monkeypatch.setitem(DOWNLOADS, "enwik8", server.download("enwik8.zip"))
    corpus = open_corpus("enwik8", cache_dir=tmp_path, progress=False)
    assert b"".join(map(restore_block, corpus.blocks(128, 1000))) == b"<mediawiki>" * 999
    (tmp_path / "plain").write_bytes(b"<mediawiki>" * 999)
    plain = open_corpus("enwik8", tmp_path / "plain")
    assert b"".join(map(restore_block, plain.blocks(128, 1000))) == b"<mediawiki>" * 999


def test_librispeech_is_unpacked_whole_or_not_at_all(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
):
    soundfile.write(tmp_path / "1.flac", np.arange(500, dtype=np.int16), 16_000)
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        archive.add(tmp_path / "1.flac", "LibriSpeech/dev-clean/84/121123/84-121123-0000.flac")
    name, cache = "librispeech-dev-clean", tmp_path / "cache"
    server.content = sink.getvalue()
    good = server.download("dev-clean.tar.gz", folder="LibriSpeech/dev-clean")
    monkeypatch.setitem(DOWNLOADS, name, good)
    corpus = open_corpus("audio16", cache_dir=cache, progress=False)
    (block,) = corpus.blocks(128, 1 << 20)
    assert block.origins[0].name == "84/121123/84-121123-0000.flac"
    assert restore_block(block) == np.arange(500, dtype="<i2").tobytes()
    (cache / "dev-clean.tar.gz").unlink()
    assert fetch(name, "audio16", cache, progress=False) == cache / "LibriSpeech" / "dev-clean"

    monkeypatch.setitem(DOWNLOADS, "librispeech-test-clean", good)
    named = open_corpus("audio8", Path("librispeech-test-clean"), cache_dir=cache, progress=False)
    assert [len(block.values) for block in named.blocks(128, 1 << 20)] == [500]

    server.content = server.content[:100]
    monkeypatch.setitem(DOWNLOADS, name, server.download("dev-clean.tar.gz", folder="LibriSpeech/dev-clean"))
    with pytest.raises(CorpusError, match=r"dev-clean\.tar\.gz cannot be unpacked \("):
        fetch(name, "audio16", tmp_path / "other", progress=False)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["dev-clean.tar.gz"]


def test_progress_is_shown(tmp_path: Path, known: Server, capsys: pytest.CaptureFixture[str]):
    fetch("test", "enwik8", tmp_path, progress=True)
    shown = capsys.readouterr()
    assert shown.err.startswith(f"Fetching {DOWNLOADS['test'].url} (3.0 MB) into {tmp_path}\n")
    assert shown.out == ""


def test_every_download_is_pinned_by_a_sha256():
    for name, download in DOWNLOADS.items():
        kind, value = download.checksum.split(":")
        assert kind == "sha256", name
        assert len(bytes.fromhex(value)) == 32
        assert download.url.startswith("https://")
        assert download.bytes > 0
