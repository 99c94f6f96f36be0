"""The sandbox as its callers see it: programs in, executions out.

Read `warm` for the process that runs them, and `inside.zygote` for what that process does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from types import TracebackType

import numpy as np

from ktray.errors import ConfigError
from ktray.programs import Execution, Language, Outcome, Program
from ktray.sandbox.inside import wire
from ktray.sandbox.limits import IsolationReport, SandboxLimits
from ktray.sandbox.warm import Died, Library, Reply, Zygote, library_of, start

#: Sources longer than this skip the screen.
SCREEN_SOURCE_BYTES = 1 << 16
#: Programs that share one process of the screen.
SCREEN_BATCH = 100

_OUTCOMES = {i: Outcome(name) for i, name in enumerate(wire.STATUSES) if name not in ("ok", "refused")}


class Sandbox:
    """Executes Python programs, each in a process of its own behind every layer this machine has.

    Not thread-safe: one for each thread or actor. The warm processes start with the first program, are
    replaced when they die, and end with `close` (or with the caller, however it ends).
    """

    def __init__(self, limits: SandboxLimits | None = None) -> None:
        """An isolation that this machine does not reach is refused with ConfigError when the first warm
        process has started (`report`, `execute` or `screen`)."""
        self.limits = limits or SandboxLimits()
        self._zygotes: dict[Library, Zygote] = {}

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
        return self._zygote(Library.SMALL).report

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
        queues: dict[Library, list[int]] = {}
        for i, source in enumerate(sources):
            if source is None or len(source) > self.limits.source_bytes:
                results[i] = _TOO_LONG if source is not None else _NO_TEXT
                continue
            library = library_of(source)
            if not screen or (len(source) <= SCREEN_SOURCE_BYTES and library is not Library.NUMPY):
                queues.setdefault(library, []).append(i)
        for library, queue in queues.items():
            found = self._run([sources[i] or b"" for i in queue], library, screen)
            for i, execution in zip(queue, found, strict=True):
                results[i] = execution
        return results

    def _run(self, sources: Sequence[bytes], library: Library, screen: bool) -> list[Execution | None]:
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
                if not isinstance(error, Died):
                    raise
                deaths += 1
                if deaths > 1:
                    found.append(Execution(None, Outcome.CRASHED, 0.0, "took the sandbox's process down"))
            deaths = 0 if len(found) > before else deaths
        return found

    def _zygote(self, library: Library) -> Zygote:
        if library not in self._zygotes:
            zygote = start(self.limits, library)
            try:
                if self.limits.require_isolation is not None:
                    zygote.report.require(self.limits.require_isolation)
            except ConfigError:
                zygote.close()
                raise
            self._zygotes[library] = zygote
        return self._zygotes[library]

    def _drop(self, library: Library) -> None:
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


def _execution(reply: Reply, limits: SandboxLimits) -> Execution:
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
