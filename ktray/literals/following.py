"""What the general model knows of the text so far: words, lines, brackets; and its contexts made of that."""

from __future__ import annotations

from typing import Any

import numpy as np

from ktray.kernels import njit
from ktray.literals.cells import (
    ABOVE,
    BRACKETS,
    C4,
    C8,
    CLASSES,
    FIRST,
    GAP,
    HISTORY,
    IN_TAG,
    INITIALS,
    LATEST,
    LEFT_OUT,
    LETTERS,
    LINE,
    POS,
    TAG,
    WORD,
    WORD1,
    WORD2,
    WORD3,
    hash2,
)  # fmt: skip
from ktray.literals.fixed import Integer


@njit(cache=True, _nrt=False)
def character_class(byte: Integer) -> Integer:
    """1 letter, 2 digit, 3 space, 4 newline, 5 punctuation, 6 opening, 7 closing, 8 beyond ASCII, 9 other."""
    letter = byte | 32
    if 97 <= letter <= 122:
        return 1
    if 48 <= byte <= 57:
        return 2
    if byte == 32:
        return 3
    if byte == 10:
        return 4
    if byte == 44 or byte == 46 or byte == 59 or byte == 58:
        return 5
    if byte == 91 or byte == 123 or byte == 60 or byte == 40:
        return 6
    if byte == 93 or byte == 125 or byte == 62 or byte == 41:
        return 7
    return 8 if byte >= 128 else 9


@njit(cache=True, _nrt=False)
def _follow_word(scalars: Any, byte: Integer, kind: Integer) -> None:
    """The present word's hash and the last ones', their first letters, and what stands between them."""
    if kind == 1 or kind == 8:
        letter = byte | 32 if kind == 1 else byte
        if scalars[WORD] == 0:
            scalars[INITIALS] = ((scalars[INITIALS] << 8) | letter) & 0xFFFFFFFF
        scalars[WORD] = hash2(scalars[WORD], letter + 1)
        scalars[LETTERS] += 1
        scalars[LATEST] = ((scalars[LATEST] << 5) | (letter & 31)) & 0x3FFFFFFF
    else:
        if scalars[WORD] != 0:
            scalars[WORD3] = scalars[WORD2]
            scalars[WORD2] = scalars[WORD1]
            scalars[WORD1] = scalars[WORD]
            scalars[WORD] = 0
            scalars[LETTERS] = 0
            scalars[GAP] = 0
        scalars[GAP] = hash2(scalars[GAP], byte + 1)


@njit(cache=True, _nrt=False)
def follow_text(scalars: Any, byte: Integer) -> None:
    """Keep track of words, lines, brackets and classes of characters."""
    kind = character_class(byte)
    scalars[CLASSES] = ((scalars[CLASSES] << 4) | kind) & 0xFFFFFFFF
    _follow_word(scalars, byte, kind)
    if kind == 4:
        scalars[ABOVE] = scalars[LINE]
        scalars[LINE] = scalars[POS]
        scalars[FIRST] = 0
        scalars[BRACKETS] = 0
    elif scalars[POS] == scalars[LINE] + 1:
        scalars[FIRST] = byte
    if kind == 6:
        scalars[BRACKETS] = ((scalars[BRACKETS] << 8) | byte) & 0xFFFFFFFF
    elif kind == 7:
        scalars[BRACKETS] >>= 8
    _follow_tag(scalars, byte)


@njit(cache=True, _nrt=False)
def _follow_tag(scalars: Any, byte: Integer) -> None:
    """The name of the tag that was opened or closed last."""
    if byte == 60:
        scalars[TAG] = 0
        scalars[IN_TAG] = 1
    elif byte == 62 or byte == 32:
        scalars[IN_TAG] = 0
    elif scalars[IN_TAG]:
        scalars[TAG] = hash2(scalars[TAG], byte)


#: The contexts in their order; smaller presets have the first ones only.
CONTEXTS = (
    *("order 3", "word and order 1", "order 4", "order 2", "classes and order 1", "order 6", "order 1"),
    *("two words", "followers of 1", "sparse 2-3", "line above", "brackets", "word and word before last"),
    *("word in brackets", "order 3 and classes", "followers of 2", "sparse 3-4", "word and order 2"),
    *("order 5", "order 8", "order 0", "byte expected", "initials", "word and gap", "letters"),
    *("line above twice", "word in tag", "sparse 1 and 3", "halves of 8", "word before, letters"),
    *("column and first", "followers of 3", "word, two and three before", "sparse 2 and 4"),
)
_COMMON = CONTEXTS.index("order 5")


