"""Output formats of the ablation: how a code is written in prompts and answers, with printer and parser.

Invariant: parse(kind, print(kind, code)) == code for every code the format supports. `list` is the
JSON value itself; every other format writes the code's flat list of numbers as one string (`notation`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ktray.config import nearest
from ktray.inversion import notation
from ktray.inversion.kinds import InversionError, Kind, Value, conforms
from ktray.inversion.notation import WIDTHS
from ktray.inversion.notation import FormatError as FormatError


class TypeMismatch(InversionError):
    """A value of another type than the one asked for."""


@dataclass(frozen=True, slots=True)
class Format:
    """An output format: its name, what a prompt says of it, and how a code becomes its string and back."""

    name: str
    description: str
    write: Callable[[Kind, Value], str]
    read: Callable[[Kind, str], Value]


def formats() -> tuple[str, ...]:
    """Return the names of all formats, `list` first."""
    return ("list", *_FORMATS)


def describe(name: str, kind: Kind) -> str:
    """Return the sentence a prompt uses for codes of this kind in this format ("" for list)."""
    if _known(name) is None:
        return ""
    if name == "fraction" and kind in (Kind.BITS, Kind.FLOAT):
        return _BIT_FRACTION if kind is Kind.BITS else _FLOAT_FRACTION
    width = f"each as {WIDTHS[kind]} big-endian bytes" if kind in WIDTHS else ""
    if kind is Kind.BITS:
        width = "packed into bytes (zeros at the end) after the number of bits and a colon"
    return _FORMATS[name].description.replace("WIDTH", width) + _flattening(kind)


def supports(name: str, kind: Kind) -> bool:
    """Return whether a format can hold codes of a kind: a float has only list and fraction."""
    _known(name)
    return kind is not Kind.FLOAT or name in ("list", "fraction")


def write(name: str, kind: Kind, code: Value) -> Value:
    """Return a code in a format: the JSON value for list, else a string. Raises FormatError."""
    found = _known(name)
    if not supports(name, kind):
        raise FormatError(f"format {name} cannot hold a float; use list or fraction")
    return code if found is None else found.write(kind, code)


def read(name: str, kind: Kind, value: Value) -> Value:
    """Return the code that a JSON value holds in a format.

    Raises TypeMismatch where its type is not the one asked for, FormatError where the string is malformed.
    """
    found = _known(name)
    if found is None:
        if not conforms(kind, value):
            raise TypeMismatch(f"saw {type(value).__name__}, expected a value of kind {kind}")
        return value
    if type(value) is not str:
        raise TypeMismatch(f"saw {type(value).__name__}, expected a string in the format {name}")
    try:
        return found.read(kind, value.strip())
    except (ValueError, InversionError) as error:
        raise FormatError(f"not in the format {name}: {str(error)[:80]}") from None


def _known(name: str) -> Format | None:
    if name != "list" and name not in _FORMATS:
        raise InversionError(f"unknown format {name!r}{nearest(name, list(formats()))}")
    return _FORMATS.get(name)


_BIT_FRACTION = (
    "Write the code as a string: p/q in decimal, where the bits are the digits of 0.d1d2d3... = p/q in "
    "base 2, and q is the power of 2 that tells how many bits there are."
)
_FLOAT_FRACTION = (
    "Write the code as a string: a fraction p/q of whole numbers in decimal, exactly that value."
)


def _flattening(kind: Kind) -> str:
    if kind is Kind.PAIRS:
        return " The numbers are each pair's character as its code point, then its count, pair after pair."
    if kind is Kind.TRIPLES:
        return " The numbers are each triple's offset, length and character (as its code point), in turn."
    return ""


_IN_BRACKETS = (
    "Write the code as a string: its numbers in decimal within square brackets, separated by commas, "
)

_FORMATS = {
    f.name: f
    for f in (
        Format(
            "base64",
            "Write the code as a string: the base64 form of its numbers, WIDTH.",
            notation.write_base64,
            notation.read_base64,
        ),
        Format(
            "hex",
            "Write the code as a string: its numbers in hexadecimal without gaps, WIDTH.",
            notation.write_hex,
            notation.read_hex,
        ),
        Format(
            "spaced_decimal",
            "Write the code as a string: its numbers in decimal, separated by spaces.",
            notation.joined(" ", str),
            notation.separated(None, "d"),
        ),
        Format(
            "char_hex",
            "Write the code as a string: each of its numbers in hexadecimal, separated by spaces.",
            notation.joined(" ", lambda n: format(n, "x")),
            notation.separated(None, "x"),
        ),
        Format(
            "binary",
            "Write the code as a string: each of its numbers in binary, separated by spaces (bits as is).",
            notation.write_binary,
            notation.read_binary,
        ),
        Format(
            "csv",
            "Write the code as a string: its numbers in decimal, separated by commas.",
            notation.joined(",", str),
            notation.separated(",", "d"),
        ),
        Format(
            "spaced",
            _IN_BRACKETS + "with one space between every two characters, digits too.",
            notation.write_spaced,
            notation.read_spaced,
        ),
        Format("compact", _IN_BRACKETS + "without spaces.", notation.write_compact, notation.read_compact),
        Format(
            "fraction",
            "Write the code as a string: p/q in decimal, where the numbers' bytes, WIDTH, are the digits of "
            "0.d1d2d3... = p/q in base 256, and q is the power of 256 that tells how many digits there are.",
            notation.write_fraction,
            notation.read_fraction,
        ),
    )
}
