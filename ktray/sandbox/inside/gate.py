"""What the screen's shared processes may run: programs of plain names and a few harmless modules.

The gate reads the compiled code, so what it checks is what would run. What it refuses is not judged: the
confirm tier runs it in a process of its own. It keeps neighbours from disturbing each other; safety is the
work of the layers below.
"""

from __future__ import annotations

import builtins
import opcode
from collections.abc import Iterator
from types import CodeType, ModuleType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Modules without files, processes or lasting state (random is reseeded after every program).
IMPORTS = _words(
    "bisect cmath collections collections.abc copy dataclasses enum fractions functools heapq itertools math "
    "numbers operator random re statistics string typing __future__"
)

#: Names that reach other names by text, other programs, lasting state, or the outside.
_REFUSED_NAMES = _words(
    "attrgetter breakpoint builtins codecs compile copyreg delattr dir dispatch_table eval exec exit "
    "Formatter ForwardRef gc get_annotations get_field get_type_hints getattr global_enum globals help input "
    "io locals memoryview methodcaller mro open os purge quit register setattr sys SystemRandom vars "
    "ag_await ag_code ag_frame cr_await cr_code cr_frame cr_origin f_back f_builtins f_code f_globals "
    "f_locals f_trace gi_code gi_frame gi_yieldfrom tb_frame tb_lasti tb_next with_traceback"
)

#: Names with underscores that plain classes and scripts use.
_PLAIN_UNDERSCORES = _words(
    "_ __name__ __main__ __doc__ __init__ __iter__ __next__ __call__ __len__ __getitem__ __setitem__ "
    "__contains__ __repr__ __str__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __add__ __radd__ "
    "__sub__ __rsub__ __mul__ __rmul__ __mod__ __floordiv__ __xor__ __and__ __or__ __neg__ __bool__ __int__ "
    "__index__ __enter__ __exit__ __module__ __qualname__ __annotations__ __post_init__"
)
_IMPORT, _STORE, _DELETE = (opcode.opmap[name] for name in ("IMPORT_NAME", "STORE_ATTR", "DELETE_ATTR"))


class Refused(Exception):
    """Raised in a program that imports something the screen does not have; the program is not judged."""


def refusal(code: CodeType) -> str:
    """Return why the screen must not run `code`, or an empty string."""
    operations: set[int] = set()
    for part in _parts(code):
        for name in part.co_names:
            if _refused(name):
                return f"name {name}"
        for constant in part.co_consts:
            # The attribute names of a class pattern are a constant.
            if type(constant) is tuple and any(type(name) is str and _refused(name) for name in constant):
                return "name in a constant"
        operations.update(part.co_code[::2])
    if _IMPORT in operations and (_STORE in operations or _DELETE in operations):
        return "imports and sets attributes"
    return ""


def _refused(name: str) -> bool:
    return name in _REFUSED_NAMES or (name[:1] == "_" and name not in _PLAIN_UNDERSCORES)


def _parts(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if type(constant) is CodeType:
            yield from _parts(constant)


def gated_builtins(refused: list[str]) -> dict[str, object]:
    """Return the builtins of one screened program; a refused import is noted in `refused`."""

    def gated_import(name: str, *arguments: object, **keywords: object) -> ModuleType:
        if name not in IMPORTS:
            refused.append(name)
            raise Refused(name)
        return builtins.__import__(name, *arguments, **keywords)  # type: ignore[arg-type]

    return {**_BUILTINS, "__import__": gated_import}


_BUILTINS = {name: value for name, value in vars(builtins).items() if not _refused(name)}
# What the compiler itself calls by name.
_BUILTINS["__build_class__"] = builtins.__build_class__
