"""Program-sequence pairs drawn from the DSL: the published distribution by default, and presets beside it.

A shard is a function of settings, seed and shard number alone, so any number of workers draws the same set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ktray.dsl.encoded import decode_program
from ktray.dsl.printer import to_text
from ktray.dsl.sampler import (
    MAX_ELEMENTS,
    MAX_FLAT,
    MAX_INITIAL,
    Ints,
    Knobs,
    Rng,
    flatten,
    new_tape,
    sample,
)
from ktray.errors import ConfigError
from ktray.kernels import njit
from ktray.sequences import Values

_WHOLE = 1 << 32
#: Draws for one pair before the length asked for is called out of reach.
_TRIES = 100_000


@dataclass(frozen=True, slots=True)
class SamplerSettings:
    """How programs are drawn; the defaults are the published sampler's (paper: App. A.2).

    Pairs are ranges with both ends included. `*_gate` opens a stage for a program; the others are
    probabilities for each list, pair or merge within it. Repeating makes no list over `longest_repeat`.
    `output_lengths` draws again what falls outside.
    """

    initiators: tuple[int, int] = (1, 5)
    lengths: tuple[int, int] = (5, 25)
    value_range: tuple[int, int] = (0, 255)
    steps: tuple[int, int] = (2, 5)
    jumps: tuple[int, int] = (2, 5)
    repeats: tuple[int, int] = (2, 4)
    initiator_weights: tuple[int, int, int, int] = (1, 1, 1, 1)
    list_gate: float = 0.4
    math_gate: float = 0.4
    filter_gate: float = 0.4
    pair_gate: float = 0.4
    reverse: float = 0.1
    repeat_list: float = 0.1
    longest_repeat: int = 750
    subsequence: float = 0.05
    substitute: float = 0.1
    drop_substituted: float = 0.25
    modulo: float = 0.1
    shift: float = 0.1
    extremes: float = 0.1
    scan: float = 0.1
    filter: float = 0.3
    pair_modulo: float = 0.1
    pair_shift: float = 0.1
    interleave: float = 0.2
    reuse: float = 0.2
    walk: float = 0.0
    walk_step: int = 4
    alphabet: float = 0.0
    alphabet_size: int = 8
    output_lengths: tuple[int, int] = (0, MAX_ELEMENTS)

    def __post_init__(self) -> None:
        for name, low, high in _BOUNDS:
            first, last = getattr(self, name)
            if not low <= first <= last <= high:
                raise ConfigError(
                    f"{name}: {first}, {last}; expected two numbers in order from {low} to {high}"
                )
        for name in _PROBABILITIES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name}: {getattr(self, name)}; expected a probability from 0 to 1")
        if (
            len(self.initiator_weights) != 4
            or min(self.initiator_weights) < 0
            or not any(self.initiator_weights)
        ):
            raise ConfigError(
                f"initiator_weights: {self.initiator_weights}; expected four numbers, not all 0"
            )
        if not 0 <= self.longest_repeat <= MAX_ELEMENTS:
            raise ConfigError(f"longest_repeat: {self.longest_repeat}; expected 0 to {MAX_ELEMENTS}")
        if not 1 <= self.walk_step <= 255 or not 2 <= self.alphabet_size <= 256:
            raise ConfigError("walk_step: expected 1 to 255; alphabet_size: expected 2 to 256")
        if self.value_range[1] - self.value_range[0] < self.lengths[0]:
            raise ConfigError(
                f"value_range: {self.value_range} has no room for a range of {self.lengths[0]} elements"
            )

    def knobs(self) -> Knobs:
        """Return the settings as the kernel takes them."""
        given = {name: getattr(self, name) for name in Knobs._fields}
        chances = {name: round(given[name] * _WHOLE) for name in _PROBABILITIES}
        return Knobs(**(given | chances))


_BOUNDS = (
    ("initiators", 1, 16),
    ("lengths", 1, MAX_INITIAL),
    ("value_range", 0, 255),
    ("steps", 1, 255),
    ("jumps", 1, 255),
    ("repeats", 1, 255),
    ("output_lengths", 0, MAX_ELEMENTS),
)
_PROBABILITIES = tuple(field.name for field in fields(SamplerSettings) if field.type == "float")

PUBLISHED = SamplerSettings()

#: Named starting points; every field can still be replaced.
PRESETS: dict[str, SamplerSettings] = {
    "published": PUBLISHED,
    "first-steps": replace(PUBLISHED, initiators=(1, 1), list_gate=0.2, math_gate=0.2, reuse=0.1),
    "short": replace(PUBLISHED, initiators=(1, 2), lengths=(5, 16), output_lengths=(1, 64)),
    "long": replace(
        PUBLISHED, initiators=(1, 10), lengths=(5, 60), longest_repeat=1024, output_lengths=(16, 1024)
    ),
    "natural": replace(
        PUBLISHED,
        initiator_weights=(1, 1, 2, 8),
        walk=0.5,
        alphabet=0.6,
        modulo=0.02,
        output_lengths=(16, 256),
    ),
}


def preset(name: str) -> SamplerSettings:
    """Return the settings called `name`; ConfigError, naming the nearest known one, where there are none."""
    if name not in PRESETS:
        from ktray.config import nearest  # loads the option parser, which only the message needs

        raise ConfigError(f"unknown preset {name!r}{nearest(name, list(PRESETS))}")
    return PRESETS[name]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs in columns: program i is `flat[flat_ends[i - 1] : flat_ends[i]]` (int32, the form of
    `ktray.dsl.encoded`), its sequence the same cut of `values` (uint8) by `value_ends`. Ends have shape (n,).
    """

    flat: NDArray[np.int32]
    flat_ends: Ints
    values: Values
    value_ends: Ints

    def __len__(self) -> int:
        return len(self.flat_ends)

    def rows(self) -> Iterator[tuple[NDArray[np.int32], Values]]:
        """Yield each pair's program in flat form and its sequence."""
        flat_from = value_from = 0
        for flat_to, value_to in zip(self.flat_ends.tolist(), self.value_ends.tolist(), strict=True):
            yield self.flat[flat_from:flat_to], self.values[value_from:value_to]
            flat_from, value_from = flat_to, value_to


