"""Runs one program in this very process and reads its `output`. The caller has closed every door before.

Whatever is needed after the program ran is bound beforehand, so that a program that patches builtins or
modules changes its own world only.
"""

from __future__ import annotations

import builtins
import gc
import sys
import types
from collections.abc import Callable
from types import CodeType, TracebackType

from . import gate, modules
from .modules import ForbiddenImport
from .wire import (
    BAD_OUTPUT_TYPE,
    DETAIL_BYTES,
    FORBIDDEN,
    OK,
    OUT_OF_MEMORY,
    REFUSED,
    RUNTIME_ERROR,
    SYNTAX_ERROR,
)

FILE = "<program>"
Result = tuple[int, bytes]
_ABSENT = object()
#: The builtins of the one program of a fresh process, which it may patch without reaching ours.
BUILTINS = types.ModuleType("builtins", builtins.__doc__)
vars(BUILTINS).update(vars(builtins))


def run(source: bytes, max_elements: int) -> Result:
    """Run `source` (UTF-8) and return a status and the output's bytes, or a detail."""
    code = _compile(source)
    return code if isinstance(code, tuple) else _run_code(code, max_elements, vars(BUILTINS))


def run_gated(source: bytes, max_elements: int) -> Result:
    """Run `source` as `run` does if the screen's gate lets it through, else return REFUSED and why."""
    code = _compile(source)
    if isinstance(code, tuple):
        return code
    if reason := gate.refusal(code):
        return REFUSED, reason.encode("utf-8", "replace")
    refused: list[str] = []
    result = _run_code(code, max_elements, gate.gated_builtins(refused))
    return (REFUSED, b"an import") if refused else result


def _compile(source: bytes) -> CodeType | Result:
    try:
        return compile(source.decode(), FILE, "exec", dont_inherit=True)
    except MemoryError as error:
        return OUT_OF_MEMORY, describe(error)
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        return SYNTAX_ERROR, describe(error)


def _run_code(
    code: CodeType,
    max_elements: int,
    names: dict[str, object],
    *,
    collect: Callable[..., Result] | None = None,
    failed: Callable[..., Result] | None = None,
    untrace: tuple[Callable[[None], None], ...] = (sys.settrace, sys.setprofile),
) -> Result:
    collect, failed = collect or _collect, failed or _failed
    namespace: dict[str, object] = {"__name__": "__main__", "__builtins__": names}
    try:
        exec(code, namespace)
    except BaseException as error:
        return failed(error)
    finally:
        for remove in untrace:
            remove(None)
    return collect(namespace, max_elements)


def _collect(
    namespace: dict[str, object],
    max_elements: int,
    *,
    type: type = type,
    list: type = list,
    int: type = int,
    len: Callable[..., int] = len,
    bytes: type = bytes,
    absent: object = _ABSENT,
) -> Result:
    """Return the bytes of `output` if it is a plain list of plain ints 0..255, else what it is instead."""
    output = namespace.get("output", absent)
    if output is absent:
        return BAD_OUTPUT_TYPE, b"the program sets no variable named output"
    if type(output) is not list:
        return BAD_OUTPUT_TYPE, b"output is no plain list"
    if len(output) > max_elements:
        return BAD_OUTPUT_TYPE, b"output has more than %d elements" % max_elements
    for element in output:  # type: ignore[attr-defined]
        if type(element) is not int:
            return BAD_OUTPUT_TYPE, b"output has an element that is no plain int"
    try:
        return OK, bytes(output)
    except (ValueError, OverflowError):
        return BAD_OUTPUT_TYPE, b"output has an element outside 0..255"


_FAILURES = ((MemoryError, OUT_OF_MEMORY), (PermissionError, FORBIDDEN), (ForbiddenImport, FORBIDDEN))


def _failed(error: BaseException) -> Result:
    kind = type(error)
    status = next((status for cause, status in _FAILURES if issubclass(kind, cause)), RUNTIME_ERROR)
    return status, describe(error)


def describe(error: BaseException) -> bytes:
    """Return `line N: Type: message`, capped; the program's own code may run in `str(error)`."""
    try:
        line = error.lineno or 1 if isinstance(error, SyntaxError) else _line(error.__traceback__)
        text = str(error.msg if isinstance(error, SyntaxError) else error)[:DETAIL_BYTES]
        return f"line {line}: {type(error).__name__}: {text}".encode("utf-8", "replace")[:DETAIL_BYTES]
    except BaseException:
        return b"an exception that cannot be printed"


def _line(traceback: TracebackType | None) -> int:
    line = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILE:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def tidy(source: bytes) -> None:
    """Between two programs of one process: collect what `source` left, and reseed if it may have drawn."""
    gc.collect()
    gc.enable()
    if b"random" in source or b"statistics" in source:
        modules.reseed()
