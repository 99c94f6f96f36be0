"""The `dsl2` proposer: looks for the laws that the second dialect can say, each by trying it.

A law that explains a whole sequence becomes a tree of calls; the cheapest under the dialect's uniform code is
proposed. Deterministic; a sequence takes milliseconds where nothing fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from ktray.dsl.interpreter import interpret
from ktray.dsl.ops import Dialect
from ktray.dsl.printer import to_text
from ktray.dsl.program import Argument, Call, DslProgram, Ref
from ktray.kernels import njit
from ktray.priors.uniform import UniformCode
from ktray.programs import Candidate, CandidateKey, Language, Program
from ktray.sequences import KtSequence, Values

Ints = NDArray[np.int64]
List = tuple[int, ...]

#: How deep laws may stand within laws, and the fewest elements that are looked at.
_DEPTH = 2
_FEWEST = 8
#: Longest image of a letter that is tried for words that grow, and most rows' width of an automaton.
_IMAGE = 3
_WIDEST = 96
_CODE = UniformCode(Dialect.DSL2)


@dataclass(frozen=True, slots=True)
class Node:
    """A call whose lists are calls themselves."""

    op: str
    args: tuple[Node | int | List, ...]


class Dsl2Proposer:
    """Proposes at most one program a sequence, where it is cheaper than the literal."""

    name = "dsl2"

    def settings(self) -> dict[str, object]:
        """Return what the candidates depend on."""
        return {"version": 1}

    def propose(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]:
        """Yield sample 0 of each sequence that a law explains."""
        for sequence in sequences if 0 in samples else ():
            text = find(sequence.values)
            if text is not None:
                key = CandidateKey(sequence.id, self.name, self.name, "", "", 0, 0)
                yield Candidate(key, Program(Language.DSL, text))


def find(values: Values) -> str | None:
    """Return the cheapest program found for `values` (uint8) that is cheaper than they are, or None."""
    if len(values) < _FEWEST:
        return None
    plain: List = tuple(values.tolist())
    nodes = [*_plain(plain), *_laws(plain, _DEPTH)]
    texts = [to_text(program_of(node)) for node in nodes]
    prices = _CODE.prices(texts).tolist()
    for price, text, node in sorted(zip(prices, texts, nodes, strict=True), key=lambda found: found[:2]):
        made = interpret(program_of(node)).values
        if price < 8 * len(values) and made is not None and np.array_equal(made, values):
            return text
    return None


def program_of(node: Node) -> DslProgram:
    """Return the program of a tree, equal calls only once."""
    lines: dict[Call, int] = {}
    return DslProgram(output=_place(node, lines), lines=tuple(lines))


def _place(node: Node, lines: dict[Call, int]) -> int:
    args: list[Argument] = [Ref(_place(a, lines)) if isinstance(a, Node) else a for a in node.args]
    return lines.setdefault(Call(node.op, tuple(args)), len(lines))


@lru_cache(maxsize=1 << 14)
def _price(node: Node) -> float:
    return float(_CODE.prices([to_text(program_of(node))])[0])


def _cheapest(values: List, depth: int) -> Node:
    """Return the cheapest tree found for values within a law; the literal list is always one."""
    nodes = [Node("set_list", (values,)), *_plain(values)]
    if depth > 0 and len(values) >= _FEWEST:
        nodes += _laws(values, depth)
    return min(nodes, key=_price)


def _plain(values: List) -> Iterator[Node]:
    """Yield the published dialect's own short ways of saying a list."""
    n, step = len(values), values[1] - values[0] if len(values) > 1 else 0
    if any(b - a != step for a, b in pairwise(values)) or n < 2:
        return
    if step == 0:
        yield Node("repeat_num", (n, values[0]))
    elif step == 1:
        yield Node("range_func_up", (values[0], values[-1]))
    else:
        yield Node("range_func_interval", (values[0], values[-1] + (1 if step > 0 else -1), step))


def _laws(values: List, depth: int) -> Iterator[Node]:
    """Yield trees that give `values`, or should."""
    for law in _LAWS:
        yield from law(values)
    if depth > 0:
        for nested in _NESTED:
            yield from nested(values, depth - 1)


# -- laws of their own ------------------------------------------------------------------------------------


@njit(cache=True)
def _inverse(value: int, modulus: int) -> int:
    """Return the inverse of a value modulo `modulus`, or 0 where it has none."""
    for candidate in range(1, modulus):
        if value * candidate % modulus == 1:
            return candidate
    return 0


