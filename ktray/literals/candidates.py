"""The models for whole blocks, each with its header, and a quick look at which of them could suit a block."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ktray.coding.binary import Bytes
from ktray.coding.binary import State as CoderState
from ktray.errors import ArchiveError
from ktray.literals import general, nucleotide, signal
from ktray.literals.bases import find_bases
from ktray.literals.coding import Coded
from ktray.literals.records import MAX_PERIOD, MIN_PERIOD, ROWS, find_records
from ktray.literals.settings import SETTINGS_BYTES, MixerSettings
from ktray.literals.shapes import FURTHER_SHAPES, SHAPES, Shape
from ktray.sequences import Values

#: Numbers of the models; 1 to 5 were codings that no release had.
_GENERAL, _NUCLEOTIDES, _SAMPLES16, _SAMPLES8, _RECORDS = range(6, 11)
_MOST_ROWS = 22  # of a table of nucleotides, in bits
_FURTHER = 64  # in a header: the model with all parts
#: Shorter blocks are not worth a choice.
_FEWEST_BYTES = 64


class BlockModel(Coded, Protocol):
    """A model for one block. `header` begins with the model's number."""

    @property
    def name(self) -> str: ...

    def header(self) -> bytes:
        """What a decoder needs to make the same model."""

    def for_sample(self, start: int, n: int) -> BlockModel:
        """The same model for n bytes of the block, from `start` on."""


class GeneralModel:
    """The general mixer over bytes."""

    name = "general"
    bits = 8

    def __init__(self, settings: MixerSettings, preset: str = "default") -> None:
        self._settings, self._preset = settings, preset

    def header(self) -> bytes:
        """Its number and settings."""
        return bytes([_GENERAL]) + self._settings.header()

    def for_sample(self, start: int, n: int) -> GeneralModel:
        """Tables as for a block of n bytes."""
        return GeneralModel(MixerSettings.for_block(n, self._preset), self._preset)

    def load(self, data: Values) -> Values:
        """The bytes."""
        return data.copy()

    def blank(self, n: int) -> Values:
        """No bytes yet."""
        return np.zeros(n, np.uint8)

    def unload(self, elements: Values, n: int) -> Values:
        """The bytes."""
        return elements

    def begin(self) -> None:
        """An untrained mixer."""
        self._state = general.new_state(self._settings)

    def code(
        self, mode: int, coder: CoderState, buffer: Bytes, elements: Values, start: int, stop: int
    ) -> None:
        """See `Coded`."""
        general.code_bytes(mode, coder, buffer, self._state, elements, start, stop)


class NucleotideModel:
    """Values 0..7 seen as base and case; `bases` maps a value to base | case << 2, complements summing to
    3.
    """

    name = "nucleotides"
    bits = 3

    def __init__(self, bases: bytes, log_rows: int, extras: int = 0) -> None:
        self._bases, self._log_rows, self._extras = bases, log_rows, extras

    def settings(self) -> tuple[bytes, int, int]:
        """What it was made with: the map, the size of its tables, and its extras."""
        return self._bases, self._log_rows, self._extras

    def header(self) -> bytes:
        """Its number, the map, the size of its tables and its extras."""
        return bytes([_NUCLEOTIDES]) + self._bases + bytes([self._log_rows, self._extras])

    def for_sample(self, start: int, n: int) -> NucleotideModel:
        """The same tables: hashes must not collide more than in the block."""
        return NucleotideModel(*self.settings())

    def load(self, data: Values) -> Values:
        """Base and case of each value."""
        return np.frombuffer(self._bases, np.uint8)[data]

    def blank(self, n: int) -> Values:
        """No symbols yet."""
        return np.zeros(n, np.uint8)

    def unload(self, elements: Values, n: int) -> Values:
        """The values."""
        return np.argsort(np.frombuffer(self._bases, np.uint8)).astype(np.uint8)[elements]

    def begin(self) -> None:
        """An untrained model."""
        self._state = nucleotide.new_state(self._log_rows, self._extras)

    def code(
        self, mode: int, coder: CoderState, buffer: Bytes, elements: Values, start: int, stop: int
    ) -> None:
        """See `Coded`."""
        nucleotide.code_symbols(mode, coder, buffer, self._state, elements, start, stop)


