"""A warm process as the caller sees it: started with the modules its programs name, asked, and ended.

What comes back is a status and capped bytes; nothing that a program made is unpickled, evaluated or called.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from ktray.errors import PipelineError
from ktray.sandbox.inside import modules, wire
from ktray.sandbox.limits import IsolationReport, SandboxLimits

#: Limits that may pass until a reply comes: a starved program has three, and so has the one before it.
_PATIENCE = 6
_PYTHON_ERROR = 1
_NOT_STARTED = "the sandbox's process did not start; its reason is above"
#: How long a warm process may take to start, and to answer beyond its programs' time, in seconds.
_START_SECONDS, _GRACE_SECONDS = 120.0, 30.0

_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from inside.zygote import main; main(*sys.argv[2:])"

_ENVIRONMENT = {
    "LD_BIND_NOW": "1",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class Library(Enum):
    """The sets of modules that warm processes come with; see `inside.modules.import_library`."""

    SMALL = "small"
    STANDARD = "standard"
    NUMPY = "numpy"


_WORD = re.compile(rb"[A-Za-z_]\w*")
_BEYOND_SMALL = frozenset(name.partition(".")[0].encode() for name in modules.LIBRARY) - frozenset(
    name.encode() for name in modules.SMALL
)
#: What imports without saying so: text codecs, and names of characters in literals.
_HIDDEN_IMPORTS = (b"code", b"\\N{")


def library_of(source: bytes) -> Library:
    """Return the smallest set of modules that holds whatever `source` names after an `import` somewhere."""
    if any(mark in source for mark in _HIDDEN_IMPORTS):
        return Library.NUMPY if b"numpy" in source else Library.STANDARD
    if b"import" not in source:
        return Library.SMALL
    words = frozenset(_WORD.findall(source))
    if b"numpy" in words:
        return Library.NUMPY
    return Library.STANDARD if words & _BEYOND_SMALL else Library.SMALL


class Died(Exception):
    """The warm process ended or stopped answering."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A status of `wire.STATUSES`, the seconds that the program ran, and its output's bytes or a detail."""

    status: int
    seconds: float
    payload: bytes


class Zygote:
    """One warm process and its two pipes."""

    def __init__(self, limits: SandboxLimits, library: Library) -> None:
        self._limits = limits
        self._buffer = bytearray()
        site = str(Path(np.__file__).parent.parent) if library is Library.NUMPY else ""
        settings = (limits.seconds, limits.memory_mb << 20, limits.elements, library.value, site)
        boot = ["-c", _BOOT, str(Path(__file__).parent), *map(str, settings)]
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-s", "-P", "-W", "ignore", "-X", "no_debug_ranges", *boot],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_ENVIRONMENT, cwd="/",
            close_fds=True, start_new_session=True, bufsize=0,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout
        os.set_blocking(self._requests.fileno(), False)
        self.report = self._hello()

    def _hello(self) -> IsolationReport:
        deadline = time.monotonic() + _START_SECONDS
        try:
            hello = self._take(wire.LENGTH.unpack(self._take(4, deadline))[0], deadline).decode().splitlines()
        except Died:
            self.close()
            if self._process.returncode != _PYTHON_ERROR:
                raise
            raise PipelineError(_NOT_STARTED) from None
        layers = [line[1:] for line in hello if line[0] == "+"]
        return IsolationReport.of(layers, [line[1:] for line in hello if line[0] == "-"])

    def _take(self, count: int, deadline: float) -> bytes:
        while len(self._buffer) < count:
            self._exchange(b"", deadline)
        return self._cut(count)

    def _cut(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def exchange(self, requests: bytes, count: int) -> Iterator[Reply]:
        """Send `requests` and yield the `count` replies as they come; raises Died."""
        patience = _PATIENCE * self._limits.seconds + _GRACE_SECONDS
        waiting, head = memoryview(requests), wire.REPLY.size
        for _ in range(count):
            deadline = time.monotonic() + patience
            while True:
                if len(self._buffer) >= head:
                    status, seconds, length = wire.REPLY.unpack_from(self._buffer)
                    if len(self._buffer) >= head + length:
                        break
                waiting = waiting[self._exchange(waiting, deadline) :]
            yield Reply(status, seconds, self._cut(head + length)[head:])

    def _exchange(self, data: bytes | memoryview, deadline: float) -> int:
        """Wait until something can be read or written; returns how much of `data` was."""
        poll = select.poll()
        poll.register(self._replies, select.POLLIN)
        if data:
            poll.register(self._requests, select.POLLOUT)
        events = dict(poll.poll(max(0.0, (deadline - time.monotonic()) * 1000)))
        if not events:
            raise Died
        if self._replies.fileno() in events:
            part = os.read(self._replies.fileno(), 1 << 16)
            if not part:
                raise Died
            self._buffer += part
        if self._requests.fileno() in events:
            try:
                return os.write(self._requests.fileno(), data[: 1 << 16])
            except BlockingIOError:
                return 0
            except BrokenPipeError:
                raise Died from None
        return 0

    def close(self) -> None:
        """End the process and everything below it."""
        with contextlib.suppress(OSError):
            self._requests.close()
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._replies.close()


def start(limits: SandboxLimits, library: Library, tries: int = 3) -> Zygote:
    """Start a warm process; one that somebody kills meanwhile is started again."""
    for _ in range(tries - 1):
        with contextlib.suppress(Died):
            return Zygote(limits, library)
    try:
        return Zygote(limits, library)
    except Died:
        raise PipelineError(_NOT_STARTED) from None
