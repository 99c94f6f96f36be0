"""Settings of the general model: what a block's header holds, chosen from the block's length and a preset."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ktray.errors import ArchiveError, ConfigError

_HEADER = struct.Struct("<BBBB")
SETTINGS_BYTES = _HEADER.size

#: name -> (most memory for buckets in MiB, contexts, doubts, runs)
PRESETS = {"fast": (64, 10, False, False), "default": (256, 18, False, False), "max": (512, 34, True, True)}
#: Contexts that the general model knows.
MIN_CONTEXTS, MAX_CONTEXTS = 7, 34
_DOUBTS, _RUNS = 64, 128
#: Largest tables of any preset, in bits; with doubts, which triple a bucket, half the buckets.
_MOST_BUCKETS, _MOST_HISTORY, _MOST_RUNS = 24, 26, 22


def check_preset(preset: str) -> None:
    """Raise ConfigError where `preset` is none."""
    if preset not in PRESETS:
        raise ConfigError(f"unknown literal preset {preset!r}; known: {', '.join(PRESETS)}")


@dataclass(frozen=True, slots=True)
class MixerSettings:
    """Sizes of the general model's tables, as powers of two, and what it mixes.

    `buckets` of 16 bytes each, `history` bytes, `runs` of 4 bytes each. Each of `contexts` gives one input;
    another one where `with_doubts` (what it says where it has seen one kind of bit alone), and another one
    where `with_runs` (the byte that followed last). Doubts are the largest preset's, which also has all sets of
    weights, and counters that no history stands between.
    """

    buckets: int
    history: int
    runs: int
    contexts: int
    with_doubts: bool = False
    with_runs: bool = False

    @property
    def sets(self) -> int:
        """Sets of weights in the first layer."""
        return 12 if self.with_doubts else 6

    @property
    def directs(self) -> int:
        """Contexts that have counters of their own."""
        return 4 if self.with_doubts else 0

    def header(self) -> bytes:
        """Four bytes."""
        mixed = self.contexts + _DOUBTS * self.with_doubts + _RUNS * self.with_runs
        return _HEADER.pack(self.buckets, self.history, self.runs, mixed)

    @classmethod
    def from_header(cls, header: bytes) -> MixerSettings:
        """Read `header`; raises ArchiveError where it is none."""
        if len(header) != SETTINGS_BYTES:
            raise ArchiveError(
                f"a literal header of {len(header)} bytes, expected {SETTINGS_BYTES}; the archive is damaged"
            )
        buckets, history, runs, mixed = _HEADER.unpack(header)
        settings = cls(buckets, history, runs, mixed & 63, bool(mixed & _DOUBTS), bool(mixed & _RUNS))
        buckets = _MOST_BUCKETS - settings.with_doubts
        sizes = (
            10 <= settings.buckets <= buckets
            and 10 <= settings.history <= _MOST_HISTORY
            and 8 <= settings.runs <= _MOST_RUNS
        )
        if not (sizes and MIN_CONTEXTS <= settings.contexts <= MAX_CONTEXTS):
            raise ArchiveError(f"a literal header asks for {settings}; the archive is damaged")
        return settings

    @classmethod
    def for_block(cls, n: int, preset: str = "default") -> MixerSettings:
        """The settings for a block of about `n` bytes; raises ConfigError for an unknown preset."""
        check_preset(preset)
        memory, contexts, doubts, runs = PRESETS[preset]
        need = max(n, 64).bit_length()
        most = (
            (memory << 20) // (48 if doubts else 16)
        ).bit_length() - 1  # a bucket's bytes, with its counters
        sizes = (
            min(max(need + 3, 12), most),
            min(max(need, 10), _MOST_HISTORY),
            min(max(need + 2, 10), _MOST_RUNS),
        )
        return cls(*sizes, contexts, doubts, runs)