@dataclass
class SignalModel:
    """Samples of one or two bytes, little-endian and signed; with `records`, rows of numbers modulo 256; in the
    larger shape where `further`.
    """

    number: int
    records: tuple[tuple[int, int], ...] = ()
    further: bool = False

    @property
    def name(self) -> str:
        """What `hint` calls it."""
        return {_SAMPLES16: "samples16", _SAMPLES8: "samples8", _RECORDS: "records"}[self.number]

    @property
    def bits(self) -> int:
        """Binary decisions a sample."""
        return 16 if self.number == _SAMPLES16 else 8

    def header(self) -> bytes:
        """Its number, and the records' periods."""
        first = bytes([self.number | _FURTHER * self.further])
        if self.number != _RECORDS:
            return first
        ends = [0, *(start + ROWS * period for start, period in self.records)]
        table = [(start - end, period) for (start, period), end in zip(self.records, ends, strict=False)]
        packed = zlib.compress(np.array(table, dtype="<u4").T.tobytes(), 9)
        return first + len(packed).to_bytes(4, "little") + packed

    def shape(self) -> Shape:
        """The parts that it has."""
        return (FURTHER_SHAPES if self.further else SHAPES)[self.name]

    def for_sample(self, start: int, n: int) -> SignalModel:
        """Records keep their places."""
        return replace(self, records=tuple((a - start, t) for a, t in self.records if 0 <= a - start < n))

    def load(self, data: Values) -> NDArray[np.int32]:
        """The samples; an odd byte at the end counts as a sample of its own."""
        if self.bits == 8:
            return data.view(np.int8).astype(np.int32)
        padded = np.concatenate([data, np.zeros(len(data) % 2, np.uint8)])
        samples: NDArray[np.int32] = padded.view("<i2").astype(np.int32)
        return samples

    def blank(self, n: int) -> NDArray[np.int32]:
        """No samples yet."""
        return np.zeros((n + 1) // 2 if self.bits == 16 else n, np.int32)

    def unload(self, elements: NDArray[np.int32], n: int) -> Values:
        """The bytes."""
        if self.bits == 8:
            return (elements & 255).astype(np.uint8)
        return elements.astype("<i2").view(np.uint8)[:n].copy()

    def begin(self) -> None:
        """Filters without weights."""
        self._state = signal.new_state(self.shape(), self.records)

    def code(self, mode: int, coder: CoderState, buffer: Bytes, elements: Any, start: int, stop: int) -> None:
        """See `Coded`."""
        signal.code_samples(mode, coder, buffer, self._state, elements, start, stop)


def model_of_header(payload: bytes, n: int) -> tuple[BlockModel, int]:
    """The model of a payload's header, and the header's length; raises ArchiveError where it is none."""
    reader = _READERS.get(payload[0])
    if reader is None:
        raise ArchiveError(
            f"literal bytes of unknown model {payload[0]}; the archive is damaged or of a newer version"
        )
    return reader(payload, n)


def _read_general(payload: bytes, n: int) -> tuple[BlockModel, int]:
    size = 1 + SETTINGS_BYTES
    return GeneralModel(MixerSettings.from_header(payload[1:size])), size


def _read_nucleotides(payload: bytes, n: int) -> tuple[BlockModel, int]:
    bases, sizes = payload[1:9], payload[9:11]
    known = len(sizes) == 2 and 12 <= sizes[0] <= _MOST_ROWS and sizes[1] < 2 * nucleotide.LATELY
    if sorted(bases) != list(range(8)) or not known:
        raise ArchiveError("a nucleotide header that maps values to no bases; the archive is damaged")
    return NucleotideModel(bases, *sizes), 11


def _read_samples(payload: bytes, n: int) -> tuple[BlockModel, int]:
    return SignalModel(payload[0] & ~_FURTHER, further=bool(payload[0] & _FURTHER)), 1


def _read_records(payload: bytes, n: int) -> tuple[BlockModel, int]:
    size = int.from_bytes(payload[1:5], "little")
    inflater = zlib.decompressobj()
    try:
        packed = inflater.decompress(payload[5 : 5 + size], 8 * (n // ROWS + 1))
        table = np.frombuffer(packed, "<u4").astype(np.int64).reshape(2, -1)
    except (zlib.error, ValueError):
        raise ArchiveError("a damaged table of records in a literal header; the archive is damaged") from None
    gaps, periods = table
    ends = np.cumsum(gaps + ROWS * periods)
    sound = inflater.eof and not (len(periods) and (periods.min() < MIN_PERIOD or periods.max() > MAX_PERIOD))
    if not sound or (len(ends) and ends[-1] > n):
        raise ArchiveError("a table of records that does not fit its block; the archive is damaged")
    starts = ends - ROWS * periods
    records = tuple(zip(starts.tolist(), periods.tolist(), strict=True))
    return SignalModel(_RECORDS, records, bool(payload[0] & _FURTHER)), 5 + size


_READERS: dict[int, Callable[[bytes, int], tuple[BlockModel, int]]] = {
    _GENERAL: _read_general,
    _NUCLEOTIDES: _read_nucleotides,
    **{number | further: _read_samples for number in (_SAMPLES16, _SAMPLES8) for further in (0, _FURTHER)},
    **{_RECORDS | further: _read_records for further in (0, _FURTHER)},
}


def models_for(data: Values, preset: str) -> list[BlockModel]:
    """The models worth trying on `data`: the general one, and those whose kind of data it might be."""
    further = preset == "max"
    models: list[BlockModel] = [GeneralModel(MixerSettings.for_block(len(data), preset), preset)]
    if len(data) < _FEWEST_BYTES:
        return models
    if int(data.max()) < 8:
        return [
            *models,
            NucleotideModel(
                find_bases(data),
                min(max(len(data).bit_length() + 1, 12), _MOST_ROWS),
                nucleotide.EXTRAS[preset],
            ),
        ]
    if _smooth(data.view(np.int8).astype(np.int32), 256):
        models.append(SignalModel(_SAMPLES8, further=further))
        records = find_records(data)
        if records:
            models.append(SignalModel(_RECORDS, records, further))
    if _smooth(data[: len(data) // 2 * 2].view("<i2").astype(np.int32), 65536):
        models.append(SignalModel(_SAMPLES16, further=further))
    return models


def _smooth(samples: NDArray[np.int32], span: int) -> bool:
    """Whether neighbours are much nearer to each other than samples far apart are (both modulo `span`)."""
    near, far = _distance(samples, 1, span), _distance(samples, 997 % max(len(samples) // 2, 2) + 1, span)
    return near < 0.7 * far


def _distance(samples: NDArray[np.int32], lag: int, span: int) -> float:
    d = np.abs(samples[lag:] - samples[:-lag]) % span
    return float(np.minimum(d, span - d).mean())