@njit(cache=True, _nrt=False)
def _follow_followers(followers: Any, c4: Integer) -> None:
    """Note the last byte as a follower of the byte, of the two and of the three before it."""
    byte, before = c4 & 255, c4 >> 8
    for at in (65536 + (before & 255), before & 0xFFFF, _after_three(before)):
        followers[at] = ((followers[at] << 8) | byte) & 0xFFFF


@njit(cache=True, _nrt=False)
def _after_three(bytes3: Integer) -> Integer:
    """The cell of the followers of three bytes."""
    return 65536 + 256 + (hash2(bytes3 & 0xFFFFFF, 77) & 0xFFFF)


@njit(cache=True, _nrt=False)
def _above(scalars: Any, history: Any, ahead: Integer) -> Integer:
    """The byte of the line above, `ahead` columns after the present one; 0 where it has none."""
    at = scalars[ABOVE] + min(scalars[POS] - scalars[LINE], 255) + ahead
    return np.int64(history[at & scalars[HISTORY]]) if at < scalars[LINE] else 0


@njit(cache=True, _nrt=False)
def set_contexts(scalars: Any, history: Any, followers: Any, hashes: Any, matches: Any) -> None:
    """The hashes of all contexts at a byte's start."""
    c4, word, c1 = scalars[C4], scalars[WORD], scalars[C4] & 255
    _follow_followers(followers, c4)
    column = min(scalars[POS] - scalars[LINE], 255)
    above = _above(scalars, history, 0)
    values = (
        c4 & 0xFFFFFF,
        hash2(word, c1),
        c4,
        c4 & 0xFFFF,
        hash2(scalars[CLASSES], c1),
        hash2(c4, scalars[C8] & 0xFFFF),
        c1 << 8,
        hash2(word, scalars[WORD1]),
        hash2(followers[65536 + c1], c1),
        c4 & 0xFFFF00,
        hash2(above, (column << 8) | c1),
        hash2(scalars[BRACKETS], c4 & 0xFFFF),
        hash2(word, scalars[WORD2]),
        hash2(word, hash2(scalars[BRACKETS] & 0xFFFF, scalars[FIRST])),
        hash2(c4 & 0xFFFFFF, scalars[CLASSES] >> 12),
        hash2(followers[c4 & 0xFFFF], c1),
        c4 & 0xFFFF0000,
        hash2(word, c4 & 0xFFFF),
    )
    for i in range(min(hashes.shape[0], _COMMON)):
        hashes[i] = _told_apart(scalars, values[i], i)
    if hashes.shape[0] > _COMMON:
        _set_further_contexts(scalars, history, followers, hashes, matches, column, above)


@njit(cache=True, _nrt=False)
def _set_further_contexts(scalars: Any, history: Any, followers: Any, hashes: Any, matches: Any, column: Integer, above: Integer) -> None:  # fmt: skip  # noqa: E501
    """Those of the largest preset alone."""
    c4, c8, word, c1 = scalars[C4], scalars[C8], scalars[WORD], scalars[C4] & 255
    word1, word2 = scalars[WORD1], scalars[WORD2]
    values = (
        hash2(c4, c8 & 0xFF),
        hash2(c4, c8),
        c4 & 0,  # counted as all others are; the plain counters forget otherwise
        hash2(matches[0, 2], (min(matches[0, 1], 31) << 8) | c1),
        hash2(scalars[INITIALS], c1),
        hash2(hash2(word, scalars[GAP]), word1),
        hash2(scalars[LATEST], scalars[CLASSES] & 15),
        hash2((above << 8) | _above(scalars, history, 1), c1),
        hash2(scalars[TAG], hash2(word, c1)),
        c4 & 0xFF00FF,
        hash2(c4 & 0xF0F0F0F0, c8 & 0xF0F0F0F0),
        hash2(word1, hash2(scalars[LETTERS], c1)),
        hash2((column << 8) | c1, scalars[FIRST]),
        hash2(followers[_after_three(c4)], c4 & 0xFFFF),
        hash2(hash2(word, word2), scalars[WORD3]),
        c4 & 0xFF00FF00,
    )
    for i in range(_COMMON, hashes.shape[0]):
        hashes[i] = _told_apart(scalars, values[i - _COMMON], i)


@njit(cache=True, _nrt=False)
def _told_apart(scalars: Any, value: Integer, i: Integer) -> Integer:
    """The hash of a context's value; the same for all values where the context is left out."""
    return hash2(value * (1 - ((scalars[LEFT_OUT] >> i) & 1)), (i + 1) * 0x3779B1)
