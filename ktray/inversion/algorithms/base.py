"""What an algorithm is: two reference programs, the kind of its code, and what may be said about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ktray.errors import PipelineError
from ktray.inversion.kinds import Kind, Value, conforms
from ktray.inversion.programs import ReferenceProgram, reference_program


@dataclass(frozen=True, slots=True)
class Coded:
    """A text's code and the side information its decoder needs (None where it needs none)."""

    code: Value
    side: Value


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A compression algorithm.

    `encoder` takes the text and returns the code, or (code, side) where `has_side`; `decoder` takes the
    same. `aliases` are the words that blinding hides. `stated_length` gives, without decoding, how many
    characters a code claims to decode to, for codes whose numbers could claim billions. `lossless` is
    False for compatibility forms, whose decoding may fail. `published_as` is the name that published data
    files give the algorithm, where it is not its own.
    """

    name: str
    title: str
    aliases: tuple[str, ...]
    kind: Kind
    encoder: ReferenceProgram
    decoder: ReferenceProgram
    has_side: bool = False
    lossless: bool = True
    stated_length: Callable[[Value], int] | None = None
    published_as: str = ""

    def encode(self, text: str) -> Coded:
        """Return the code and side information of a text."""
        result = self.encoder(text)
        return Coded(*result) if self.has_side else Coded(result, None)

    def decode(self, code: Value, side: Value = None) -> str:
        """Return the text of a code. Raises ValueError, KeyError or the like where it is none."""
        return str(self.decoder(*self.decoder_arguments(code, side)))

    def decoder_arguments(self, code: Value, side: Value) -> tuple[Any, ...]:
        """Return what the decoder is called with."""
        return (code, side) if self.has_side else (code,)

    def verified(self, text: str) -> Coded:
        """Return `encode(text)` after checking that it decodes back and has the declared kind.

        Raises PipelineError where it does not: a build must not go on with a wrong reference.
        """
        coded = self.encode(text)
        if not conforms(self.kind, coded.code):
            raise PipelineError(f"{self.name}: the code of {text[:40]!r} is not of kind {self.kind}")
        if self.lossless and self.decode(coded.code, coded.side) != text:
            raise PipelineError(f"{self.name}: decoding does not give back {text[:40]!r}")
        return coded


def make(
    name: str,
    title: str,
    aliases: tuple[str, ...],
    kind: Kind,
    encoder: Callable[..., Any],
    decoder: Callable[..., Any],
    **more: Any,
) -> Algorithm:
    """Return an algorithm from two plain functions."""
    return Algorithm(
        name, title, aliases, kind, reference_program(encoder), reference_program(decoder), **more
    )
