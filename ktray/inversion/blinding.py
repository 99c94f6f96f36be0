"""Blinding: what a reference program gives away by its words is taken out; what it does stays the same.

Level 1 hides the algorithm's names (function name, comments, docstring, messages); 2 also renames local
names; 3 also renames the function and its parameters, and drops comments, docstrings and messages.
Strings that the program computes with stay at every level, as do imported names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ktray.inversion.edits import Edit, Places, apply, comments
from ktray.inversion.kinds import InversionError
from ktray.inversion.programs import ReferenceProgram

LEVELS = (0, 1, 2, 3)
#: What a blinded prompt calls the algorithm.
ANONYMOUS = "a custom algorithm"
_PARAMETERS = ("x", "y", "z")


def blind(program: ReferenceProgram, aliases: Iterable[str], level: int, plain_name: str) -> ReferenceProgram:
    """Return the program at a blinding level; `plain_name` names the function at levels 1 and 2.

    Raises InversionError for an unknown level, or a program with f-strings or scope statements.
    """
    if level not in LEVELS:
        raise InversionError(f"blinding level {level}; expected one of {', '.join(map(str, LEVELS))}")
    if level == 0:
        return program
    _refuse_unsupported(program.source)
    names = {program.function: plain_name if level < 3 else "f"}
    if level >= 2:
        names |= _local_names(program)
    if level >= 3:
        names |= dict(zip(program.parameters, _PARAMETERS, strict=False))
    source = _renamed(program.source, names)
    source = _without_words(source) if level >= 3 else _scrubbed(source, list(aliases))
    parameters = tuple(names.get(p, p) for p in program.parameters)
    return replace(program, source=source, function=names[program.function], parameters=parameters)


def scrub(text: str, aliases: Iterable[str]) -> str:
    """Return a text in which every word that names the algorithm is replaced."""
    longest_first = sorted(aliases, key=len, reverse=True)
    pattern = "|".join(re.escape(alias) for alias in longest_first)
    return re.sub(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", "custom", text, flags=re.I)


def _refuse_unsupported(source: str) -> None:
    """Names inside f-strings have no positions in Python 3.11, and scope statements hold bare strings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr | ast.Global | ast.Nonlocal):
            raise InversionError(
                f"line {node.lineno}: reference programs that are blinded use no f-string, global or nonlocal"
            )


def _local_names(program: ReferenceProgram) -> dict[str, str]:
    """Return new names for everything the program binds but its own name, parameters and imports."""
    kept = {program.function, *program.parameters}
    bound = (name for _, name in sorted(_bindings(program.source)) if name not in kept)
    return {name: f"v{i}" for i, name in enumerate(dict.fromkeys(bound), start=1)}


def _bindings(source: str) -> Iterator[tuple[int, str]]:
    """Yield (offset, name) of every binding; dunder methods keep their names, as Python calls them."""
    places = Places(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield places.start(node), node.id
        elif isinstance(node, ast.arg):
            yield places.start(node), node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("__"):
            yield places.start(node), node.name


def _renamed(source: str, names: dict[str, str]) -> str:
    places, edits = Places(source), []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            found, start = node.id, places.start(node)
        elif isinstance(node, ast.arg):
            found, start = node.arg, places.start(node)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found, start = node.name, places.find(node.name, places.start(node) + len("def "))
        else:
            continue
        if found in names:
            edits.append(Edit(start, start + len(found.encode()), names[found]))
    return apply(source, edits)


def _words(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield the strings that only readers see: docstrings and the messages of `raise`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        elif isinstance(node, ast.Raise):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    yield inner


def _scrubbed(source: str, aliases: list[str]) -> str:
    places = Places(source)
    data = source.encode()
    edits = [Edit(start, end, scrub(text, aliases)) for start, end, text in comments(source)]
    for word in _words(ast.parse(source)):
        start, end = places.start(word), places.end(word)
        edits.append(Edit(start, end, scrub(data[start:end].decode(), aliases)))
    return apply(source, edits)


def _without_words(source: str) -> str:
    tree, places = ast.parse(source), Places(source)
    edits = [Edit(start, end, "") for start, end, _ in comments(source)]
    docstrings = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for word in _words(tree):
        edits.append(Edit(places.start(word), places.end(word), "" if id(word) in docstrings else "''"))
    lines = (line.rstrip() for line in apply(source, edits).splitlines())
    return "\n".join(line for line in lines if line) + "\n"
