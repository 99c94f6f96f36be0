"""From executions to verdicts. Targets stay in this process; programs never run in it.

Every CORRECT Python program was run in a fresh process of its own; the screen only ever rejects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType

import numpy as np

from ktray.dsl.interpreter import DslExecutor
from ktray.ports import Executor
from ktray.programs import Execution, Language, Outcome, Program, Verdict
from ktray.sandbox.executor import Sandbox
from ktray.sandbox.limits import SandboxLimits
from ktray.sequences import Values

#: Screening a program costs about a tenth of confirming it, so it is left out where more than this share
#: of the last call's programs were confirmed anyway.
_SCREEN_BELOW = 0.9
_NO_PROGRAM = Verdict(Outcome.NO_PROGRAM, detail="no program could be extracted")


def judge(execution: Execution, target: Values) -> Verdict:
    """Return the verdict on an execution that should have given `target` (uint8, shape (length,))."""
    values, seconds = execution.values, execution.seconds
    if execution.failure is not None or values is None:
        return Verdict(execution.failure or Outcome.CRASHED, seconds, execution.detail)
    prefix = correct_prefix(values, target)
    if prefix == len(target) == len(values):
        return Verdict(Outcome.CORRECT, seconds, "", prefix)
    return Verdict(Outcome.WRONG_OUTPUT, seconds, _difference(values, target, prefix), prefix)


def correct_prefix(values: Values, target: Values) -> int:
    """Return how many leading elements of `values` equal those of `target`."""
    shared = min(len(values), len(target))
    differs = np.flatnonzero(values[:shared] != target[:shared])
    return int(differs[0]) if len(differs) else shared


def _difference(values: Values, target: Values, prefix: int) -> str:
    if prefix == min(len(values), len(target)):
        return f"length {len(values)} where {len(target)} was expected"
    return f"element {prefix} is {values[prefix]} where {target[prefix]} was expected"


class Verifier:
    """Runs and judges programs in both languages, each distinct program once a call."""

    def __init__(
        self,
        limits: SandboxLimits | None = None,
        dsl: Executor | None = None,
    ) -> None:
        """`dsl` executes the programs of the DSL; the interpreter by default."""
        self.sandbox = Sandbox(limits)
        self._dsl = dsl or DslExecutor()
        self._screening = True

    def __enter__(self) -> Verifier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the sandbox's processes."""
        self.sandbox.close()

    def verify(self, pairs: Sequence[tuple[Program | None, Values]]) -> list[Verdict]:
        """Return a verdict for each (program, target), in order; no program is NO_PROGRAM.

        Raises PipelineError where the sandbox cannot be started and ConfigError where it is too weak.
        """
        targets: dict[Program, list[Values]] = {}
        for program, target in pairs:
            if program is not None:
                targets.setdefault(program, []).append(target)
        executions = self._execute(targets)
        return [_NO_PROGRAM if p is None else judge(executions[p], target) for p, target in pairs]

    def _execute(self, targets: dict[Program, list[Values]]) -> dict[Program, Execution]:
        python = [program for program in targets if program.language is Language.PYTHON]
        dsl = [program for program in targets if program.language is Language.DSL]
        executions = dict(zip(dsl, self._dsl.execute(dsl), strict=True))
        screened = dict(zip(python, self._screen(python), strict=True))
        open_cases = [p for p in python if not _rejected(screened[p], targets[p])]
        executions.update((p, e) for p, e in screened.items() if e is not None)
        executions.update(zip(open_cases, self.sandbox.execute(open_cases), strict=True))
        if python:
            matching = sum(not _rejected(executions[p], targets[p]) for p in python)
            self._screening = matching <= _SCREEN_BELOW * len(python)
        return executions

    def _screen(self, programs: list[Program]) -> list[Execution | None]:
        return self.sandbox.screen(programs) if self._screening else [None] * len(programs)


def _rejected(execution: Execution | None, targets: Iterable[Values]) -> bool:
    """Whether the screen settles it: it ran, and no target is what it gave."""
    if execution is None:
        return False
    return execution.values is None or not any(np.array_equal(execution.values, target) for target in targets)
