"""Tokenizers and chat templates of named models, for counting and rendering. The one place that imports
transformers, and only when a model is named; `bytes` counts UTF-8 bytes and needs none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ktray.inversion.kinds import InversionError
from ktray.inversion.tasks import Message


class TokenCounter(Protocol):
    """Counts the tokens of a text."""

    @property
    def name(self) -> str: ...

    def count(self, text: str) -> int: ...


class ChatTemplate(Protocol):
    """Renders a conversation as the text a model is fed."""

    def render(self, messages: Sequence[Message]) -> str: ...


@dataclass(frozen=True)
class ByteCounter:
    """Counts UTF-8 bytes: an upper bound for most tokenizers."""

    name: str = "bytes"

    def count(self, text: str) -> int:
        """Return the number of bytes of a text."""
        return len(text.encode("utf-8", "surrogatepass"))


class ModelTokenizer:
    """A model's own tokenizer, from a local folder or the hub's cache (offline works)."""

    def __init__(self, name: str) -> None:
        try:
            from transformers import AutoTokenizer
        except ImportError:
            raise InversionError(
                f"tokenizer {name}: transformers is not installed; install ktray[cpu]"
            ) from None
        if len(Path(name).parts) > 2 and not Path(name).is_dir():
            raise InversionError(f"tokenizer {name}: no such folder; give a model folder or a hub name")
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name, local_files_only=Path(name).is_dir())
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0][:120]
            raise InversionError(f"tokenizer {name}: {reason}; give a model folder or a hub name") from None
        self.name = Path(name).name

    def count(self, text: str) -> int:
        """Return the number of tokens of a text, without special tokens."""
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def render(self, messages: Sequence[Message]) -> str:
        """Return a conversation in the model's chat template. Raises InversionError where it has none."""
        if not self._tokenizer.chat_template:
            raise InversionError(f"tokenizer {self.name} has no chat template; name an instruct model")
        turns = [{"role": m.role, "content": m.content} for m in messages]
        return str(self._tokenizer.apply_chat_template(turns, tokenize=False))


def token_counter(name: str) -> TokenCounter:
    """Return the counter of that name: `bytes`, or a model's folder or hub name."""
    return ByteCounter() if name == "bytes" else ModelTokenizer(name)
