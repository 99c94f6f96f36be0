"""Reference programs: one self-contained function as source text, used for execution and in prompts alike.

The text that a prompt shows is the text that is compiled and run, so they cannot drift apart.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from ktray.errors import PipelineError
from ktray.inversion.edits import without_annotations
from ktray.inversion.kinds import InversionError

#: The file name that compiled programs carry, by which a tracer tells their frames.
FILENAME = "<reference program>"


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


def edited(
    program: ReferenceProgram, edits: Mapping[str, str], parameters: tuple[str, ...] | None = None
) -> ReferenceProgram:
    """Return a program whose text has each key of `edits` replaced by its value: a variant that shares all
    the rest. Raises PipelineError where a key does not occur exactly once."""
    source = program.source
    for old, new in edits.items():
        if source.count(old) != 1:
            raise PipelineError(
                f"{program.function}: {old!r} occurs {source.count(old)} times, expected once"
            )
        source = source.replace(old, new)
    return replace(program, source=source, parameters=parameters or program.parameters)


@lru_cache(maxsize=512)
def compiled(source: str, function: str) -> Callable[..., Any]:
    """Return `function` of the program text. Raises InversionError where the text does not define it."""
    namespace: dict[str, Any] = {"__name__": "reference"}
    exec(compile(source, FILENAME, "exec", dont_inherit=True), namespace)
    found = namespace.get(function)
    if not callable(found):
        raise InversionError(f"the program defines no function {function!r}; expected `def {function}(...)`")
    return found  # type: ignore[no-any-return]
