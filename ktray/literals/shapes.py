"""Shapes of the signal model, one a kind of samples: which filters, which stages, how fast they learn."""

from __future__ import annotations

from dataclasses import dataclass, replace

#: Lags of regressors from an earlier row of a record: `row(1, d)` is d samples before the same column one
#: row above.
ROW = 10_000
CONSTANT = 0


def row(rows: int, lag: int) -> int:
    """The lag of the sample `rows` rows above and `lag` columns before (after, where negative, down to
    -99).
    """
    return ROW * rows + 100 + lag


@dataclass(frozen=True, slots=True)
class Filter:
    """Least squares over `lags`, fading at the rate 2**-fade a sample; `per_row`: one for each row of a
    record.
    """

    lags: tuple[int, ...]
    fade: int
    per_row: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's parts. `bits` a sample; `modular`: numbers modulo 2**bits; `stages`: (order, step in
    2**-16); `blend`: fade of the least squares over all predictions; `rate` of the mixers; `fades` of the
    two error estimates, and their `floor`; least squares add 2**-`ridge` of each regressor's power.
    """

    bits: int
    filters: tuple[Filter, ...]
    stages: tuple[tuple[int, int], ...]
    blend: int
    rate: int
    fades: tuple[int, int] = (3, 6)
    floor: int = 8
    modular: bool = False
    ridge: int = 18


def _last(n: int) -> tuple[int, ...]:
    return tuple(range(1, n + 1))


def _around(rows: int, reach: int) -> tuple[int, ...]:
    """Lags of the samples up to `reach` columns from the same column, `rows` rows above."""
    return tuple(row(rows, lag) for lag in range(-reach, reach + 1))


_NEAR = (CONSTANT, *_last(6), *_around(1, 2), *_around(2, 2), *_around(3, 1))
_ALL = (CONSTANT, *_last(4), *(lag for k in range(1, 20) for lag in _around(k, 1)))

SHAPES = {
    "samples16": Shape(
        bits=16,
        filters=(Filter(_last(20), 8), Filter(_last(32), 10), Filter(_last(12), 7)),
        stages=((256, 2000), (32, 2000), (16, 2000)),
        blend=7,
        rate=2500,
        floor=16,
    ),
    "samples8": Shape(
        bits=8,
        filters=(Filter(_last(32), 10), Filter(_last(20), 8), Filter(_last(12), 7)),
        stages=((256, 300), (32, 300), (16, 500)),
        blend=8,
        rate=3000,
    ),
    "records": Shape(
        bits=8,
        filters=(
            Filter((CONSTANT, *_last(8)), 10, per_row=True),
            Filter(_last(16), 11),
            Filter(_NEAR, 12, per_row=True),
        ),
        stages=(),
        blend=9,
        rate=3000,
        fades=(4, 7),
        modular=True,
        ridge=14,
    ),
}


def _more(name: str, *filters: Filter, rate: int) -> Shape:
    return replace(SHAPES[name], filters=(*SHAPES[name].filters, *filters), rate=rate)


#: Shapes of the largest preset.
FURTHER_SHAPES = {
    "samples16": _more(
        "samples16", Filter(_last(32), 9), Filter(_last(6), 6), Filter(_last(60), 12), rate=2500
    ),
    "samples8": _more(
        "samples8", Filter(_last(24), 11), Filter(_last(6), 6), Filter(_last(60), 12), rate=3000
    ),
    "records": _more("records", Filter(_ALL, 13, per_row=True), rate=3000),
}
