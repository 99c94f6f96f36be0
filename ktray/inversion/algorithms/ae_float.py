"""Arithmetic coding as published: the middle of the interval, rounded to a float. A compatibility form:
most floats hold too few bits to decode, which the scores of this form inherit.

Its programs are those of `ae` with another last step (encoder) and another first one (decoder).
"""

from __future__ import annotations

from dataclasses import replace

from ktray.inversion.algorithms.ae import ALGORITHM as EXACT
from ktray.inversion.kinds import Kind
from ktray.inversion.programs import edited

_SHORTEST_BITS = """\
    length = (scale // width).bit_length() - 1
    number = -((-low << length) // scale)
    while (number + 1) * scale > (low + width) << length:
        length += 1
        number = -((-low << length) // scale)
    bits = format(number, "b").zfill(length) if length else ""
    return bits, counts
"""
_MIDDLE = "    return (2 * low + width) / (2 * scale), counts\n"

_NUMBER_OF_BITS = """\
    # The bits are the digits of number / whole in base 2.
    number, whole = int("0" + bits, 2), 2 ** len(bits)
"""
_NUMBER_OF_FLOAT = "    number, whole = value.as_integer_ratio()\n"
_CERTAIN = "if (number + 1) * scale > (low + width) * whole:"
_WITHIN = "if number * scale >= (low + width) * whole:"

ALGORITHM = replace(
    EXACT,
    name="ae_float",
    kind=Kind.FLOAT,
    encoder=edited(EXACT.encoder, {_SHORTEST_BITS: _MIDDLE}),
    decoder=edited(
        EXACT.decoder,
        {"(bits, counts)": "(value, counts)", _NUMBER_OF_BITS: _NUMBER_OF_FLOAT, _CERTAIN: _WITHIN},
        ("value", "counts"),
    ),
    lossless=False,
    published_as="ae",
)
