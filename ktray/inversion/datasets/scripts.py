"""Texts beyond ASCII: one script each, and a mixture."""

from __future__ import annotations

from random import Random

from ktray.inversion.datasets.pieces import Category, fill, letters


def _script(first: int, last: int, gaps: bool = True) -> Category:
    """Return words drawn from one block of Unicode."""
    alphabet = "".join(map(chr, range(first, last + 1)))

    def make(rng: Random, length: int) -> str:
        small = "".join(rng.sample(alphabet, min(12, len(alphabet))))
        return fill(rng, length, lambda r: letters(r, small, r.randint(2, 6)), " " if gaps else "")

    return make


def _unicode_mixed(rng: Random, length: int) -> str:
    pieces = [
        "naïve",
        "Ångström",
        "Ωμέγα",
        "дом",
        "数学",
        "かな",
        "🙂🙃",
        "e\u0301te\u0301",
        "ﬁn",
        "שלום",
        "नमस्ते",
    ]
    return fill(rng, length, lambda r: r.choice(pieces), " ")


CATEGORIES: dict[str, Category] = {
    "unicode_greek": _script(0x3B1, 0x3C9),
    "unicode_cyrillic": _script(0x430, 0x44F),
    "unicode_cjk": _script(0x4E00, 0x4FFF, gaps=False),
    "unicode_kana": _script(0x3041, 0x3096, gaps=False),
    "unicode_arabic": _script(0x627, 0x64A),
    "unicode_emoji": _script(0x1F600, 0x1F64F, gaps=False),
    "unicode_mixed": _unicode_mixed,
}
