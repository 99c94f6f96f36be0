"""What each peel of a text would cost, from tables of the best parses of prefixes and suffixes."""

# numba's decorators are untyped, so every call of a compiled function looks like Any.
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from ktray.kernels import njit
from ktray.proposers.search.arrays import Floats, Ints
from ktray.proposers.search.costs import LITERAL_ELEMENT, SPLIT, STEPS
from ktray.proposers.search.parse import backward, forward


@njit(cache=True)
def _join(
    left: Ints,
    m: int,
    prefix_closed: Floats,
    prefix_literal: Floats,
    prefix_run: Floats,
    whole: Ints,
    q: int,
    n: int,
    suffix_closed: Floats,
    suffix_literal: Floats,
    length: Ints,
    costs: Floats,
) -> float:
    """Return the bits of left[:m] + whole[q:n], from the tables of both."""
    best = prefix_closed[m] + suffix_closed[q]
    if q >= n:
        return float(best)
    best = min(best, prefix_literal[m] + suffix_literal[q])
    step = int(whole[q]) - int(left[m - 1])
    reach = q + 1
    if q + 1 < n and int(whole[q + 1]) - int(whole[q]) == step:
        reach = q + length[q]
    best = min(best, prefix_closed[m - 1] + costs[STEPS + 255 + step] + suffix_closed[reach])
    if m >= 2 and int(left[m - 1]) - int(left[m - 2]) == step:
        best = min(best, prefix_run[m] + suffix_closed[reach])
    return float(best)


@njit(cache=True)
def hidden(text: Ints, n: int, costs: Floats, least: int, each: Floats) -> None:
    """Fill each[i] with what element i would cost at most if every progression at a stride of `least`, twice
    that, and so on up to 16, were laid bare."""
    for i in range(n):
        each[i] = costs[LITERAL_ELEMENT]
    stride = least
    while stride <= 16 and 3 * stride < n:
        for residue in range(stride):
            begin = residue
            i = residue + stride
            while i < n:
                step = text[i] - text[i - stride]
                begin = i - stride
                while i + stride < n and text[i + stride] - text[i] == step:
                    i += stride
                count = (i - begin) // stride + 1
                price = costs[STEPS + 255 + step] / count
                if price < each[i]:
                    for k in range(begin, i + 1, stride):
                        each[k] = min(each[k], price)
                i += stride
        stride *= 2


@njit(cache=True)
def sweep(text: Ints, n: int, costs: Floats, room: Floats, lengths: Ints, score: Floats) -> float:
    """Fill score[side, m] with the bits of peeling m pairs off text[:n], the part that goes on priced as if
    what is woven into it were laid bare."""
    half = n // 2
    even = text[0:n:2].copy()
    odd = text[1:n:2].copy()
    plain = room[8]
    plain[:n] = costs[LITERAL_ELEMENT]
    hidden(text, n, costs, 2, room[9])
    hidden(text, n, costs, 4, room[10])
    forward(even, half, plain, costs, 0.0, room[0], room[1], room[2])
    forward(odd, half, plain, costs, 0.0, room[3], room[4], room[5])
    forward(even, half, room[10, 0:n:2].copy(), costs, 0.0, room[11], room[12], room[13])
    forward(odd, half, plain, costs, costs[SPLIT], room[14], room[15], room[16])
    backward(text, n, plain, costs, room[17], room[18], lengths)
    backward(text, n, room[9], costs, room[6], room[7], lengths)
    for m in range(2, half + 1):
        score[1, m] = room[14, m] + _join(
            even, m, room[11], room[12], room[13], text, 2 * m, n, room[6], room[7], lengths, costs
        )
        score[0, m] = room[11, m] + _join(
            odd, m, room[14], room[15], room[16], text, 2 * m, n, room[17], room[18], lengths, costs
        )
    return float(room[6, 0])
