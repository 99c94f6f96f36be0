"""A file that appears whole or not at all, even when the machine stops in between.

Its bytes go to `.NAME.part` in the same directory, locked while they are written: a later writer takes
over what a killed one left behind, and an earlier file at the path stays intact until the rename.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from ktray.errors import ConfigError

#: File systems that know no locks say so with one of these.
_NO_LOCKS = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK}
#: A full disk is no fault of the path.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class PendingFile:
    """A file being written, opened at once; `commit` makes it appear at `path`, leaving without discards it.

    Raises ConfigError where `path` cannot be written or another process is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = _target(path)
        self._part = self.path.with_name(f".{self.path.name}.part")
        try:
            self.stream = _locked(self._part)
        except BlockingIOError:
            raise ConfigError(
                f"{path} is being written by another process; wait for it or choose another"
            ) from None
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise
            raise ConfigError(f"cannot write {path}: {error.strerror}; choose another place") from None
        self._open = True

    @property
    def part(self) -> Path:
        """The file being written, for writers that take a path; they must keep the file that is there."""
        return self._part

    def commit(self) -> None:
        """Make the bytes durable, then the file visible under its name."""
        self.stream.flush()
        os.fsync(self.stream.fileno())
        self._part.replace(self.path)
        self._open = False
        self.stream.close()
        _sync_directory(self.path.parent)

    def discard(self) -> None:
        """Remove what was written, unless it is committed; calling it again does nothing."""
        if not self._open:
            return
        self._open = False
        self._part.unlink(missing_ok=True)
        # What is buffered may not fit a full disk; it is thrown away anyhow.
        with contextlib.suppress(OSError):
            self.stream.close()

    def __enter__(self) -> PendingFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


@contextlib.contextmanager
def committed(path: Path) -> Iterator[Path]:
    """Yield the path of an empty file to write to, which is `path` once the block ends without an error.

    Missing folders are made. Raises ConfigError as PendingFile does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with PendingFile(path) as pending:
        yield pending.part
        pending.commit()


def _target(path: Path) -> Path:
    """Return where `path` leads, a regular file or nothing yet: renaming would replace a device."""
    try:
        target = path.resolve()
        mode = target.stat().st_mode
    except FileNotFoundError:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "no regular file"
        raise ConfigError(f"cannot write {path}: it is {what}; give the path of a file")
    return target


def _locked(part: Path) -> BinaryIO:
    """Return `part`, empty, open for writing and locked; BlockingIOError where somebody else holds it."""
    while True:
        stream = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                stream.close()
                raise
        if _is_at(stream, part):
            stream.truncate(0)
            return stream
        stream.close()


def _is_at(stream: BinaryIO, part: Path) -> bool:
    """Tell whether `stream` is still the file at `part`: its last writer may just have renamed it."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), part.stat())
    except FileNotFoundError:
        return False


def _sync_directory(directory: Path) -> None:
    """Make a rename durable, where the file system lets a directory be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def refuse_same(out: Path, source: Path, what: str) -> None:
    """Raise ConfigError where `out`, a file to be written, is `source`, which it is made of: `what`, in words."""
    if out.exists() and source.exists() and out.samefile(source):
        raise ConfigError(f"{out} is {what} itself; give another path to write to")
