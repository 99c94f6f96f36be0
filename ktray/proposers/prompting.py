"""Prompts: templates as data files, filled with a sequence. A line `---` ends the system text.

Placeholders are {sequence}, {length}, {operations} and, when refining, {program}, {outcome}, {prefix},
{output}; `#SEQ#` is understood as {sequence}, so that a published prompt can be used as it stands.
"""

from __future__ import annotations

import hashlib
import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ktray.config import nearest
from ktray.dsl.ops import OPERATIONS, Dialect
from ktray.errors import ConfigError
from ktray.programs import Language
from ktray.sequences import Values

_FOLDER = importlib.resources.files("ktray.proposers") / "prompts"
_SEPARATOR = "\n---\n"


@dataclass(frozen=True, slots=True)
class _Shipped:
    """The language of the programs that a shipped template asks for, and what ends a reply."""

    language: Language
    stop: tuple[str, ...] = ("###",)
    form: str = ""


#: The templates that ship, by name. A chain of thought may hold headings, so nothing cuts it.
_SHIPPED: Mapping[str, _Shipped] = {
    "python": _Shipped(Language.PYTHON),
    "python_cot": _Shipped(Language.PYTHON, ()),
    "dsl": _Shipped(Language.DSL),
    "dsl_few_shot": _Shipped(Language.DSL),
    "sketch": _Shipped(Language.DSL, (), "sketch"),
    "program": _Shipped(Language.DSL, (), "program"),
    "feedback": _Shipped(Language.DSL, (), "feedback"),
    "refine": _Shipped(Language.PYTHON),
    "refine_dsl": _Shipped(Language.DSL),
}
PROMPTS = tuple(_SHIPPED)

#: The shipped template that repairs programs of a language.
REFINING: Mapping[Language, str] = {Language.PYTHON: "refine", Language.DSL: "refine_dsl"}


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt's system and user text with placeholders, the language it asks for, and what ends a reply.

    `form` is how a model of our own writes programs (`ktray.seqcoder.forms`); empty where replies hold text.
    """

    system: str
    user: str
    language: Language | None
    stop: tuple[str, ...] = ()
    form: str = ""

    @property
    def hash(self) -> str:
        """Return 8 hex digits that tell templates apart."""
        form = f"\0{self.form}" if self.form else ""
        return hashlib.blake2b(f"{self.system}\0{self.user}{form}".encode(), digest_size=4).hexdigest()

    def fill(self, values: Values, **extra: object) -> tuple[str, str]:
        """Return (system, user) for a sequence; only known placeholders are replaced, braces may stand."""
        fields = {
            "sequence": _listed(values),
            "length": len(values),
            "operations": operations_table(),
            **extra,
        }
        return _fill(self.system, fields), _fill(self.user, fields)


def load_template(name: str, file: Path | None = None, language: Language | None = None) -> Template:
    """Return the template of that name, or the one in `file`. Raises ConfigError."""
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"prompt file {file}: {error}; expected a readable text file") from None
        if "{sequence}" not in text and "#SEQ#" not in text:
            raise ConfigError(
                f"prompt file {file} has neither {{sequence}} nor #SEQ#; put one where the sequence goes"
            )
        return _template(text, language)
    if name not in _SHIPPED:
        raise ConfigError(f"unknown prompt {name!r}{nearest(name, PROMPTS)}")
    shipped = _SHIPPED[name]
    text = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    template = _template(text, language or shipped.language, shipped.stop)
    return replace(template, form=shipped.form)


def _template(text: str, language: Language | None, stop: tuple[str, ...] = ()) -> Template:
    system, found, user = text.partition(_SEPARATOR)
    if not found:
        system, user = "", text
    return Template(system.strip(), user.rstrip("\n"), language, stop)


def _fill(text: str, fields: Mapping[str, object]) -> str:
    text = text.replace("#SEQ#", "{sequence}")
    parts = text.split("{")
    filled = [parts[0]]
    for part in parts[1:]:
        name, closed, rest = part.partition("}")
        filled.append(f"{fields[name]}{rest}" if closed and name in fields else "{" + part)
    return "".join(filled)


def _listed(values: Values) -> str:
    return "[" + ", ".join(map(str, values.tolist())) + "]"


def operations_table() -> str:
    """Return one line an operation: its call and what it gives."""
    return "\n".join(
        f"- {operation.name}({', '.join(param.value for param in operation.params)}): {operation.doc}"
        for operation in OPERATIONS
        if operation.dialect is Dialect.DSL
    )
