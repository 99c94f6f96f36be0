"""Forms: the languages in which a model of ours writes programs, each as words that are one token each.

`sketch` leaves numbers out (see `sketch`), `program` is the DSL itself, `feedback` the DSL with each line's
list as a comment. A form reads back what it wrote: `program_text(words joined by spaces)` is that program.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ktray.config import nearest
from ktray.dsl.feedback import feedback_text
from ktray.dsl.ops import BY_NAME, PREDICATE_BY_NAME, Dialect
from ktray.dsl.parser import parse
from ktray.dsl.printer import to_text
from ktray.dsl.program import DslProgram
from ktray.errors import ConfigError
from ktray.seqcoder.hints import HINTS, hints
from ktray.seqcoder.sketch import DERIVERS, INITIATORS, MERGES, fill, parse_sketch, sketch_of
from ktray.sequences import Values

_WORD = re.compile(r"\n|[\[\](),=#]|-?\w+")
#: Punctuation of the DSL; a newline ends a line.
PUNCTUATION = ("\n", "=", "(", ")", ",", "#")


class Form(Protocol):
    """A way to write programs; `context` below is the longest prompt and reply, in tokens."""

    @property
    def name(self) -> str: ...

    def vocabulary(self, context: int) -> list[str]:
        """Return the words beside values, brackets and special tokens."""

    def integers(self) -> int:
        """Return how many integers, from 0, are words."""

    def elements(self) -> tuple[str, ...]:
        """Return the letters that the words of a prompt's elements may end in, "" first (see `hints`)."""

    def prompt(self, values: Values) -> str:
        """Return the text that a model is asked with."""

    def text(self, program: DslProgram) -> str:
        """Return a program's text. Raises ProgramError where the form cannot tell it."""

    def words(self, program: DslProgram) -> list[str]:
        """Return the words of the text, one token each. Raises as `text`."""

    def program_text(self, reply: str, values: Sequence[int]) -> str:
        """Return the DSL text of a reply about `values`. Raises ProgramError where it is none."""


@dataclass(frozen=True, slots=True)
class SketchForm:
    """Sketches; elements are `@0`, `@1`, ... up to the context."""

    name: str = "sketch"

    def vocabulary(self, context: int) -> list[str]:
        operations = [*INITIATORS, *DERIVERS, *MERGES, *PREDICATE_BY_NAME]
        return [*operations, *(f"@{i}" for i in range(context))]

    def integers(self) -> int:
        return 256

    def elements(self) -> tuple[str, ...]:
        return HINTS

    def prompt(self, values: Values) -> str:
        pairs = zip(values.tolist(), hints(values).tolist(), strict=True)
        return "[" + " ".join(f"{value}{HINTS[hint]}" for value, hint in pairs) + "]"

    def text(self, program: DslProgram) -> str:
        return sketch_of(program).text()

    def words(self, program: DslProgram) -> list[str]:
        return sketch_of(program).words()

    def program_text(self, reply: str, values: Sequence[int]) -> str:
        return to_text(fill(parse_sketch(reply), values))


@dataclass(frozen=True, slots=True)
class ProgramForm:
    """The DSL, a word a token; with `feedback`, each line tells its list as a comment."""

    name: str = "program"
    feedback: bool = False

    def vocabulary(self, context: int) -> list[str]:
        operations = [name for name, op in BY_NAME.items() if op.dialect is Dialect.DSL]
        names = [f"sequence_{i}" for i in range(1, 97)]
        return [*PUNCTUATION, *operations, *PREDICATE_BY_NAME, "output", *names]

    def integers(self) -> int:
        return 1024

    def elements(self) -> tuple[str, ...]:
        return ("",)

    def prompt(self, values: Values) -> str:
        return "[" + " ".join(map(str, values.tolist())) + "]"

    def text(self, program: DslProgram) -> str:
        return feedback_text(program) if self.feedback else to_text(program)

    def words(self, program: DslProgram) -> list[str]:
        return _WORD.findall(self.text(program))

    def program_text(self, reply: str, values: Sequence[int]) -> str:
        return to_text(parse(reply))


FORMS: dict[str, Form] = {
    form.name: form for form in (SketchForm(), ProgramForm(), ProgramForm("feedback", feedback=True))
}


def form_called(name: str) -> Form:
    """Return the form of that name, or raise ConfigError with the nearest known one."""
    if name not in FORMS:
        raise ConfigError(f"unknown form {name!r}{nearest(name, list(FORMS))}")
    return FORMS[name]
