"""The warm process that programs are forked from: imports, closes every door, then serves requests.

It never runs a program itself, holds one program's source at a time (a screen's batch apart), and kills
whatever outlives its deadline. It ends when its standard input does.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator

from . import confine, modules, runner, wire
from .seccomp import RESULT_FD, FilterProgram
from .wire import CRASHED, FORBIDDEN, OUT_OF_MEMORY, TIMEOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    # The module itself would stay in memory for every fork to carry.
    from typing import NoReturn

REQUESTS_FD, REPLIES_FD = 100, 101
#: How long a reply may wait for others, and a screen's results for the next look at them.
_REPLY_SECONDS, _GLANCE_SECONDS = 0.1, 0.004
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


_WARM_UP = b"""
import math
class Warm:
    def up(self, *values, **names):
        return [x % 256 for x in values if x >= 0] + sorted({len(k): v for k, v in names.items()})
output = [0]
for i, c in enumerate(f"{math.pi:.3f}"):
    try:
        output += Warm().up(i, ord(c), -1, n=i)[::2]
    except ValueError as error:
        raise TypeError from error
output = list(map(int, output))
"""


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


def main(*arguments: str) -> None:
    """Serve requests until standard input ends; the arguments are those of `Settings`."""
    settings = Settings(*arguments)
    _take_descriptors()
    if settings.site:
        sys.path.append(settings.site)
    modules.import_library(settings.library)
    baseline = confine.address_space()
    confine.prefer_for_out_of_memory()
    layers, missing = _close_doors()
    filter_program = confine.seccomp_filter()
    filter_works = filter_program is not None and _filter_works(filter_program)
    (layers if filter_works else missing).append("seccomp")
    modules.freeze_world(settings.library)
    modules.close_imports(runner.BUILTINS)
    # What Python makes when it first compiles and runs something is better made once.
    runner.run_gated(_WARM_UP, settings.elements)
    runner.run(_WARM_UP, settings.elements)
    gc.collect()
    gc.freeze()
    os.dup2(0, 2)  # From here on nobody reads what is printed.
    hello = "\n".join([*(f"+{name}" for name in layers), *(f"-{name}" for name in missing)]).encode()
    wire.write_all(REPLIES_FD, wire.LENGTH.pack(len(hello)) + hello)
    address = baseline + settings.memory_bytes
    _serve(Confinement(settings, address, filter_program if filter_works else None))


def _take_descriptors() -> None:
    """Move the two pipes out of the way and leave /dev/null in their place."""
    os.dup2(0, REQUESTS_FD, inheritable=False)
    os.dup2(1, REPLIES_FD, inheritable=False)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def _close_doors() -> tuple[list[str], list[str]]:
    """Enter every layer that the zygote can bear; returns those entered, and those not with reasons."""
    layers, missing = ["rlimits"], []
    if sys.platform != "linux":
        return layers, ["linux"]

    def note(name: str, done: bool, reason: str = "") -> None:
        layers.append(name) if done else missing.append(f"{name}: {reason}" if reason else name)

    spaces, reason = confine.enter_namespaces()
    note("namespaces", spaces, reason)
    if spaces:
        _become_first_process()
        note("empty_root", *confine.enter_empty_root())
    note("unprivileged_uid", confine.drop_user() and os.geteuid() != 0)
    confine.drop_capabilities()
    note("no_new_privs", confine.no_new_privileges())
    abi = confine.enter_landlock()
    note(f"landlock_{abi}" if abi else "landlock", bool(abi))
    if spaces:
        confine.die_with_parent()
    return layers, missing


def _become_first_process() -> None:
    """Go on in a child, the first process of the new pid namespace; the parent waits and ends with it."""
    child = os.fork()
    if child == 0:
        return
    os.close(REQUESTS_FD)
    os.close(REPLIES_FD)
    # A signal shows as a code above 1, which the caller tells from a Python error at the start.
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)


def _filter_works(program: FilterProgram) -> bool:
    """Try the filter in a child: it must load, and must refuse to make a socket or to open a file."""
    pid = os.fork()
    if pid == 0:
        loaded = confine.load_filter(program)
        try:
            os.pipe()
        except PermissionError:
            os._exit(0 if loaded else 1)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _serve(confinement: Confinement) -> None:
    replies = _Replies()
    while True:
        try:
            replies.flush_before_waiting()
            kind, number = wire.REQUEST.unpack(wire.read_exactly(REQUESTS_FD, wire.REQUEST.size))
            if kind == wire.CONFIRM:
                replies.add(_confirm(wire.read_exactly(REQUESTS_FD, number), confinement))
            else:
                for reply in _screen(_read_batch(number), confinement):
                    replies.add(reply)
        except (EOFError, BrokenPipeError):
            os._exit(0)


def _read_batch(count: int) -> list[bytes]:
    read = wire.read_exactly
    return [read(REQUESTS_FD, wire.LENGTH.unpack(read(REQUESTS_FD, 4))[0]) for _ in range(count)]


class _Replies:
    """Replies on their way to the caller, who is woken for several at once while more requests wait."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._flushed = _now()
        self._poll = select.poll()
        self._poll.register(REQUESTS_FD, select.POLLIN)

    def add(self, reply: Reply) -> None:
        status, seconds, payload = reply
        self._waiting.append(wire.REPLY.pack(status, seconds, len(payload)) + payload)
        if _now() - self._flushed > _REPLY_SECONDS:
            self._flush()

    def flush_before_waiting(self) -> None:
        if self._waiting and not self._poll.poll(0):
            self._flush()

    def _flush(self) -> None:
        wire.write_all(REPLIES_FD, b"".join(self._waiting))
        self._waiting.clear()
        self._flushed = _now()


