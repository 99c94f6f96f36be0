"""Opening what the user named: every way in which a path can be wrong is one clear `CorpusError`."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ktray.errors import CorpusError

PIECE_BYTES = 1 << 20


def check_file(path: Path, expected: str) -> Path:
    """Return `path` if it is a readable file; `expected` says in words what should be there.

    Raises CorpusError.
    """
    if path.is_dir():
        raise CorpusError(f"{path} is a directory; expected {expected}; name a file in it with --input")
    if not path.exists():
        raise CorpusError(f"{path} does not exist; expected {expected}; check the path given with --input")
    if not path.is_file():
        raise CorpusError(f"{path} is a pipe or a device, which can be read once; save it to a file first")
    check_name(path)
    with reading(path), path.open("rb"):
        return path


def check_name(path: Path) -> None:
    """Raise CorpusError where the name of a file is no UTF-8, which names of sequences are."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise CorpusError(f"the name of {str(path)!a} is not UTF-8; rename the file") from None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says against reading `path` into a CorpusError."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CorpusError(f"{path} is a damaged gzip file ({error}); fetch or make it again") from None
    except zipfile.BadZipFile as error:
        raise CorpusError(f"{path} is a damaged ZIP file ({error}); fetch or make it again") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CorpusError(f"{path} cannot be read ({reason}); expected a readable file") from None


def open_plain_or_gzip(path: Path) -> BinaryIO:
    """Open `path` for reading its bytes, through gzip where its first two bytes say so."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if zipped else path.open("rb")


def pieces(file: BinaryIO, size: int = PIECE_BYTES) -> Iterator[bytes]:
    """Yield the rest of `file` in pieces of `size` bytes, the last one shorter."""
    while piece := file.read(size):
        yield piece


def digest_files(named: Iterable[tuple[str, Path]]) -> str:
    """Return 32 hex digits over names and contents, read piece by piece."""
    digest = hashlib.blake2b(digest_size=16)
    for name, path in named:
        with reading(path), path.open("rb") as file:
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            for piece in pieces(file):
                digest.update(piece)
    return digest.hexdigest()
