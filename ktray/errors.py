"""Every error ktray raises on purpose, in one tree.

    KtrayError
    ├── InputError                what the user gave is wrong: one line, exit code 2
    │   ├── ConfigError           an option or a config file
    │   ├── CorpusError           an input file that is not what its corpus expects
    │   ├── ProgramError          a program text that its language does not allow
    │   ├── ArchiveError          not an archive, or a damaged one
    │   ├── RunDirectoryError     a run directory that belongs to another run
    │   ├── StudyError            logs that a study cannot use (`studies.bootstrap`)
    │   └── InversionError        an input of the second benchmark (`inversion.kinds`), two of them by name:
    │       ├── FormatError       a text outside its output format (`inversion.notation`)
    │       └── TypeMismatch      a value that a format cannot write (`inversion.formats`)
    ├── PipelineError             a fault of ours: one line, exit code 1
    └── EngineDeadError           a model's engine died: its process must end and be replaced

A message says what was seen, what was expected, and how to mend it.
"""

from __future__ import annotations


class KtrayError(Exception):
    """Root of the tree; `exit_code` is what a job ends with."""

    exit_code = 1


class InputError(KtrayError):
    """The user's input is wrong and the message says how to mend it."""

    exit_code = 2


class ConfigError(InputError):
    """An option, a config key or a value of one that ktray does not know."""


class CorpusError(InputError):
    """An input file that is missing, empty, or not of the kind its corpus expects."""


class ProgramError(InputError):
    """A program text outside its language; `line` and `column` count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self._message = message
        self.line = line
        self.column = column

    def __reduce__(self) -> tuple[type, tuple[str, int, int]]:
        return type(self), (self._message, self.line, self.column)


class ArchiveError(InputError):
    """A file that is no ktray archive, is damaged, or was cut."""


class RunDirectoryError(InputError):
    """A run directory whose fingerprint is another run's."""


class PipelineError(KtrayError):
    """Something that must hold does not: a row lost or doubled, bytes restored wrongly, a sandbox breached."""


class EngineDeadError(KtrayError):
    """A model's engine died; the process that hosts it must end, so that another takes its place."""
