"""What the benchmark stands on, measured on given inputs: published outputs, decoding, blinding, formats.

Everything is counted and nothing raises: a check reports how many of n hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import eq

from ktray.inversion import formats
from ktray.inversion.algorithms import Algorithm, algorithm
from ktray.inversion.answers import parse_answer, print_answer
from ktray.inversion.blinding import LEVELS, blind
from ktray.inversion.kinds import Kind, Value, conforms
from ktray.inversion.programs import ReferenceProgram
from ktray.inversion.tasks import Item

#: Floats closer than this are the same published value (the last digit of its decimal form).
FLOAT_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class AlgorithmCheck:
    """One algorithm on n inputs. `published` counts the inputs whose file holds this algorithm's output,
    `reproduced` those outputs that are ours (floats to 1e-12), `largest_difference` how far a float is off.

    `decoded` counts codes that decode to their input, given side; `published_decoded` published outputs that
    do. `blinded` counts, by level, inputs on which the blinded pair does what the original does; `formats`,
    by format, codes that are read back from an answer block that holds them.
    """

    algorithm: str
    n: int
    published: int = 0
    reproduced: int = 0
    largest_difference: float | None = None
    decoded: int = 0
    published_decoded: int = 0
    blinded: dict[int, int] = field(default_factory=dict)
    formats: dict[str, int] = field(default_factory=dict)


def check_algorithm(name: str, items: Sequence[Item]) -> AlgorithmCheck:
    """Return what holds for an algorithm on each of the items."""
    known = algorithm(name)
    coded = [known.encode(i.text) for i in items]
    pairs = [(c, i) for c, i in zip(coded, items, strict=True) if has_published(known, i)]
    gaps = [abs(c.code - i.published) for c, i in pairs] if known.kind is Kind.FLOAT else []
    usable = [f for f in formats.formats() if formats.supports(f, known.kind)]
    return AlgorithmCheck(
        known.name,
        len(items),
        published=len(pairs),
        reproduced=sum(same_code(known.kind, c.code, i.published) for c, i in pairs),
        largest_difference=max(gaps, default=None),
        decoded=sum(_decodes(known, c.code, c.side, i.text) for c, i in zip(coded, items, strict=True)),
        published_decoded=sum(_decodes(known, i.published, c.side, i.text) for c, i in pairs),
        blinded=behaves_alike(known, items),
        formats={f: sum(comes_back(f, known.kind, c.code) for c in coded) for f in usable},
    )


def has_published(known: Algorithm, item: Item) -> bool:
    """Return whether an item's file holds this algorithm's output, in its kind."""
    return item.published_by == (known.published_as or known.name) and conforms(known.kind, item.published)


def same_code(kind: Kind, ours: Value, published: Value) -> bool:
    """Return whether two codes are equal, floats to within the last published digit."""
    return abs(ours - published) <= FLOAT_TOLERANCE if kind is Kind.FLOAT else bool(ours == published)


def behaves_alike(known: Algorithm, items: Sequence[Item]) -> dict[int, int]:
    """Return, by blinding level, on how many items the blinded pair does exactly what the original does."""
    expected = [behaviour(known, (known.encoder, known.decoder), i.text) for i in items]
    counts = {}
    for level in LEVELS[1:]:
        encoder = blind(known.encoder, known.aliases, level, "encode")
        decoder = blind(known.decoder, known.aliases, level, "decode")
        found = (behaviour(known, (encoder, decoder), i.text) for i in items)
        counts[level] = sum(map(eq, found, expected))
    return counts


def behaviour(known: Algorithm, pair: Sequence[ReferenceProgram], text: str) -> tuple[Value, Value]:
    """Return what an encoder gives and what its decoder makes of that, an error by its type."""
    encoder, decoder = pair
    result = encoder(text)
    code, side = result if known.has_side else (result, None)
    try:
        return result, decoder(*known.decoder_arguments(code, side))
    except ValueError as error:
        return result, type(error)


def comes_back(format_name: str, kind: Kind, code: Value) -> bool:
    """Return whether a code is read back from the answer block that holds it in a format."""
    answer = parse_answer(print_answer(code, kind, format_name), kind, format_name)
    return answer.failure is None and bool(answer.value == code)


def _decodes(known: Algorithm, code: Value, side: Value, text: str) -> bool:
    try:
        return known.decode(code, side) == text
    except (ValueError, LookupError):
        return False
