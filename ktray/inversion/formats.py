"""Output formats of the ablation: how a code is written in prompts and answers, with printer and parser.

Invariant: parse(kind, print(kind, code)) == code for every code the format supports. `list` is the
JSON value itself; every other format writes the code's flat list of numbers as one string.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

from ktray.config import nearest
from ktray.inversion.kinds import InversionError, Kind, Value, conforms, from_numbers, numbers

#: A number with more digits than this is never parsed (Python's own limit is 4300, for its quadratic cost).
MAX_DIGITS = 40_000
#: Bytes that one number takes in formats of fixed width.
WIDTHS = {Kind.BYTES: 1, Kind.INTS: 2, Kind.PAIRS: 3, Kind.TRIPLES: 3, Kind.TEXT: 3}
_CHUNK = 4000


class FormatError(InversionError):
    """A string that is not in the format it should be in, or a code that the format cannot hold."""


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


def _decimal(text: str) -> int:
    """Parse a non-negative decimal of at most MAX_DIGITS digits, whatever its length in linear pieces."""
    if len(text) > MAX_DIGITS or not re.fullmatch(r"[0-9]+", text):
        raise FormatError(f"{text[:20]!r} is not a number of at most {MAX_DIGITS} digits")
    number = 0
    for start in range(0, len(text), _CHUNK):
        piece = text[start : start + _CHUNK]
        number = number * 10 ** len(piece) + int(piece)
    return number


def _decimal_text(number: int) -> str:
    """Print a non-negative number of any size; `str` refuses above 4300 digits."""
    pieces = []
    while number >= 10**_CHUNK:
        number, low = divmod(number, 10**_CHUNK)
        pieces.append(str(low).zfill(_CHUNK))
    return "".join([str(number), *reversed(pieces)])


def _split(text: str, separator: str | None) -> list[str]:
    return text.split(separator) if text else []


def _joined(separator: str, digits: Callable[[int], str]) -> Callable[[Kind, Value], str]:
    return lambda kind, code: separator.join(digits(n) for n in _whole(kind, code))


def _separated(separator: str | None, base: str) -> Callable[[Kind, str], Value]:
    alphabet, radix = {"d": ("0-9", 10), "x": ("0-9a-fA-F", 16), "b": ("01", 2)}[base]
    word = re.compile(rf"[{alphabet}]{{1,4000}}")

    def read_numbers(kind: Kind, text: str) -> Value:
        words = [w.strip() for w in _split(text, separator)]
        for each in words:
            if not word.fullmatch(each):
                raise FormatError(f"saw {each[:20]!r} where a number was expected")
        return from_numbers(kind, [int(w, radix) for w in words])

    return read_numbers


def _whole(kind: Kind, code: Value) -> list[int]:
    """Return a code's numbers; none may be negative."""
    flat = numbers(kind, code)
    if any(n < 0 for n in flat):
        raise FormatError("a negative number; every format but list holds whole numbers from 0")
    return flat


def _pack(kind: Kind, code: Value) -> tuple[str, bytes]:
    """Return a code's bytes, and for bit strings the prefix with their length."""
    if kind is Kind.BITS:
        count = len(numbers(kind, code))
        padded = code + "0" * (-count % 8)
        return f"{count}:", bytes(int(padded[i : i + 8], 2) for i in range(0, len(padded), 8))
    width = WIDTHS[kind]
    try:
        return "", b"".join(n.to_bytes(width, "big") for n in _whole(kind, code))
    except OverflowError:
        raise FormatError(f"a number above {256**width - 1}, which {width} bytes cannot hold") from None


def _unpack(kind: Kind, data: bytes, count: int | None) -> Value:
    """Return the code of bytes; `count` is the length that a bit string's prefix gave."""
    if kind is Kind.BITS:
        bits = "".join(format(byte, "08b") for byte in data)
        if count is None or not 0 <= len(bits) - count < 8 or "1" in bits[count:]:
            raise FormatError("the bits and the length before the colon do not agree")
        return bits[:count]
    width = WIDTHS[kind]
    if len(data) % width:
        raise FormatError(f"{len(data)} bytes are not whole numbers of {width} bytes")
    return from_numbers(
        kind, [int.from_bytes(data[i : i + width], "big") for i in range(0, len(data), width)]
    )


def _prefixed(kind: Kind, text: str) -> tuple[int | None, str]:
    if kind is not Kind.BITS:
        return None, text
    count, colon, rest = text.partition(":")
    if not colon:
        raise FormatError("no length and colon before the bits")
    return _decimal(count), rest


def _write_base64(kind: Kind, code: Value) -> str:
    prefix, data = _pack(kind, code)
    return prefix + base64.b64encode(data).decode()


def _read_base64(kind: Kind, text: str) -> Value:
    count, rest = _prefixed(kind, text)
    try:
        return _unpack(kind, base64.b64decode(rest, validate=True), count)
    except binascii.Error as error:
        raise FormatError(str(error)) from None


