"""Literal models: what bytes cost that no program explains. Read `general` first, then `codec`.

Two ways in. `encode_bytes(values, preset)` and `decode_bytes(payload, n)` (in `codec`) take whole blocks and choose
among all models by measurement. Where literals are mixed with programs, drive the general model byte by byte from
compiled code: `settings = MixerSettings.for_block(n, preset)`, `state = general.new_state(settings)` (a tuple of
arrays), then `general.encode_byte(state, coder, out, byte)`, `general.decode_byte(state, coder, data)`,
`general.learn_byte(state, byte)` (trains on a byte a program made, returns its cost in 1/65536 bits) and
`general.cost_bytes(state, values)`; `settings.header()` goes into the archive, `MixerSettings.from_header` reads it.
"""

from __future__ import annotations

from ktray.errors import ConfigError
from ktray.literals.codec import decode_bytes, encode_bytes
from ktray.literals.model import MixerModel
from ktray.literals.settings import PRESETS, MixerSettings
from ktray.literals.simple import Order0Model, UniformModel
from ktray.ports import LiteralModel

__all__ = [
    "PRESETS",
    "LiteralModel",
    "MixerModel",
    "MixerSettings",
    "Order0Model",
    "UniformModel",
    "decode_bytes",
    "encode_bytes",
    "make_literal_model",
]


def make_literal_model(name: str, n: int = 1 << 20) -> LiteralModel:
    """The model called `name` ("uniform", "order0" or a preset of the mixer), sized for blocks of `n` bytes."""
    if name == "uniform":
        return UniformModel()
    if name == "order0":
        return Order0Model()
    if name in PRESETS:
        return MixerModel(name, n)
    known = ", ".join(["uniform", "order0", *PRESETS])
    raise ConfigError(f"unknown literal model {name!r}; known: {known}")
