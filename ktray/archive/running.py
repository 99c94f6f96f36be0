"""Runs the programs of an archive for its decoder: DSL in the interpreter, Python in the sandbox.

A program that an archive holds has been right once; where it fails now, the archive is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from ktray.errors import ArchiveError
from ktray.ports import Executor
from ktray.programs import Language, Outcome, Program
from ktray.sequences import Values

#: What a decoder may lack that the encoder had.
_MENDS = {
    Outcome.TIMEOUT: "; give it more time with --sandbox.seconds",
    Outcome.OUT_OF_MEMORY: "; give it more memory with --sandbox.memory-mb",
}


class Closing(Executor, Protocol):
    """An executor with processes to end."""

    def close(self) -> None: ...


class ArchivePrograms:
    """The RunProgram of a decoder. `python` makes the executor of Python programs, at the first one.

    The warm sandbox is kept from one program and block to the next; leaving the context ends it.
    """

    def __init__(self, dsl: Executor, python: Callable[[], Closing]) -> None:
        self._dsl = dsl
        self._make_python = python
        self._python: Closing | None = None

    def __call__(self, program: Program) -> Values:
        """Return what `program` gives; ArchiveError where it fails."""
        (execution,) = self._executor(program.language).execute([program])
        if execution.values is None:
            why = f"{execution.failure}: {execution.detail}".rstrip(": ")
            mend = _MENDS.get(execution.failure, "") if execution.failure else ""
            raise ArchiveError(f"a {program.language} program of it fails here ({why}){mend}")
        return execution.values

    def _executor(self, language: Language) -> Executor:
        if language is Language.DSL:
            return self._dsl
        if self._python is None:
            self._python = self._make_python()
        return self._python

    def __enter__(self) -> ArchivePrograms:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._python is not None:
            self._python.close()
            self._python = None