def _write_hex(kind: Kind, code: Value) -> str:
    prefix, data = _pack(kind, code)
    return prefix + data.hex()


def _read_hex(kind: Kind, text: str) -> Value:
    count, rest = _prefixed(kind, text)
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})*", rest):
        raise FormatError("not pairs of hexadecimal digits")
    return _unpack(kind, bytes.fromhex(rest), count)


def _write_binary(kind: Kind, code: Value) -> str:
    if kind is Kind.BITS:
        numbers(kind, code)
        return str(code)
    return _joined(" ", lambda n: format(n, "b"))(kind, code)


def _read_binary(kind: Kind, text: str) -> Value:
    if kind is Kind.BITS:
        numbers(kind, text)
        return text
    return _separated(None, "b")(kind, text)


def _write_compact(kind: Kind, code: Value) -> str:
    return "[" + _joined(",", str)(kind, code) + "]"


def _read_compact(kind: Kind, text: str) -> Value:
    if not (text.startswith("[") and text.endswith("]") and len(text) >= 2):
        raise FormatError("no square brackets around the numbers")
    return _separated(",", "d")(kind, text[1:-1].strip())


def _write_spaced(kind: Kind, code: Value) -> str:
    return " ".join(_write_compact(kind, code))


def _read_spaced(kind: Kind, text: str) -> Value:
    if not re.fullmatch(r"\S(?: \S)*", text):
        raise FormatError("the characters are not each separated by one space")
    return _read_compact(kind, text[::2])


def _write_fraction(kind: Kind, code: Value) -> str:
    """Write 0.d1 d2 d3 ... as a fraction whose denominator tells how many digits there are."""
    if kind is Kind.FLOAT:
        top, bottom = code.as_integer_ratio()
        return f"{top}/{bottom}"
    if kind is Kind.BITS:
        count = len(numbers(kind, code))
        return f"{_decimal_text(int(code or '0', 2))}/{_decimal_text(1 << count)}"
    _, data = _pack(kind, code)
    return f"{_decimal_text(int.from_bytes(data, 'big'))}/{_decimal_text(1 << 8 * len(data))}"


def _read_fraction(kind: Kind, text: str) -> Value:
    top, _, bottom = (part.strip() for part in text.partition("/"))
    above, below = _decimal(top), _decimal(bottom)
    if below < 1:
        raise FormatError("a fraction over zero")
    if kind is Kind.FLOAT:
        return _nearest_float(above, below)
    count = below.bit_length() - 1
    if below != 1 << count or above >= below:
        raise FormatError("expected p/q with q a power of two and p below q")
    if kind is Kind.BITS:
        return format(above, "b").zfill(count) if count else ""
    if count % 8:
        raise FormatError("the denominator is no power of 256")
    return _unpack(kind, above.to_bytes(count // 8, "big"), None)


def _nearest_float(above: int, below: int) -> float:
    try:
        return above / below
    except OverflowError:
        raise FormatError("a fraction beyond every float") from None


_IN_BRACKETS = (
    "Write the code as a string: its numbers in decimal within square brackets, separated by commas, "
)

_FORMATS = {
    f.name: f
    for f in (
        Format(
            "base64",
            "Write the code as a string: the base64 form of its numbers, WIDTH.",
            _write_base64,
            _read_base64,
        ),
        Format(
            "hex",
            "Write the code as a string: its numbers in hexadecimal without gaps, WIDTH.",
            _write_hex,
            _read_hex,
        ),
        Format(
            "spaced_decimal",
            "Write the code as a string: its numbers in decimal, separated by spaces.",
            _joined(" ", str),
            _separated(None, "d"),
        ),
        Format(
            "char_hex",
            "Write the code as a string: each of its numbers in hexadecimal, separated by spaces.",
            _joined(" ", lambda n: format(n, "x")),
            _separated(None, "x"),
        ),
        Format(
            "binary",
            "Write the code as a string: each of its numbers in binary, separated by spaces (bits as is).",
            _write_binary,
            _read_binary,
        ),
        Format(
            "csv",
            "Write the code as a string: its numbers in decimal, separated by commas.",
            _joined(",", str),
            _separated(",", "d"),
        ),
        Format(
            "spaced",
            _IN_BRACKETS + "with one space between every two characters, digits too.",
            _write_spaced,
            _read_spaced,
        ),
        Format("compact", _IN_BRACKETS + "without spaces.", _write_compact, _read_compact),
        Format(
            "fraction",
            "Write the code as a string: p/q in decimal, where the numbers' bytes, WIDTH, are the digits of "
            "0.d1d2d3... = p/q in base 256, and q is the power of 256 that tells how many digits there are.",
            _write_fraction,
            _read_fraction,
        ),
    )
}