@njit(cache=True)
def _fits(x: Ints, order: int, modulus: int, found: Ints) -> bool:
    """Note the constant of a recurrence with the factors found; return whether it is the same everywhere."""
    constant = -1
    for i in range(order, len(x)):
        total = x[i]
        for k in range(order):
            total -= found[k] * x[i - 1 - k]
        total %= modulus
        if constant >= 0 and total != constant:
            return False
        constant = total
    found[order] = constant
    return True


@njit(cache=True)
def _linear(x: Ints, order: int, modulus: int, found: Ints) -> bool:
    """Find factors (0..modulus - 1) and a constant with which each element follows from the `order` before it.

    Fills in `found`: the factors, newest first, and the constant. The constant drops out of differences, and
    the last factor follows from the others where some difference has an inverse; else all are tried.
    """
    place, inverse = -1, 0
    for j in range(len(x) - order - 2):
        inverse = _inverse((x[j + 1] - x[j]) % modulus, modulus)
        if inverse:
            place = j
            break
    free = order - 1 if inverse else order
    if free > 2:
        return False
    for code in range(modulus**free):
        rest = code
        for k in range(free):
            found[k] = rest % modulus
            rest //= modulus
        if inverse:
            total = x[place + order + 1] - x[place + order]
            for k in range(free):
                total -= found[k] * (x[place + order - k] - x[place + order - 1 - k])
            found[free] = total * inverse % modulus
        if _fits(x, order, modulus, found):
            return True
    return False


def _recurrences(values: List) -> Iterator[Node]:
    """Linear recurrences modulo m: of order 1 for every m, of orders 2 and 3 for likely ones."""
    x, top = np.array(values, np.int64), max(values) + 1
    likely = tuple(dict.fromkeys((256, top, 255, 251, 257 - top if top > 200 else 256)))
    for order, moduli in (
        (1, range(max(top, 2), 257)),
        (2, likely),
        (3, (256, *((top,) if top < 64 else ()))),
    ):
        for modulus in moduli:
            found = np.zeros(order + 1, np.int64)
            if len(x) > 3 * order + 1 and modulus >= max(top, 2) and _linear(x, order, modulus, found):
                yield _recurrence(values, found[:order].tolist(), int(found[order]), modulus)
                return
    for order in (4, 5):
        yield from _differences(values, order)


def _differences(values: List, order: int) -> Iterator[Node]:
    """Sequences modulo 256 whose differences of an order are all the same."""
    differences = np.diff(np.array(values, np.int64), order) % 256
    if len(differences) > order and (differences == differences[0]).all():
        factors = [-c for c in np.rint(np.poly(np.ones(order))).astype(int).tolist()[1:]]
        yield _recurrence(values, [factor % 256 for factor in factors], int(differences[0]), 256)


def _recurrence(values: List, factors: list[int], constant: int, modulus: int) -> Node:
    return Node("recurrence", (values[: len(factors)], tuple(factors), constant, modulus, len(values)))


