"""Edits of Python source text at places its syntax tree names, so that comments and layout stay.

Edits never overlap; columns are those of `ast` (UTF-8 bytes), so the text is edited as bytes.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace bytes [start, end) of a source text by `text`."""

    start: int
    end: int
    text: str


class Places:
    """Turns the positions of a syntax tree's nodes into byte offsets of their source."""

    def __init__(self, source: str) -> None:
        self._data = source.encode()
        self._lines = [0]
        for line in self._data.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def offset(self, line: int, column: int) -> int:
        """Return the byte offset of a position (line from 1, column in bytes from 0)."""
        return self._lines[line - 1] + column

    def start(self, node: ast.expr | ast.stmt | ast.arg) -> int:
        """Return where a node begins."""
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.arg) -> int:
        """Return where a node ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.offset(node.end_lineno, node.end_col_offset)

    def find(self, text: str, start: int) -> int:
        """Return the offset of `text` at or after `start`; it must be there."""
        return self._data.index(text.encode(), start)


def apply(source: str, edits: Iterable[Edit]) -> str:
    """Return the source with all edits made. They must not overlap."""
    data = source.encode()
    for edit in sorted(set(edits), reverse=True):
        data = data[: edit.start] + edit.text.encode() + data[edit.end :]
    return data.decode()


def comments(source: str) -> Iterator[tuple[int, int, str]]:
    """Yield every comment as (start, end, text) in byte offsets."""
    places = Places(source)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            before = len(token.line[: token.start[1]].encode())
            start = places.offset(token.start[0], before)
            yield start, start + len(token.string.encode()), token.string


def without_annotations(source: str) -> str:
    """Return a program without type annotations and type-checker comments: what a prompt shows."""
    tree, places = ast.parse(source), Places(source)
    edits = [Edit(s, e, "") for s, e, text in comments(source) if text.startswith("# type:")]
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            edits.append(Edit(places.start(node) + len(node.arg.encode()), places.end(node), ""))
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            colon = places.find(":", places.end(node.returns))
            arrow = places.find(")", _last_argument_end(node, places)) + 1
            edits.append(Edit(arrow, colon, ""))
        elif isinstance(node, ast.AnnAssign):
            edits.append(Edit(places.end(node.target), places.end(node.annotation), ""))
    return "\n".join(line.rstrip() for line in apply(source, edits).splitlines()) + "\n"


def _last_argument_end(node: ast.FunctionDef, places: Places) -> int:
    everything = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return max((places.end(a) for a in everything), default=places.start(node))
