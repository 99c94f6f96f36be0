"""How a block's literal sequences are coded: plainly by the desk's own model, or by the mixing model.

Each way weighs a sequence first, so that the encoder can choose between it and a program. The mixing model
learns from every sequence, however it was coded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ktray.coding.binary import decode_bit
from ktray.errors import ArchiveError, ConfigError
from ktray.kernels import njit
from ktray.literals import general
from ktray.literals.settings import PRESETS, MixerSettings
from ktray.priors.adaptive.desk import STRETCH, Desk, Sink
from ktray.priors.adaptive.driver import literal_costs
from ktray.priors.adaptive.model import Bytes
from ktray.sequences import Values

#: Names of the ways, in the order of their codes in a block's header.
PLAIN = ("uniform", "order0")
WAYS = (*PLAIN, *PRESETS)

#: The cost table of plain literals is renewed after as many elements.
_RENEWAL = 2048
_SETTINGS = 4


@dataclass(frozen=True, slots=True)
class Way:
    """One way of coding literals: its name, and the mixing model's own header where it is one."""

    name: str
    settings: bytes = b""

    def header(self) -> bytes:
        """Return what a decoder needs to know."""
        return bytes([WAYS.index(self.name)]) + self.settings


def find_way(name: str, elements: int) -> Way:
    """Return the way called `name` for a block of so many elements. Raises ConfigError for no such name."""
    if name in PLAIN:
        return Way(name)
    if name in PRESETS:
        return Way(name, MixerSettings.for_block(elements, name).header())
    raise ConfigError(f"unknown literal model {name!r}; known: {', '.join(WAYS)}")


def read_way(header: bytes) -> tuple[Way, int]:
    """Return the way that `header` begins with, and its length. Raises ArchiveError where it names none."""
    if not header or header[0] >= len(WAYS):
        raise ArchiveError(f"damaged: a block's literal model is none of {', '.join(WAYS)}")
    name = WAYS[header[0]]
    size = 1 if name in PLAIN else 1 + _SETTINGS
    return Way(name, header[1:size]), size


class Literals(Protocol):
    """The port of literal sequences within a block."""

    def weigh(self, values: Values) -> float:
        """Return the bits that `values` would cost as a literal."""

    def encode(self, values: Values, sink: Sink) -> float:
        """Code the values weighed last; return their bits."""

    def decode(self, n: int) -> Values:
        """Return the next n values."""

    def learn(self, values: Values) -> None:
        """Decoding: learn from values that came as a program's output."""


def make_literals(way: Way, desk: Desk) -> Literals:
    """Return the model of a way, at the start of a block."""
    return (
        PlainLiterals(desk, way.name != "uniform") if way.name in PLAIN else MixedLiterals(desk, way.settings)
    )


class PlainLiterals:
    """Literals coded by the desk's model: 8 bits an element, or order-0 counts learned within the block."""

    def __init__(self, desk: Desk, learned: bool) -> None:
        self._desk = desk
        self._learned = learned
        self._costs = np.full(256, 8.0)
        self._age = 0

    def weigh(self, values: Values) -> float:
        """Return the bits of `values` under the counts of a little while ago."""
        if self._age >= _RENEWAL:
            literal_costs(self._desk.models, self._costs)
            self._age = 0
        return float(self._costs[values].sum()) if self._learned else 8.0 * len(values)

    def encode(self, values: Values, sink: Sink) -> float:
        """Code the values, and learn them; return their bits."""
        before = self._desk.spent()
        for stretch in _stretches(values):
            self._desk.literal(stretch, self._learned)
            sink.drain(self._desk)
        self._age += len(values)
        return self._desk.spent() - before

    def decode(self, n: int) -> Values:
        """Return the next n values, and learn them."""
        parts = [np.zeros(0, dtype=np.uint8)]
        for start in range(0, n, STRETCH):
            blank = np.zeros(min(STRETCH, n - start), dtype=np.uint8)
            parts.append(self._desk.literal(blank, self._learned))
            self._desk.check()
        return np.concatenate(parts)

    def learn(self, values: Values) -> None:
        """Learn nothing: order 0 of programs' outputs tells little of literals."""


class MixedLiterals:
    """Literals coded by the mixing model, which learns from all sequences of the block in their order."""

    def __init__(self, desk: Desk, settings: bytes) -> None:
        self._desk = desk
        self._state = general.new_state(MixerSettings.from_header(settings))
        self._events = np.zeros(0, dtype=np.int32)
        self._bits = 0.0

    def weigh(self, values: Values) -> float:
        """Return the exact bits of `values`; the model has then learned them."""
        self._events = np.empty(8 * len(values), dtype=np.int32)
        _learn_events(self._state, values, self._events)
        ones = self._events >> 1
        self._bits = float((16 - np.log2(np.where(self._events & 1, ones, 65536 - ones))).sum())
        return self._bits

    def encode(self, values: Values, sink: Sink) -> float:
        """Code the values weighed last; return their bits."""
        sink.take(self._events, len(self._events))
        return self._bits

    def decode(self, n: int) -> Values:
        """Return the next n values, and learn them."""
        parts = [np.zeros(0, dtype=np.uint8)]
        for start in range(0, n, STRETCH):
            part = np.zeros(min(STRETCH, n - start), dtype=np.uint8)
            _decode_values(self._state, self._desk.coder, self._desk.data, part)
            parts.append(part)
            self._desk.check()
        return np.concatenate(parts)

    def learn(self, values: Values) -> None:
        """Learn a program's output."""
        _learn_events(self._state, values, np.empty(8 * len(values), dtype=np.int32))


def _stretches(values: Values) -> Iterator[Values]:
    for start in range(0, len(values), STRETCH):
        yield values[start : start + STRETCH]


@njit(cache=True)
def _learn_events(state: Any, values: Values, events: NDArray[np.int32]) -> None:
    """Learn `values`; note each bit with the probability that it had."""
    for i in range(len(values)):
        for shift in range(7, -1, -1):
            bit = (np.int64(values[i]) >> shift) & 1
            events[8 * i + 7 - shift] = 2 * general.predict(state) + bit
            general.update(state, bit)


@njit(cache=True)
def _decode_values(state: Any, coder: NDArray[np.int64], data: Bytes, values: Values) -> None:
    """Fill `values` from the stream, and learn them."""
    for i in range(len(values)):
        value = np.int64(0)
        for _ in range(8):
            bit = decode_bit(coder, data, general.predict(state))
            general.update(state, bit)
            value = value * 2 + bit
        values[i] = value