@njit(cache=True)
def _sample_columns(
    rng: Rng, knobs: Knobs, low: int, high: int, count: int
) -> tuple[NDArray[np.int32], Ints, Values, Ints]:
    """Return columns of `count` pairs whose sequences have low..high elements; fewer if none are found."""
    tape = new_tape()
    flat, values = np.empty(count * 256 + MAX_FLAT, np.int32), np.empty(count * 128 + MAX_ELEMENTS, np.uint8)
    flat_ends, value_ends = np.zeros(count, np.int64), np.zeros(count, np.int64)
    made, tries, flat_at, value_at = 0, 0, 0, 0
    while made < count and tries < _TRIES:
        output = sample(tape, rng, knobs)
        tries += 1
        if output < 0 or not low <= tape.length[output] <= high:
            continue
        if len(flat) - flat_at < MAX_FLAT:
            flat = np.concatenate((flat, np.empty(len(flat), np.int32)))
        if len(values) - value_at < MAX_ELEMENTS:
            values = np.concatenate((values, np.empty(len(values), np.uint8)))
        flat_at += flatten(tape, output, flat[flat_at:])
        n, at = tape.length[output], tape.start[output]
        values[value_at : value_at + n] = tape.data[at : at + n].astype(np.uint8)
        value_at += n
        flat_ends[made], value_ends[made] = flat_at, value_at
        made, tries = made + 1, 0
    return flat[:flat_at].copy(), flat_ends[:made], values[:value_at].copy(), value_ends[:made]


def sample_columns(settings: SamplerSettings, seed: int, shard: int, count: int) -> Pairs:
    """Return the first `count` pairs of a shard in columns.

    Raises ConfigError where the settings hardly ever give a sequence of the lengths asked for.
    """
    if count < 0 or seed < 0 or shard < 0:
        raise ConfigError(f"seed {seed}, shard {shard} and count {count} must not be negative")
    rng = np.random.SeedSequence([seed, shard]).generate_state(1, np.uint64)
    columns = _sample_columns(rng, settings.knobs(), *settings.output_lengths, count)
    if len(columns[1]) < count:
        raise ConfigError(
            f"output_lengths: {settings.output_lengths}; none of {_TRIES} programs in a row gave one"
        )
    return Pairs(*columns)


def sample_pairs(settings: SamplerSettings, seed: int, shard: int, count: int) -> list[tuple[str, Values]]:
    """Return the first `count` pairs of a shard: program text and sequence. Raises as `sample_columns`."""
    pairs = sample_columns(settings, seed, shard, count)
    return [(to_text(decode_program(flat.tolist())), values) for flat, values in pairs.rows()]
