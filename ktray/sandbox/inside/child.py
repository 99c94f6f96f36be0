"""A program's process, seen from both ends: the zygote's handle on it, and what runs in it.

A process that runs one program is forked before it is told which, so that several can be forked in a row and
none holds another's program. Whatever outlives its deadline is killed.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator

from . import confine, runner, wire
from .seccomp import RESULT_FD, FilterProgram
from .wire import CRASHED, FORBIDDEN, OUT_OF_MEMORY, TIMEOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    # The module itself would stay in memory for every fork to carry.
    from typing import NoReturn

REQUESTS_FD, REPLIES_FD = 100, 101
#: Where a program's process reads its sources, beside the descriptor of its results.
_SOURCES_FD = RESULT_FD + 1
_EXIT_MEMORY, _EXIT_CHANNEL = 77, 78
_now = time.monotonic
_urandom = os.urandom
_getpid = os.getpid
_sleep = time.sleep
_clock = time.clock_gettime
#: The clock of what a process used, in the kernel's numbering of clocks by process (CPUCLOCK_SCHED).
_PROCESS_CLOCK = 2
#: Times its limit that a program may take which others keep from the CPU.
_STARVED = 3.0

Reply = tuple[int, float, bytes]
#: Runs a source with at most so many elements of output.
Run = Callable[[bytes, int], runner.Result]


class Settings:
    """What the caller asks for: seconds a program, bytes of memory, elements of output, the
    modules of `modules.import_library`, and where numpy is."""

    def __init__(self, seconds: str, memory_bytes: str, elements: str, library: str, site: str) -> None:
        self.seconds, self.memory_bytes, self.elements = float(seconds), int(memory_bytes), int(elements)
        self.library, self.site = library, site


class Confinement:
    """What each program's process is given: its address space in bytes, and the seccomp filter if any."""

    def __init__(self, settings: Settings, address_bytes: int, seccomp: FilterProgram | None) -> None:
        self.settings, self.address_bytes, self.seccomp = settings, address_bytes, seccomp
        # The first process of a pid namespace takes the others with it in any case.
        self.mortal = _getpid() != 1

    def enter(self, programs: int) -> None:
        """Close this process (a fresh fork) for good; it will run up to `programs` programs."""
        if self.mortal:
            confine.die_with_parent()
        confine.limit_resources(self.address_bytes, programs * (int(self.settings.seconds) + 2))
        if self.seccomp is not None and not confine.load_filter(self.seccomp):
            os._exit(1)


