"""Reference programs: one self-contained function as source text, used for execution and in prompts alike.

The text that a prompt shows is the text that is compiled and run, so they cannot drift apart.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import FrameType
from typing import Any

from ktray.inversion.edits import without_annotations
from ktray.inversion.kinds import InversionError

#: The file name that compiled programs carry, by which a tracer tells their frames.
FILENAME = "<reference program>"


class StepLimitExceeded(Exception):
    """A bounded execution ran more lines than it was allowed."""


@dataclass(frozen=True, slots=True)
class ReferenceProgram:
    """A function's source text, its name, and the names of its parameters in order."""

    source: str
    function: str
    parameters: tuple[str, ...]

    def __call__(self, *arguments: Any) -> Any:
        """Execute the text in a fresh namespace of its own and return what its function returns."""
        return compiled(self.source, self.function)(*arguments)


def reference_program(function: Callable[..., Any]) -> ReferenceProgram:
    """Return a plain function as a reference program, without the annotations that our checker reads."""
    source = without_annotations(textwrap.dedent(inspect.getsource(function)))
    parameters = tuple(inspect.signature(function).parameters)
    return ReferenceProgram(source, function.__name__, parameters)


@lru_cache(maxsize=512)
def compiled(source: str, function: str) -> Callable[..., Any]:
    """Return `function` of the program text. Raises InversionError where the text does not define it."""
    namespace: dict[str, Any] = {"__name__": "reference"}
    exec(compile(source, FILENAME, "exec", dont_inherit=True), namespace)
    found = namespace.get(function)
    if not callable(found):
        raise InversionError(f"the program defines no function {function!r}; expected `def {function}(...)`")
    return found  # type: ignore[no-any-return]


def bounded_call(program: ReferenceProgram, arguments: tuple[Any, ...], steps: int) -> Any:
    """Execute a program for at most `steps` lines, on arguments that a model may have made up.

    Raises StepLimitExceeded beyond them, and whatever the program raises. A single line is not bounded:
    the caller refuses arguments whose numbers could make one line costly.
    """
    left = steps

    def count(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != FILENAME:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                raise StepLimitExceeded(f"more than {steps} lines")
        return count

    function = compiled(program.source, program.function)
    outer = sys.gettrace()
    sys.settrace(count)
    try:
        return function(*arguments)
    finally:
        sys.settrace(outer)