def _confirm(source: bytes, confinement: Confinement) -> Reply:
    """Run one program in a process of its own."""
    child = _Child.fork(confinement, runner.run, [source])
    reply = child.result()
    child.end()
    return reply


def _screen(sources: list[bytes], confinement: Confinement) -> Iterator[Reply]:
    """Run programs one after the other in one gated process; after one that ends it, go on in another."""
    done = 0
    while done < len(sources):
        child = _Child.fork(confinement, runner.run_gated, sources[done:])
        alive = True
        while alive and done < len(sources):
            yield child.result(glance=_GLANCE_SECONDS)
            alive = child.alive
            done += 1
        child.end()


class _Child:
    """A forked process that runs programs, and the pipe that its results come through."""

    def __init__(self, pid: int, fd: int, nonce: bytes, settings: Settings) -> None:
        self.alive = True
        self._pid, self._fd, self._nonce, self._settings = pid, fd, nonce, settings
        self._buffer = b""
        self._cap = max(settings.elements, wire.DETAIL_BYTES)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        # Only a hang-up of the caller is of interest while a program runs.
        self._poll.register(REQUESTS_FD, 0)

    @classmethod
    def fork(cls, confinement: Confinement, run: Run, sources: list[bytes]) -> _Child:
        """Start a confined process that runs `sources` one after the other and sends their results."""
        nonce = _urandom(8)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            _be_child(writer, nonce, confinement, run, sources)
        os.close(writer)
        return cls(pid, reader, nonce, confinement.settings)

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
    nonce: bytes,
    confinement: Confinement,
    run: Run,
    sources: list[bytes],
    leave: Callable[[int], NoReturn] = os._exit,
) -> NoReturn:
    """Close this fresh fork, run the programs and end, without ever returning to the zygote's code."""
    code = 1
    try:
        if writer != RESULT_FD:
            os.dup2(writer, RESULT_FD, inheritable=False)
        os.closerange(RESULT_FD + 1, REPLIES_FD + 1)
        confinement.enter(len(sources))
        elements = confinement.settings.elements
        for source in sources:
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