class Child:
    """A forked process that runs programs, the pipe that its results come through, and, where its program is
    still to be given, the one that takes it."""

    def __init__(self, pid: int, fd: int, giver: int, nonce: bytes, settings: Settings) -> None:
        self.alive = True
        self._pid, self._fd, self._giver, self._nonce, self._settings = pid, fd, giver, nonce, settings
        self._buffer = b""
        self._cap = max(settings.elements, wire.DETAIL_BYTES)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        # Only a hang-up of the caller is of interest while a program runs.
        self._poll.register(REQUESTS_FD, 0)

    @classmethod
    def fork(cls, confinement: Confinement, run: Run, sources: list[bytes]) -> Child:
        """Start a confined process that runs `sources` one after the other and sends their results."""
        nonce = _urandom(8)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            _be_child(writer, 0, nonce, confinement, run, sources)
        os.close(writer)
        return cls(pid, reader, 0, nonce, confinement.settings)

    @classmethod
    def fork_some(cls, confinement: Confinement, run: Run, count: int) -> list[Child]:
        """Start confined processes that each wait for the one program that `give` hands them.

        Each fork makes this process copy anew every page that it writes to, so nothing else is done between.
        """
        channels = [(_urandom(8), *os.pipe(), *os.pipe()) for _ in range(count)]
        pids: list[int] = []
        for nonce, _, writer, awaited, _ in channels:
            pid = os.fork()
            if pid == 0:
                _be_child(writer, awaited, nonce, confinement, run, [])
            pids.append(pid)
        for _, _, writer, awaited, _ in channels:
            os.close(writer)
            os.close(awaited)
        return [
            cls(pid, reader, giver, nonce, confinement.settings)
            for pid, (nonce, reader, _, _, giver) in zip(pids, channels, strict=True)
        ]

    def give(self, source: bytes) -> None:
        """Hand over the program to run; a process that is no more shows when its result is asked for."""
        try:
            wire.write_all(self._giver, wire.LENGTH.pack(len(source)) + source)
        except BrokenPipeError:
            pass
        finally:
            os.close(self._giver)

    def result(self, glance: float = 0.0) -> Reply:
        """Return the next result; where there is none, why, and `alive` is False from then on.

        The seconds are the program's own process's measure, as far as it can be true. With `glance` this
        looks every so many seconds rather than at once, since a screen's process gives many results.
        """
        self._start, self._cpu_start = _now(), self._cpu()
        self._deadline = self._start + self._settings.seconds
        reply = self._frame(glance)
        if reply is None:
            self.alive = False
            status, detail = self._autopsy()
            return status, _now() - self._start, detail
        return reply

    def _frame(self, glance: float) -> Reply | None:
        """Return one whole frame, FORBIDDEN for something else, None at the end or at the deadline."""
        head = wire.FRAME.size
        while True:
            if len(self._buffer) >= head:
                nonce, status, seconds, length = wire.FRAME.unpack_from(self._buffer)
                if nonce != self._nonce or length > self._cap or status > wire.REFUSED:
                    self.alive = False
                    return FORBIDDEN, 0.0, b"the program wrote to the result channel"
                if len(self._buffer) >= head + length:
                    payload = self._buffer[head : head + length]
                    self._buffer = self._buffer[head + length :]
                    return status, max(0.0, min(seconds, _STARVED * self._settings.seconds)), payload
            if glance and not self._poll.poll(0):
                _sleep(glance)
            if not self._receive():
                return None

    def _receive(self) -> bool:
        """Read what comes; returns False at the end of it, or at the deadline."""
        while True:
            for fd, event in self._poll.poll(max(0.0, (self._deadline - _now()) * 1000)):
                if fd == REQUESTS_FD:
                    self.end()
                    os._exit(0)
                if event:
                    data = os.read(self._fd, 1 << 16)
                    self._buffer += data
                    return bool(data)
            if self._overdue():
                return False

    def _overdue(self) -> bool:
        """Whether the time is up. A program that was hardly given the CPU gets more of it, within bounds:
        on a crowded machine the same program must end the same way."""
        now, limit = _now(), self._settings.seconds
        if now < self._deadline:
            return False
        if now - self._start >= _STARVED * limit or self._cpu() - self._cpu_start >= limit / 2:
            return True
        self._deadline = min(now + limit / 2, self._start + _STARVED * limit)
        return False

    def _cpu(self) -> float:
        """Return the CPU seconds that the process has used."""
        try:
            return _clock(~self._pid << 3 | _PROCESS_CLOCK)
        except OSError:
            return 0.0

    def _autopsy(self) -> tuple[int, bytes]:
        """Return why there was no result; waits for the end of the process, until the deadline at most."""
        while True:
            pid, status, usage = os.wait4(self._pid, os.WNOHANG)
            if pid:
                self._pid = 0
                return _cause(
                    os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, self._settings
                )
            if self._overdue():
                return TIMEOUT, b"stopped after %g s" % self._settings.seconds
            _sleep(0.001)

    def end(self) -> None:
        """Kill the process, whatever it does, and let go of its pipe."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0
        os.close(self._fd)


def _cause(code: int, cpu_seconds: float, settings: Settings) -> tuple[int, bytes]:
    """Return the outcome of a process that ended without a result: exit code, or minus the signal."""
    if code == _EXIT_MEMORY:
        return OUT_OF_MEMORY, b"no memory was left"
    if code == _EXIT_CHANNEL:
        return FORBIDDEN, b"the program closed the result channel"
    if code == -signal.SIGKILL and cpu_seconds >= settings.seconds:
        return TIMEOUT, b"used up its CPU time"
    if code == -signal.SIGKILL:
        return OUT_OF_MEMORY, b"killed by the kernel"
    if code == -signal.SIGSYS:
        return FORBIDDEN, b"a system call that is not allowed"
    return CRASHED, b"ended by signal %d" % -code if code < 0 else b"ended before it gave a result"


def _be_child(
    writer: int,
    awaited: int,
    nonce: bytes,
    confinement: Confinement,
    run: Run,
    sources: list[bytes],
    leave: Callable[[int], NoReturn] = os._exit,
) -> NoReturn:
    """Close this fresh fork, run the programs and end, without ever returning to the zygote's code."""
    code = 1
    try:
        _keep_descriptors(writer, awaited)
        confinement.enter(max(1, len(sources)))
        elements = confinement.settings.elements
        for source in sources or _awaited_source():
            start = _now()
            status, payload = run(source, elements)
            frame = wire.FRAME.pack(nonce, status, _now() - start, len(payload))
            wire.write_all(RESULT_FD, frame + payload)
            if len(sources) > 1:
                runner.tidy(source)
        code = 0
    except MemoryError:
        code = _EXIT_MEMORY
    except OSError:
        code = _EXIT_CHANNEL
    finally:
        leave(code)


def _keep_descriptors(writer: int, awaited: int) -> None:
    """Put the results' pipe and the program's, if there is one, where they belong and close all others.

    Both lie beyond the results' place, and the program's (made third, so the third lowest) beyond its own.
    """
    kept = RESULT_FD
    if writer != RESULT_FD:
        os.dup2(writer, RESULT_FD, inheritable=False)
    if awaited:
        kept = _SOURCES_FD
        if awaited != kept:
            os.dup2(awaited, kept, inheritable=False)
    os.closerange(kept + 1, REPLIES_FD + 1)


def _awaited_source() -> Iterator[bytes]:
    """Yield the one program that this process is given, and leave nothing to read it from."""
    size = wire.LENGTH.unpack(wire.read_exactly(_SOURCES_FD, wire.LENGTH.size))[0]
    source = wire.read_exactly(_SOURCES_FD, size)
    os.close(_SOURCES_FD)
    yield source
