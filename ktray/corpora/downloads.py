"""The public corpora: fetched once into a cache, resumed after a cut, and trusted only by their checksum."""

from __future__ import annotations

import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from ktray.errors import CorpusError

CACHE_VARIABLE = "KTRAY_CACHE"
_PIECE_BYTES = 1 << 18
_TIMEOUT_SECONDS = 30
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Download:
    """A public file: where it is, its checksum as `sha256:...`, its size, and the folder that it unpacks to
    where it is a tar archive."""

    url: str
    checksum: str
    bytes: int
    folder: str = ""

    @property
    def file(self) -> str:
        return self.url.rsplit("/", 1)[1]


DOWNLOADS: dict[str, Download] = {
    "enwik8": Download(
        "https://mattmahoney.net/dc/enwik8.zip",
        "sha256:547994d9980ebed1288380d652999f38a14fe291a6247c157c3d33d4932534bc",
        36_445_475,
    ),
    "enwik9": Download(
        "https://mattmahoney.net/dc/enwik9.zip",
        "sha256:99cdb5ac84392252d3f0912ccedd195bc95bd80cbef3b0cdf2eee4ad9a3b7a51",
        322_592_222,
    ),
    "librispeech-dev-clean": Download(
        "https://www.openslr.org/resources/12/dev-clean.tar.gz",
        "sha256:76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
        337_926_286,
        "LibriSpeech/dev-clean",
    ),
    "librispeech-test-clean": Download(
        "https://www.openslr.org/resources/12/test-clean.tar.gz",
        "sha256:39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
        346_663_984,
        "LibriSpeech/test-clean",
    ),
    # The soft-masked GRCh38 of UCSC, as first released.
    "grch38": Download(
        "https://hgdownload.soe.ucsc.edu/goldenPath/hg38/bigZips/hg38.fa.gz",
        "sha256:c1dd87068c254eb53d944f71e51d1311964fce8de24d6fc0effc9c61c01527d4",
        983_659_424,
    ),
}


def default_cache() -> Path:
    """Return the cache directory: `$KTRAY_CACHE`, or the system's place for caches."""
    return Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("ktray"))


def fetch(name: str, corpus: str, cache_dir: Path | None = None, *, progress: bool = True) -> Path:
    """Return the file (or unpacked folder) of the download `name`, fetching what the cache does not have.

    `corpus` is the name that messages use. Raises CorpusError where the network or the checksum fails; a
    file whose checksum is wrong is removed, one that was cut is kept and continued by the next call.
    """
    download = DOWNLOADS[name]
    cache = cache_dir or default_cache()
    with _one_clear_line(download, corpus):
        cache.mkdir(parents=True, exist_ok=True)
        if download.folder and (cache / download.folder).is_dir():
            return cache / download.folder
        downloader = ResumingDownloader(download, cache / f"{download.file}.part", progress=progress)
        known, file = download.checksum, download.file
        path = Path(pooch.retrieve(download.url, known, file, cache, downloader=downloader))
        return _unpacked(path, cache, download.folder) if download.folder else path


@contextmanager
def _one_clear_line(download: Download, corpus: str) -> Iterator[None]:
    mend = f"fetch it yourself and give --corpus {corpus} --input PATH"
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    except requests.RequestException as error:
        status = "" if error.response is None else f": {error.response.status_code}"
        reason = f"{type(error).__name__}{status}"
        raise CorpusError(
            f"{download.url} cannot be fetched ({reason}); try again to continue, or {mend}"
        ) from None
    except ValueError as error:  # pooch's word for a checksum that differs; it has removed the file
        if "hash" not in str(error):
            raise
        raise CorpusError(
            f"{download.url} does not have the expected {download.checksum}; it was removed; {mend}"
        ) from None
    except (tarfile.TarError, EOFError) as error:
        raise CorpusError(
            f"{download.file} cannot be unpacked ({error}); remove it from the cache, or {mend}"
        ) from None
    except OSError as error:
        raise CorpusError(
            f"the cache cannot be written ({error.strerror or error}); set {CACHE_VARIABLE}, or {mend}"
        ) from None
    finally:
        logger.setLevel(level)


@dataclass(frozen=True, slots=True)
class ResumingDownloader:
    """A downloader for pooch that keeps what it has in `part` and continues it with an HTTP range."""

    download: Download
    part: Path
    progress: bool = True

    def __call__(self, url: str, output_file: str, _: Any, check_only: bool = False) -> None:
        if self.progress:
            size = f"{self.download.bytes / 1e6:.1f} MB"
            print(f"Fetching {url} ({size}) into {self.part.parent}", file=sys.stderr)
        with Progress(
            "[progress.description]{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(),
            TimeRemainingColumn(), disable=not self.progress, transient=True, console=Console(stderr=True),
        ) as bar:  # fmt: skip
            task = bar.add_task(self.download.file, total=self.download.bytes)
            self._attempts(url, lambda done: bar.update(task, completed=done))
        self.part.replace(output_file)

    def _attempts(self, url: str, report: Any) -> None:
        """Continue after a cut as long as something comes; a file is done when the server says so."""
        for attempt in range(_ATTEMPTS):
            before = self._size()
            try:
                return self._continue(url, report)
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if self._size() == before or attempt == _ATTEMPTS - 1:
                    raise
        return None

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _continue(self, url: str, report: Any) -> None:
        done = self._size()
        headers = {"Range": f"bytes={done}-"} if done else {}
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as reply:
            if reply.status_code == requests.codes.requested_range_not_satisfiable:
                return  # all of it is here already; the checksum will tell
            reply.raise_for_status()
            resumed = reply.status_code == requests.codes.partial_content
            done = done if resumed else 0
            with self.part.open("ab" if resumed else "wb") as file:
                for piece in reply.iter_content(_PIECE_BYTES):
                    file.write(piece)
                    done += len(piece)
                    report(done)


def _unpacked(archive: Path, cache: Path, folder: str) -> Path:
    """Unpack `archive` beside its place and move it there in one step, so that what is there is complete."""
    with tempfile.TemporaryDirectory(dir=cache) as unfinished:
        with tarfile.open(archive) as tar:
            tar.extractall(unfinished, filter="data")
        (cache / folder).parent.mkdir(parents=True, exist_ok=True)
        (Path(unfinished) / folder).replace(cache / folder)
    return cache / folder
