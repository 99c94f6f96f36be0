"""The caller's side of the sandbox: starts the warm process, sends programs, reads capped results.

What comes back is bytes and a status; nothing that a program made is
unpickled, evaluated or called here.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType

import numpy as np

from ktray.errors import ConfigError, PipelineError
from ktray.programs import Execution, Language, Outcome, Program
from ktray.sandbox.inside import modules, wire
from ktray.sandbox.limits import IsolationReport, SandboxLimits

#: Sources longer than this skip the screen.
SCREEN_SOURCE_BYTES = 1 << 16
#: Programs that share one process of the screen.
SCREEN_BATCH = 100
#: Limits that may pass until a reply comes: a starved program has three, and so has the one before it.
_PATIENCE = 6
_PYTHON_ERROR = 1
_NOT_STARTED = "the sandbox's process did not start; its reason is above"
#: How long a warm process may take to start, and to answer beyond its programs' time, in seconds.
_START_SECONDS, _GRACE_SECONDS = 120.0, 30.0

_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from inside.zygote import main; main(*sys.argv[2:])"
_OUTCOMES = {i: Outcome(name) for i, name in enumerate(wire.STATUSES) if name not in ("ok", "refused")}


class _Library(Enum):
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


def _library(source: bytes) -> _Library:
    """Return the smallest set of modules that holds whatever `source` names after an `import` somewhere."""
    if any(mark in source for mark in _HIDDEN_IMPORTS):
        return _Library.NUMPY if b"numpy" in source else _Library.STANDARD
    if b"import" not in source:
        return _Library.SMALL
    words = frozenset(_WORD.findall(source))
    if b"numpy" in words:
        return _Library.NUMPY
    return _Library.STANDARD if words & _BEYOND_SMALL else _Library.SMALL


class _Died(Exception):
    """The warm process ended or stopped answering."""


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    seconds: float
    payload: bytes


class _Zygote:
    """One warm process and its two pipes."""

    def __init__(self, limits: SandboxLimits, library: _Library) -> None:
        self._limits = limits
        self._buffer = bytearray()
        site = str(Path(np.__file__).parent.parent) if library is _Library.NUMPY else ""
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
        except _Died:
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

    def exchange(self, requests: bytes, count: int) -> Iterator[_Reply]:
        """Send `requests` and yield the `count` replies as they come; raises _Died."""
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
            yield _Reply(status, seconds, self._cut(head + length)[head:])

    def _exchange(self, data: bytes | memoryview, deadline: float) -> int:
        """Wait until something can be read or written; returns how much of `data` was."""
        poll = select.poll()
        poll.register(self._replies, select.POLLIN)
        if data:
            poll.register(self._requests, select.POLLOUT)
        events = dict(poll.poll(max(0.0, (deadline - time.monotonic()) * 1000)))
        if not events:
            raise _Died
        if self._replies.fileno() in events:
            part = os.read(self._replies.fileno(), 1 << 16)
            if not part:
                raise _Died
            self._buffer += part
        if self._requests.fileno() in events:
            try:
                return os.write(self._requests.fileno(), data[: 1 << 16])
            except BlockingIOError:
                return 0
            except BrokenPipeError:
                raise _Died from None
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


def _start(limits: SandboxLimits, library: _Library, tries: int = 3) -> _Zygote:
    """Start a warm process; one that somebody kills meanwhile is started again."""
    for _ in range(tries - 1):
        with contextlib.suppress(_Died):
            return _Zygote(limits, library)
    try:
        return _Zygote(limits, library)
    except _Died:
        raise PipelineError(_NOT_STARTED) from None


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


class Sandbox:
    """Executes Python programs, each in a process of its own behind every layer this machine has.

    Not thread-safe: one for each thread or actor. The warm processes start with the first program, are
    replaced when they die, and end with `close` (or with the caller, however it ends).
    """

    def __init__(self, limits: SandboxLimits | None = None) -> None:
        """An isolation that this machine does not reach is refused with ConfigError when the first warm
        process has started (`report`, `execute` or `screen`)."""
        self.limits = limits or SandboxLimits()
        self._zygotes: dict[_Library, _Zygote] = {}

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def close(self) -> None:
        """End the warm processes; the sandbox can be used again and starts new ones."""
        while self._zygotes:
            self._zygotes.popitem()[1].close()

    @property
    def report(self) -> IsolationReport:
        """The layers that are on; raises ConfigError where they are not enough."""
        return self._zygote(_Library.SMALL).report

    def execute(self, programs: Sequence[Program]) -> list[Execution]:
        """Run each program in a fresh process (the confirm tier); the results are in the programs' order.

        No `output`, or an `output` that is no plain list of plain ints 0..255 within the limits, is
        BAD_OUTPUT_TYPE; source that is too long is FORBIDDEN. Raises PipelineError where no warm process
        can be started, and ValueError for a program that is not in Python.
        """
        return [execution or _NOTHING for execution in self._run_all(programs, screen=False)]

    def screen(self, programs: Sequence[Program]) -> list[Execution | None]:
        """Run programs in shared, gated processes, which is fast and never final for a match.

        None stands for what must be confirmed to be known: refused by the gate, out of memory, crashed.
        """
        return self._run_all(programs, screen=True)

    def _run_all(self, programs: Sequence[Program], screen: bool) -> list[Execution | None]:
        sources = [_encode(program) for program in programs]
        results: list[Execution | None] = [None] * len(sources)
        queues: dict[_Library, list[int]] = {}
        for i, source in enumerate(sources):
            if source is None or len(source) > self.limits.source_bytes:
                results[i] = _TOO_LONG if source is not None else _NO_TEXT
                continue
            library = _library(source)
            if not screen or (len(source) <= SCREEN_SOURCE_BYTES and library is not _Library.NUMPY):
                queues.setdefault(library, []).append(i)
        for library, queue in queues.items():
            found = self._run([sources[i] or b"" for i in queue], library, screen)
            for i, execution in zip(queue, found, strict=True):
                results[i] = execution
        return results

    def _run(self, sources: Sequence[bytes], library: _Library, screen: bool) -> list[Execution | None]:
        """Run `sources` in one warm process, replacing it when it dies; who kills two is CRASHED."""
        found: list[Execution | None] = []
        deaths = 0
        while len(found) < len(sources):
            before = len(found)
            # After a death one by one, so that the one to blame is known.
            batch = sources[before : before + 1] if deaths else sources[before:]
            requests = (_screen_requests if screen else _confirm_requests)(batch)
            try:
                for reply in self._zygote(library).exchange(requests, len(batch)):
                    undecided = screen and reply.status in _UNDECIDED
                    found.append(None if undecided else _execution(reply, self.limits))
            except BaseException as error:
                # Also after a Ctrl-C: replies of this batch are under way and must not reach the next.
                self._drop(library)
                if not isinstance(error, _Died):
                    raise
                deaths += 1
                if deaths > 1:
                    found.append(Execution(None, Outcome.CRASHED, 0.0, "took the sandbox's process down"))
            deaths = 0 if len(found) > before else deaths
        return found

    def _zygote(self, library: _Library) -> _Zygote:
        if library not in self._zygotes:
            zygote = _start(self.limits, library)
            try:
                if self.limits.require_isolation is not None:
                    zygote.report.require(self.limits.require_isolation)
            except ConfigError:
                zygote.close()
                raise
            self._zygotes[library] = zygote
        return self._zygotes[library]

    def _drop(self, library: _Library) -> None:
        if (zygote := self._zygotes.pop(library, None)) is not None:
            zygote.close()


#: What a neighbour in the same process may have caused.
_UNDECIDED = frozenset({wire.REFUSED, wire.OUT_OF_MEMORY, wire.CRASHED, wire.FORBIDDEN})
_NOTHING = Execution(None, Outcome.CRASHED, 0.0, "gave no result")
_TOO_LONG = Execution(None, Outcome.FORBIDDEN, 0.0, "the source is longer than the limit")
_NO_TEXT = Execution(None, Outcome.SYNTAX_ERROR, 0.0, "the source is not encodable as UTF-8")


def _encode(program: Program) -> bytes | None:
    if program.language is not Language.PYTHON:
        raise ValueError(f"the sandbox runs Python programs, not {program.language}")
    try:
        return program.text.encode()
    except UnicodeEncodeError:
        return None


def _confirm_requests(sources: Sequence[bytes]) -> bytes:
    return _request(wire.CONFIRM, sources)


def _screen_requests(sources: Sequence[bytes]) -> bytes:
    starts = range(0, len(sources), SCREEN_BATCH)
    return b"".join(_request(wire.SCREEN, sources[start : start + SCREEN_BATCH]) for start in starts)


def _request(kind: bytes, sources: Sequence[bytes]) -> bytes:
    head = wire.REQUEST.pack(kind, len(sources))
    return head + b"".join(wire.LENGTH.pack(len(source)) + source for source in sources)


def _execution(reply: _Reply, limits: SandboxLimits) -> Execution:
    """Return what a reply says."""
    if reply.status == wire.OK and len(reply.payload) <= limits.elements:
        return Execution(np.frombuffer(reply.payload, dtype=np.uint8), None, reply.seconds)
    failure = _OUTCOMES.get(reply.status, Outcome.BAD_OUTPUT_TYPE)
    return Execution(None, failure, reply.seconds, _one_line(reply.payload))


def _one_line(payload: bytes) -> str:
    text = payload[: wire.DETAIL_BYTES].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text)


def probe_isolation(limits: SandboxLimits | None = None) -> IsolationReport:
    """Start a sandbox and return the layers that this machine gives it.

    Raises ConfigError where they are not what `limits` requires.
    """
    with Sandbox(limits) as sandbox:
        return sandbox.report


def check_isolation(limits: SandboxLimits) -> None:
    """Raise ConfigError where this machine does not give what `limits` requires, if it requires anything."""
    if limits.require_isolation is not None:
        probe_isolation(limits)
