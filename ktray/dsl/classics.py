"""Classic sequences, defined here in plain Python: what a language of short programs ought to be able to say.

Each gives n values in 0..255, larger ones modulo 256.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice, pairwise, product
from math import isqrt

Values = list[int]


def _each(term: Callable[[int], int]) -> Callable[[int], Values]:
    """Return the sequence of term(0), term(1), ..."""
    return lambda n: [term(i) % 256 for i in range(n)]


def _recurring(first: tuple[int, ...], step: Callable[[Values], int]) -> Callable[[int], Values]:
    """Return the sequence that begins with `first` and goes on by `step` of all before."""

    def make(n: int) -> Values:
        made = list(first)
        while len(made) < n:
            made.append(step(made))
        return [x % 256 for x in made[:n]]

    return make


def _taken(items: Callable[[], Iterator[int]]) -> Callable[[int], Values]:
    return lambda n: [x % 256 for x in islice(items(), n)]


def _word(images: dict[int, tuple[int, ...]], letter: int = 0) -> Callable[[int], Values]:
    """Return the fixed point of a substitution of letters."""

    def make(n: int) -> Values:
        word = [letter]
        while len(word) < n:
            word = [x for letter in word for x in images[letter]]
        return word[:n]

    return make


def _rule(number: int, width: int) -> Callable[[int], Values]:
    """Return rows of an elementary automaton from a single cell, zeros around."""

    def make(n: int) -> Values:
        row, made = [int(i == width // 2) for i in range(width)], list[int]()
        while len(made) < n:
            made += row
            wide = [0, *row, 0]
            row = [number >> (wide[i] * 4 + wide[i + 1] * 2 + wide[i + 2]) & 1 for i in range(width)]
        return made[:n]

    return make


def _primes() -> Iterator[int]:
    return (p for p in count(2) if all(p % d for d in range(2, isqrt(p) + 1)))


def _collatz(start: int) -> Callable[[int], Values]:
    return _recurring((start,), lambda made: made[-1] // 2 if made[-1] % 2 == 0 else 3 * made[-1] + 1)


def _kolakoski() -> Iterator[int]:
    made = [1, 2, 2]
    for i in count(2):
        made += [3 - made[-1]] * made[i]
        yield made[i - 2]


def _recaman() -> Iterator[int]:
    seen, at = set[int](), 0
    for step in count(1):
        yield at
        seen.add(at)
        at = at - step if at >= step and at - step not in seen else at + step


def _champernowne(base: int) -> Iterator[int]:
    for i in count(1):
        digits = list[int]()
        while i:
            i, digit = divmod(i, base)
            digits.insert(0, digit)
        yield from digits


def _pi() -> Iterator[int]:
    """Decimal digits of pi (Gibbons' spigot)."""
    q, r, t, k, m, x = 1, 0, 1, 1, 3, 3
    while True:
        if 4 * q + r - t < m * t:
            yield m
            q, r, m = 10 * q, 10 * (r - m * t), 10 * (3 * q + r) // t - 10 * m
        else:
            q, r, t, k, m, x = (
                q * k,
                (2 * q + r) * x,
                t * x,
                k + 1,
                (q * (7 * k + 2) + r * x) // (t * x),
                x + 2,
            )


def _pascal() -> Iterator[int]:
    row = [1]
    while True:
        yield from row
        row = [1, *(a + b for a, b in pairwise(row)), 1]


def _golomb(made: Values) -> int:
    return 1 + made[len(made) - made[made[-1] - 1]]


def _rising_runs() -> Iterator[int]:
    return (i for i in count(1) for _ in range(i))


def _counting_up() -> Iterator[int]:
    return (j for i in count(1) for j in range(1, i + 1))


def _bits(i: int) -> int:
    return i.bit_count()


#: Name and definition of each.
CLASSICS: dict[str, Callable[[int], Values]] = {
    "naturals": _each(lambda i: i),
    "squares": _each(lambda i: i * i),
    "cubes": _each(lambda i: i**3),
    "fourth powers": _each(lambda i: i**4),
    "triangular numbers": _each(lambda i: i * (i + 1) // 2),
    "tetrahedral numbers": _each(lambda i: i * (i + 1) * (i + 2) // 6),
    "pentagonal numbers": _each(lambda i: i * (3 * i - 1) // 2),
    "centred hexagonal numbers": _each(lambda i: 3 * i * (i + 1) + 1),
    "powers of 2 modulo 251": _each(lambda i: pow(2, i, 251)),
    "powers of 3": _each(lambda i: 3**i),
    "powers of 7 modulo 233": _each(lambda i: pow(7, i, 233)),
    "squares modulo 101": _each(lambda i: i * i % 101),
    "Fibonacci": _recurring((0, 1), lambda m: m[-1] + m[-2]),
    "Fibonacci modulo 100": _each(_recurring((0, 1), lambda m: (m[-1] + m[-2]) % 100)(4096).__getitem__),
    "Lucas": _recurring((2, 1), lambda m: m[-1] + m[-2]),
    "Pell": _recurring((0, 1), lambda m: 2 * m[-1] + m[-2]),
    "Jacobsthal": _recurring((0, 1), lambda m: m[-1] + 2 * m[-2]),
    "tribonacci": _recurring((0, 0, 1), lambda m: m[-1] + m[-2] + m[-3]),
    "Padovan": _recurring((1, 1, 1), lambda m: m[-2] + m[-3]),
    "LCG 5x + 3": _recurring((7,), lambda m: (5 * m[-1] + 3) % 256),
    "LCG 141x + 3": _recurring((1,), lambda m: (141 * m[-1] + 3) % 256),
    "LCG 75x + 74 modulo 241": _recurring((1,), lambda m: (75 * m[-1] + 74) % 241),
    "quadratic map": _recurring((3,), lambda m: (m[-1] * m[-1] + 1) % 251),
    "Thue-Morse": _each(lambda i: _bits(i) % 2),
    "bit counts": _each(_bits),
    "decimal digit sums": _each(lambda i: sum(map(int, str(i)))),
    "ternary digit sums": _each(lambda i: i % 3 + i // 3 % 3 + i // 9 % 3 + i // 27 % 3 + i // 81 % 3),
    "Gray code": _each(lambda i: i ^ (i >> 1)),
    "ruler": _each(lambda i: ((i + 1) & -(i + 1)).bit_length() - 1),
    "period doubling": _word({0: (0, 1), 1: (0, 0)}),
    "Fibonacci word": _word({0: (0, 1), 1: (0,)}),
    "Cantor word": _word({1: (1, 0, 1), 0: (0, 0, 0)}, 1),
    "paper folding": _each(lambda i: int(((i + 1) // ((i + 1) & -(i + 1))) % 4 == 1)),
    "Rudin-Shapiro": _each(lambda i: _bits(i & (i >> 1)) % 2),
    "Kolakoski": _taken(_kolakoski),
    "Rule 30": _rule(30, 16),
    "Rule 90": _rule(90, 16),
    "Rule 110": _rule(110, 16),
    "Rule 184, black and white": lambda n: [255 * x for x in _rule(184, 16)(n)],
    "primes": _taken(_primes),
    "gaps of primes": lambda n: [
        b - a for a, b in zip(*(islice(_primes(), k, n + k) for k in (0, 1)), strict=True)
    ],
    "is prime": _each(lambda i: int(i > 1 and all(i % d for d in range(2, isqrt(i) + 1)))),
    "Collatz from 27": _collatz(27),
    "Recaman": _taken(_recaman),
    "Golomb": _recurring((1, 2, 2), _golomb),
    "each number as often as it says": _taken(_rising_runs),
    "counting up again and again": _taken(_counting_up),
    "triangle wave": _each(lambda i: abs((i + 20) % 40 - 20)),
    "square wave": _each(lambda i: 200 * (i // 10 % 2)),
    "staircase": _each(lambda i: i // 8),
    "sawtooth of 13": _each(lambda i: i * 7 % 13),
    "multiplication table": lambda n: [a * b % 256 for a, b in islice(product(range(1, n), range(1, 13)), n)],
    "Pascal's triangle": _taken(_pascal),
    "Pascal's triangle modulo 2": lambda n: [x % 2 for x in _taken(_pascal)(n)],
    "Champernowne": _taken(lambda: _champernowne(10)),
    "binary Champernowne": _taken(lambda: _champernowne(2)),
    "integer square roots": _each(isqrt),
    "digits of pi": _taken(_pi),
}
