"""Burrows-Wheeler transform, then move-to-front: the code is the row of the text among its sorted
rotations, then the ranks; the side is the sorted alphabet."""

from __future__ import annotations

from ktray.inversion.algorithms.base import make
from ktray.inversion.kinds import Kind


def bwt_mtf_encode(text: str) -> tuple[list[int], str]:
    """Compress a text with BWT+MTF coding; the side is its alphabet."""
    alphabet = "".join(sorted(set(text)))
    if not text:
        return [], alphabet
    rotations = sorted(range(len(text)), key=lambda shift: text[shift:] + text[:shift])
    last = [text[shift - 1] for shift in rotations]
    code = [rotations.index(0)]
    front = list(alphabet)
    for character in last:
        rank = front.index(character)
        code.append(rank)
        front.insert(0, front.pop(rank))
    return code, alphabet


def bwt_mtf_decode(code: list[int], alphabet: str) -> str:
    """Restore a text from its BWT+MTF code and its alphabet."""
    if not code:
        return ""
    front = list(alphabet)
    last = []
    for rank in code[1:]:
        character = front.pop(rank)
        last.append(character)
        front.insert(0, character)
    # Equal characters keep their order between the last column and the first.
    follows = sorted(range(len(last)), key=lambda row: last[row])
    row = code[0]
    text = ""
    for _ in last:
        row = follows[row]
        text += last[row]
    return text


ALGORITHM = make(
    "bwt_mtf",
    "the Burrows-Wheeler transform with move-to-front (BWT+MTF)",
    (
        "Burrows-Wheeler transform",
        "Burrows-Wheeler",
        "move-to-front",
        "BWT and MTF",
        "BWT+MTF",
        "BWT_MTF",
        "BWT",
        "MTF",
    ),
    Kind.INTS,
    bwt_mtf_encode,
    bwt_mtf_decode,
    has_side=True,
)
