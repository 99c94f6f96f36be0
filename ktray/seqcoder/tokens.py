"""The vocabulary of our models, as ids and as a transformers fast tokenizer: one token a word.

A prompt is `[1 2 3]`: a bracket, the values (a sketch's with their hints), a bracket. So element i of a
sequence is at position i + 1, whatever its length: what a sketch points at can be read off the position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ktray.dsl.program import DslProgram
from ktray.errors import ProgramError
from ktray.proposers.prompting import load_template
from ktray.seqcoder.forms import Form
from ktray.seqcoder.hints import hints
from ktray.sequences import Values

PAD, END, UNKNOWN, OPEN, CLOSE = "<pad>", "<end>", "<unknown>", "[", "]"
SPECIAL = (PAD, END, UNKNOWN)
Ids = NDArray[np.int64]


class Speller(Protocol):
    """What turns sequences and programs into tokens, and replies into text."""

    @property
    def pad(self) -> int: ...
    @property
    def end(self) -> int: ...
    def prompt(self, values: Values) -> Ids: ...
    def reply(self, form: Form, program: DslProgram) -> Ids: ...
    def text(self, ids: Sequence[int]) -> str: ...


@dataclass(frozen=True)
class Vocabulary:
    """The words of a form for models with so long a context; a word's id is its position."""

    words: tuple[str, ...]
    integers: int
    hinted: bool

    @classmethod
    def of(cls, form: Form, context: int) -> Vocabulary:
        """Return the vocabulary of a form."""
        integers = form.integers()
        numbers = map(str, range(integers))
        hinted = (f"{value}{letters}" for letters in form.elements()[1:] for value in range(256))
        words = (*SPECIAL, OPEN, CLOSE, *numbers, *hinted, *form.vocabulary(context))
        return cls(words, integers, len(form.elements()) > 1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {word: i for i, word in enumerate(self.words)})

    def __len__(self) -> int:
        return len(self.words)

    @property
    def pad(self) -> int:
        """The id of padding."""
        return 0

    @property
    def end(self) -> int:
        """The id that ends a reply."""
        return 1

    @property
    def first_value(self) -> int:
        """The id of the value 0; other values follow it."""
        return self.id_of("0")

    def id_of(self, word: str) -> int:
        """Return a word's id. Raises ProgramError for a word that is none."""
        found: int | None = self._ids.get(word)  # type: ignore[attr-defined]
        if found is None:
            raise ProgramError(f"{word[:40]!r} is not a word of the model's vocabulary")
        return found

    def prompt(self, values: Values) -> Ids:
        """Return the ids of a prompt, shape (len(values) + 2,)."""
        middle = np.asarray(values, np.int64) + self.first_value
        if self.hinted:
            middle += 256 * hints(values)
        return np.concatenate(([self.id_of(OPEN)], middle, [self.id_of(CLOSE)]))

    def reply(self, form: Form, program: DslProgram) -> Ids:
        """Return the ids of a program in a form, and the end. Raises ProgramError for an unknown word."""
        return np.array([*map(self.id_of, form.words(program)), self.end], np.int64)

    def text(self, ids: Sequence[int]) -> str:
        """Return the words of a reply up to its end, joined by spaces."""
        ids = list(ids)
        return " ".join(self.words[i] for i in ids[: ids.index(self.end) if self.end in ids else len(ids)])


def fast_tokenizer(vocabulary: Vocabulary, context: int) -> Any:
    """Return the vocabulary as a transformers fast tokenizer; vLLM loads its folder."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    ids = {word: i for i, word in enumerate(vocabulary.words)}
    raw = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    nothing = r"[ \t,]+" if "," not in ids else r"[ \t]+"
    separators = r"[\[\](),=#\n]"
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(nothing), "removed"),
            pre_tokenizers.Split(Regex(separators), "isolated"),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


@dataclass(frozen=True)
class TextSpeller:
    """The words of an ordinary model: its own tokenizer, on the prompt that its form is sampled with."""

    tokenizer: Any

    @property
    def pad(self) -> int:
        """The id of padding; the end's where there is none."""
        return self.end if self.tokenizer.pad_token_id is None else int(self.tokenizer.pad_token_id)

    @property
    def end(self) -> int:
        """The id that ends a reply."""
        return int(self.tokenizer.eos_token_id)

    def prompt(self, values: Values) -> Ids:
        """Return the ids of the `dsl` prompt, through the chat template where there is one."""
        system, user = load_template("dsl").fill(values)
        if self.tokenizer.chat_template:
            messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
            text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
            return np.array(self.tokenizer(text, add_special_tokens=False)["input_ids"], np.int64)
        return np.array(self.tokenizer(f"{system}\n\n{user}")["input_ids"], np.int64)

    def reply(self, form: Form, program: DslProgram) -> Ids:
        """Return the ids of a program's text and of the end."""
        text = "\n" + form.text(program)
        return np.array([*self.tokenizer(text, add_special_tokens=False)["input_ids"], self.end], np.int64)

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of a reply."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))


def save_tokenizer(vocabulary: Vocabulary, context: int, folder: Path) -> None:
    """Write the fast tokenizer's files to `folder`."""
    fast_tokenizer(vocabulary, context).save_pretrained(folder)
