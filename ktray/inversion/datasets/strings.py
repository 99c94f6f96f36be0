"""Single lines: repetition, symmetry, plain language, and noise."""

from __future__ import annotations

from random import Random

from ktray.inversion.datasets.pieces import UPPER, WORDS, Category, cycle, fill, letters

_ROWS = ("QWERTYUIOP", "ASDFGHJKL", "ZXCVBNM")
_PRINTABLE = "".join(map(chr, range(33, 127)))
_PANGRAMS = (
    "Sphinx of black quartz, judge my vow",
    "Pack my box with five dozen liquor jugs",
    "How vexingly quick daft zebras jump",
    "Bright vixens jump; dozy fowl quack",
)


def _char_repeat(rng: Random, length: int) -> str:
    return rng.choice(UPPER) * max(1, length)


def _alternating(rng: Random, length: int) -> str:
    return cycle("".join(rng.sample(UPPER, rng.randint(2, 6))), length)


def _block_repeat(rng: Random, length: int) -> str:
    return cycle(letters(rng, UPPER, rng.randint(3, 8)), length)


def _nested_repeat(rng: Random, length: int) -> str:
    inner = letters(rng, UPPER, 2) + rng.choice(UPPER) * 2
    return cycle(inner + inner[::-1] + rng.choice(UPPER), length)


def _palindrome(rng: Random, length: int) -> str:
    half = letters(rng, UPPER, (length + 1) // 2)
    return half + half[::-1][length % 2 :]


def _near_palindrome(rng: Random, length: int) -> str:
    text = list(_palindrome(rng, max(2, length)))
    text[rng.randrange(len(text))] = rng.choice(UPPER)
    return "".join(text)


def _pangram(rng: Random, length: int) -> str:
    return fill(rng, length, lambda r: r.choice(_PANGRAMS), " ")


def _keyboard(rng: Random, length: int) -> str:
    row = rng.choice(_ROWS)
    start = rng.randrange(len(row) - 3)
    return cycle(row[start : start + rng.randint(4, 6)], length)


def _pseudo_random(rng: Random, length: int) -> str:
    motif = letters(rng, UPPER + "0123456789", 4)
    return fill(rng, length, lambda r: motif if r.random() < 0.3 else letters(r, UPPER + "0123456789", 3), "")


def _printable_random(rng: Random, length: int) -> str:
    return letters(rng, _PRINTABLE, length)


def _sentence(rng: Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(5, 9))).capitalize() + "."


def _natural_language(rng: Random, length: int) -> str:
    return fill(rng, length, _sentence, " ")


def _natural_language_repeat(rng: Random, length: int) -> str:
    return cycle(_sentence(rng) + " ", length)


CATEGORIES: dict[str, Category] = {
    "string_char_repeat": _char_repeat,
    "string_alternating": _alternating,
    "string_block_repeat": _block_repeat,
    "string_nested_repeat": _nested_repeat,
    "string_palindrome": _palindrome,
    "string_near_palindrome": _near_palindrome,
    "string_pangram": _pangram,
    "string_keyboard": _keyboard,
    "string_pseudo_random": _pseudo_random,
    "string_printable_random": _printable_random,
    "string_natural_language": _natural_language,
    "string_natural_language_repeat": _natural_language_repeat,
}
