"""The warm process that programs are forked from: imports, closes every door, then serves requests.

It never runs a program itself, and holds one program's source at a time (a screen's batch apart). It ends
when its standard input does.
"""

from __future__ import annotations

import gc
import os
import select
import sys
import time
from collections.abc import Iterator

from . import confine, modules, runner, wire
from .child import REPLIES_FD, REQUESTS_FD, Child, Confinement, Reply, Settings
from .seccomp import FilterProgram

#: How long a reply may wait for others, and a screen's results for the next look at them.
_REPLY_SECONDS, _GLANCE_SECONDS = 0.1, 0.004
#: Processes that are forked in a row.
_FORKED_AT_ONCE = 8
_now = time.monotonic


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
            kind, count = wire.REQUEST.unpack(wire.read_exactly(REQUESTS_FD, wire.REQUEST.size))
            run = _confirm if kind == wire.CONFIRM else _screen
            for reply in run(count, confinement):
                replies.add(reply)
        except (EOFError, BrokenPipeError):
            os._exit(0)


def _read_source() -> bytes:
    read = wire.read_exactly
    return read(REQUESTS_FD, wire.LENGTH.unpack(read(REQUESTS_FD, wire.LENGTH.size))[0])


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


def _confirm(count: int, confinement: Confinement) -> Iterator[Reply]:
    """Run `count` programs, each in a process of its own."""
    waiting: list[Child] = []
    for left in range(count, 0, -1):
        if not waiting:
            waiting = Child.fork_some(confinement, runner.run, min(left, _FORKED_AT_ONCE))
        child = waiting.pop()
        child.give(_read_source())
        yield child.result()
        child.end()


def _screen(count: int, confinement: Confinement) -> Iterator[Reply]:
    """Run programs one after the other in one gated process; after one that ends it, go on in another."""
    sources = [_read_source() for _ in range(count)]
    done = 0
    while done < len(sources):
        child = Child.fork(confinement, runner.run_gated, sources[done:])
        while child.alive and done < len(sources):
            yield child.result(glance=_GLANCE_SECONDS)
            done += 1
        child.end()
