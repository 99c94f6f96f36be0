"""Prompt templates: text files with {{field}} marks. Any folder of same-named files can replace ours.

What is filled in is never expanded again, so an input may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ktray.config import nearest
from ktray.inversion.kinds import InversionError

_FIELD = re.compile(r"\{\{\s*([A-Za-z_]+)\s*\}\}")

#: Every template, with the fields it must use; it may use any other field that its place fills.
REQUIRED: dict[str, tuple[str, ...]] = {
    "forward": ("program", "text_given", "answer_format"),
    "inverse": ("program", "code_given", "answer_format"),
    "forward_given_decoder": ("program", "text_given", "answer_format"),
    "inverse_given_encoder": ("program", "code_given", "answer_format"),
    "answer_format": ("answer_type",),
    "examples": ("solved",),
    "example": ("given", "answer"),
    "reflect": (),
    "translate": ("trace", "answer"),
}


@dataclass(frozen=True, slots=True)
class Templates:
    """All templates by name."""

    texts: Mapping[str, str]

    def render(self, name: str, fields: Mapping[str, str]) -> str:
        """Return a template with its fields filled in. Raises InversionError for a field unknown here."""

        def fill(match: re.Match[str]) -> str:
            field = match.group(1)
            if field not in fields:
                raise InversionError(
                    f"template {name}: unknown field {field!r}{nearest(field, list(fields))}"
                )
            return fields[field]

        return _FIELD.sub(fill, self.texts[name]).strip("\n")


def load_templates(folder: Path | None = None) -> Templates:
    """Return our templates, each replaced by `folder`/NAME.txt where that file exists.

    Raises InversionError for a folder without any, an unreadable file, or a missing required field.
    """
    ours = resources.files("ktray.inversion") / "prompts"
    texts = {name: (ours / f"{name}.txt").read_text(encoding="utf-8") for name in REQUIRED}
    if folder is not None:
        texts |= _replacements(folder)
    for name, text in texts.items():
        missing = [f for f in REQUIRED[name] if f not in _FIELD.findall(text)]
        if missing:
            raise InversionError(
                f"template {name}.txt: no {{{{{missing[0]}}}}}; its text must use that field"
            )
    return Templates(texts)


def _replacements(folder: Path) -> dict[str, str]:
    found = {name: folder / f"{name}.txt" for name in REQUIRED if (folder / f"{name}.txt").is_file()}
    if not found:
        raise InversionError(
            f"{folder}: no template; expected files like forward.txt ({', '.join(REQUIRED)})"
        )
    try:
        return {name: path.read_text(encoding="utf-8") for name, path in found.items()}
    except (OSError, UnicodeDecodeError) as error:
        raise InversionError(f"templates in {folder}: {error}; expected readable UTF-8 text") from None