def _automata(values: List) -> Iterator[Node]:
    """Rows of an elementary cellular automaton, for every width."""
    if max(values) > 1:
        return
    bits = np.array(values, np.int64)
    for width in range(3, min(_WIDEST, len(bits) // 2) + 1):
        rows = len(bits) // width
        if rows * width != len(bits):
            continue
        grid = np.pad(bits.reshape(rows, width), ((0, 0), (1, 1)))
        seen = grid[:-1, :-2] * 4 + grid[:-1, 1:-1] * 2 + grid[:-1, 2:]
        ones, zeros = set(seen[grid[1:, 1:-1] == 1].tolist()), set(seen[grid[1:, 1:-1] == 0].tolist())
        if not ones & zeros:
            yield Node("cellular_automaton", (sum(1 << k for k in ones), _row(values[:width]), rows))


def _row(row: List) -> Node:
    """Return a row of bits; one with a single 1 in the middle of zeros may be said by padding."""
    return _cheapest(row, 0)


def _words(values: List) -> Iterator[Node]:
    """Words over 0 and 1 that grow from two images."""
    if max(values) > 1:
        return
    images = [w for size in range(1, _IMAGE + 1) for w in product((0, 1), repeat=size)]
    for even in images:
        if even != values[: len(even)] or len(even) < 2:
            continue
        for odd in images:
            if _grown(even, odd, len(values)) == values:
                yield Node("grow", (_cheapest(even, 0), _cheapest(odd, 0), len(values)))
                return


def _grown(even: List, odd: List, length: int) -> List:
    made, at = list(even), 1
    while at < len(made) < length:
        made += odd if made[at] else even
        at += 1
    return tuple(made[:length])


def _digit_sums(values: List) -> Iterator[Node]:
    """Sums of digits of counting numbers, perhaps modulo the base or another small number."""
    for base, start in product(range(2, 17), (0, 1)):
        counting = Node("range_func_up", (start, start + len(values) - 1))
        sums = [_digit_sum(i, base) for i in range(start, start + len(values))]
        if tuple(sums) == values:
            yield Node("digit_sum", (counting, base))
            return
        modulus = max(values) + 1
        if modulus > 1 and tuple(s % modulus for s in sums) == values:
            yield Node("modulo_item_list", (Node("digit_sum", (counting, base)), modulus))
            return


def _digit_sum(value: int, base: int) -> int:
    total = 0
    while value:
        value, digit = divmod(value, base)
        total += digit
    return total


def _counting_bits(values: List) -> Iterator[Node]:
    """Counting numbers xor themselves divided: Gray codes and their like; and divided alone."""
    n, counting = len(values), np.arange(len(values))
    for start, divisor in product((0, 1), range(2, 33)):
        numbers = Node("range_func_up", (start, start + n - 1))
        divided = Node("divide_item_list", (numbers, divisor))
        floor = (counting + start) // divisor
        for made, node in (
            (floor, divided),
            (floor ^ (counting + start), Node("xor_two_lists", (numbers, divided))),
        ):
            if tuple((made % 256).tolist()) == values:
                yield node if made.max() < 256 else Node("modulo_item_list", (node, 256))
                return


# -- laws around laws -------------------------------------------------------------------------------------


def _period(values: List, depth: int) -> Iterator[Node]:
    """A list again and again."""
    n = len(values)
    for period in range(1, n // 2 + 1):
        if values[period:] == values[:-period]:
            yield Node("fill", (_cheapest(values[:period], depth), n))
            return


def _renamed(values: List, depth: int) -> Iterator[Node]:
    """A law over few letters, looked up in a table; tried with the letters in both orders."""
    letters = tuple(dict.fromkeys(values))
    if not 2 <= len(letters) <= 8 or letters == tuple(range(len(letters))):
        return
    for table in {letters, letters[::-1]}:
        places = tuple(table.index(value) for value in values)
        for node in _laws(places, depth):
            yield Node("look_up", (node, _cheapest(table, 0)))


def _runs(values: List, depth: int) -> Iterator[Node]:
    """Runs of equal elements: what they are, and how long."""
    edges = [0, *(i for i in range(1, len(values)) if values[i] != values[i - 1]), len(values)]
    lengths = tuple(b - a for a, b in pairwise(edges))
    if len(lengths) * 2 <= len(values) and max(lengths) < 256:
        kept = tuple(values[i] for i in edges[:-1])
        counts = _cheapest(lengths, depth)
        yield Node("repeat_each", (_cheapest(kept, depth), counts))
        for whole in _prolonged(lengths):
            node = Node("repeat_each", (_cheapest(kept, depth), whole))
            yield Node("get_subsequence_between_indices", (node, 0, len(values)))
        if len(set(lengths[:-1])) == 1 and lengths[-1] <= lengths[0]:
            place = Node("divide_item_list", (Node("range_func_up", (0, len(values) - 1)), lengths[0]))
            yield Node("look_up", (place, _cheapest(kept, depth)))


def _prolonged(lengths: List) -> Iterator[Node]:
    """Yield evenly growing lengths of runs of which the last was cut short."""
    if len(lengths) > 3 and lengths[-1] < (last := 2 * lengths[-2] - lengths[-3]):
        yield from _plain((*lengths[:-1], last))


def _sums(values: List, depth: int) -> Iterator[Node]:
    """Running sums, modulo 256, of what a law gives."""
    steps = tuple((b - a) % 256 for a, b in zip((0, *values), values, strict=False))
    if len(set(steps[1:])) > 1:
        for node in (*_plain(steps), *_laws(steps, depth)):
            yield Node("modulo_item_list", (Node("scan_add", (node,)), 256))
        for node in (*_plain(steps[1:]), *_laws(steps[1:], depth)):
            rest = Node("concatenate", (Node("set_list", (steps[:1],)), node))
            yield Node("modulo_item_list", (Node("scan_add", (rest,)), 256))


def _woven(values: List, depth: int) -> Iterator[Node]:
    """Two laws in turn."""
    if len(values) >= 2 * _FEWEST:
        halves = (values[::2], values[1::2])
        parts = [min((*_plain(half), *_laws(half, 0)), key=_price, default=None) for half in halves]
        if parts[0] and parts[1]:
            yield Node("interleave", (parts[0], parts[1]))


_LAWS: tuple[Callable[[List], Iterator[Node]], ...] = (
    _recurrences,
    _automata,
    _words,
    _digit_sums,
    _counting_bits,
)
_NESTED: tuple[Callable[[List, int], Iterator[Node]], ...] = (_period, _renamed, _runs, _sums, _woven)
