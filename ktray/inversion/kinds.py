"""The kinds of value a task asks for: plain JSON values whose structure is checked, never coerced."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from ktray.errors import InputError

T = TypeVar("T", bound=Hashable)
#: A code or a text as JSON has it: a list, a string or a float.
Value = Any


class InversionError(InputError):
    """What the benchmark was asked or given is wrong: a name, a data line, a template, a reply file."""


class Kind(StrEnum):
    """The structure of a value."""

    TEXT = "text"
    INTS = "ints"
    BYTES = "bytes"
    PAIRS = "pairs"
    TRIPLES = "triples"
    BITS = "bits"
    FLOAT = "float"


#: How a prompt names the type of its answer.
DESCRIPTIONS = {
    Kind.TEXT: "a string",
    Kind.INTS: "a list of integers",
    Kind.BYTES: "a list of integers from 0 to 255",
    Kind.PAIRS: "a list of [character, count] pairs",
    Kind.TRIPLES: "a list of [offset, length, character] triples",
    Kind.BITS: "a string of the characters 0 and 1",
    Kind.FLOAT: "a floating-point number",
}

_SHAPES: dict[Kind, tuple[type, ...]] = {Kind.PAIRS: (str, int), Kind.TRIPLES: (int, int, str)}


def conforms(kind: Kind, value: Value) -> bool:
    """Return whether a value has the structure of `kind`; its numbers may still be absurd.

    bool is not int and int is not float here: an answer has the type that was asked for or it has not.
    """
    if kind in (Kind.TEXT, Kind.BITS):
        return type(value) is str
    if kind is Kind.FLOAT:
        return type(value) is float
    if type(value) is not list:
        return False
    if kind in (Kind.INTS, Kind.BYTES):
        return all(type(x) is int for x in value)
    shape = _SHAPES[kind]
    return all(
        type(row) is list
        and len(row) == len(shape)
        and all(type(x) is t for x, t in zip(row, shape, strict=True))
        for row in value
    )


def elements(kind: Kind, value: Value) -> list[Hashable]:
    """Return a conforming value as the sequence that edit distance and common prefix are counted on:
    code points, bits, numbers, or whole pairs and triples; a float is one element."""
    if kind is Kind.FLOAT:
        return [value]
    return [tuple(x) if isinstance(x, list) else x for x in value]


def numbers(kind: Kind, value: Value) -> list[int]:
    """Return a value as a flat list of non-negative integers (characters as code points).

    Raises InversionError where a character field is not one character, or a bit is neither 0 nor 1.
    """
    try:
        if kind is Kind.BITS:
            return [int(x) for x in _only(value, {"0", "1"})]
        if kind is Kind.TEXT:
            return [ord(x) for x in value]
        if kind is Kind.PAIRS:
            return [n for char, count in value for n in (ord(char), count)]
        if kind is Kind.TRIPLES:
            return [n for offset, length, char in value for n in (offset, length, ord(char))]
    except (TypeError, ValueError):
        raise InversionError(f"{str(value)[:60]!r} is not {DESCRIPTIONS[kind]}") from None
    if kind is Kind.FLOAT:
        raise InversionError("a float has no list form; use the formats list or fraction")
    return list(value)


def from_numbers(kind: Kind, flat: list[int]) -> Value:
    """Return the value that `numbers` flattened. Raises InversionError where it cannot be one."""
    try:
        if kind is Kind.BITS:
            return "".join(map(str, _only(flat, {0, 1})))
        if kind is Kind.TEXT:
            return "".join(map(chr, flat))
        if kind is Kind.PAIRS:
            return [[chr(c), n] for c, n in zip(flat[::2], flat[1::2], strict=True)]
        if kind is Kind.TRIPLES:
            return [[o, n, chr(c)] for o, n, c in zip(flat[::3], flat[1::3], flat[2::3], strict=True)]
    except (ValueError, OverflowError):
        raise InversionError(f"{len(flat)} numbers are not {DESCRIPTIONS[kind]}") from None
    return list(flat)


def _only(values: Sequence[T], allowed: set[T]) -> Sequence[T]:
    if not set(values) <= allowed:
        raise ValueError(values[:20])
    return values
