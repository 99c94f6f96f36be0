"""How a code becomes a string and back: the printers and parsers that `formats` names.

Every parser is bounded: digits are counted before a number is built, and what is malformed raises FormatError.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

from ktray.inversion.kinds import InversionError, Kind, Value, from_numbers, numbers

#: A number with more digits than this is never parsed (Python's own limit is 4300, for its quadratic cost).
MAX_DIGITS = 40_000
#: Bytes that one number takes in formats of fixed width.
WIDTHS = {Kind.BYTES: 1, Kind.INTS: 2, Kind.PAIRS: 3, Kind.TRIPLES: 3, Kind.TEXT: 3}
_CHUNK = 4000


class FormatError(InversionError):
    """A string that is not in the format it should be in, or a code that the format cannot hold."""


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


def joined(separator: str, digits: Callable[[int], str]) -> Callable[[Kind, Value], str]:
    """Return a printer of numbers in decimal or another base, with a separator."""
    return lambda kind, code: separator.join(digits(n) for n in _whole(kind, code))


def separated(separator: str | None, base: str) -> Callable[[Kind, str], Value]:
    """Return the parser of numbers in base "d", "x" or "b" (10, 16, 2); a separator of None is any white space."""
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


def write_base64(kind: Kind, code: Value) -> str:
    """Print a code's bytes in base64, after the length of a bit string."""
    prefix, data = _pack(kind, code)
    return prefix + base64.b64encode(data).decode()


def read_base64(kind: Kind, text: str) -> Value:
    """Parse what `write_base64` prints."""
    count, rest = _prefixed(kind, text)
    try:
        return _unpack(kind, base64.b64decode(rest, validate=True), count)
    except binascii.Error as error:
        raise FormatError(str(error)) from None


def write_hex(kind: Kind, code: Value) -> str:
    """Print a code's bytes in hexadecimal, after the length of a bit string."""
    prefix, data = _pack(kind, code)
    return prefix + data.hex()


def read_hex(kind: Kind, text: str) -> Value:
    """Parse what `write_hex` prints."""
    count, rest = _prefixed(kind, text)
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})*", rest):
        raise FormatError("not pairs of hexadecimal digits")
    return _unpack(kind, bytes.fromhex(rest), count)


def write_binary(kind: Kind, code: Value) -> str:
    """Print numbers in binary; a bit string as it is."""
    if kind is Kind.BITS:
        numbers(kind, code)
        return str(code)
    return joined(" ", lambda n: format(n, "b"))(kind, code)


def read_binary(kind: Kind, text: str) -> Value:
    """Parse what `write_binary` prints."""
    if kind is Kind.BITS:
        numbers(kind, text)
        return text
    return separated(None, "b")(kind, text)


def write_compact(kind: Kind, code: Value) -> str:
    """Print numbers within brackets, without spaces."""
    return "[" + joined(",", str)(kind, code) + "]"


def read_compact(kind: Kind, text: str) -> Value:
    """Parse what `write_compact` prints."""
    if not (text.startswith("[") and text.endswith("]") and len(text) >= 2):
        raise FormatError("no square brackets around the numbers")
    return separated(",", "d")(kind, text[1:-1].strip())


def write_spaced(kind: Kind, code: Value) -> str:
    """Print numbers within brackets, a space between every two characters."""
    return " ".join(write_compact(kind, code))


def read_spaced(kind: Kind, text: str) -> Value:
    """Parse what `write_spaced` prints."""
    if not re.fullmatch(r"\S(?: \S)*", text):
        raise FormatError("the characters are not each separated by one space")
    return read_compact(kind, text[::2])


def write_fraction(kind: Kind, code: Value) -> str:
    """Write 0.d1 d2 d3 ... as a fraction whose denominator tells how many digits there are."""
    if kind is Kind.FLOAT:
        top, bottom = code.as_integer_ratio()
        return f"{top}/{bottom}"
    if kind is Kind.BITS:
        count = len(numbers(kind, code))
        return f"{_decimal_text(int(code or '0', 2))}/{_decimal_text(1 << count)}"
    _, data = _pack(kind, code)
    return f"{_decimal_text(int.from_bytes(data, 'big'))}/{_decimal_text(1 << 8 * len(data))}"


def read_fraction(kind: Kind, text: str) -> Value:
    """Parse what `write_fraction` prints."""
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
