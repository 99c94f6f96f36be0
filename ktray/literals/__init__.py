"""Literal models: what bytes cost that no program explains. Read `general` first, then `codec`.

`general` mixes many contexts of bytes: `following` makes the contexts, `buckets` and `matching` remember what
followed them, `inputs`, `layers` and `refining` make one probability of it. `signal` is the model of samples and
records (`shapes`, `filters`, `experts`), `nucleotide` that of bases (`strands`, `pointers`). `fixed`, `mixing` and
`coding` are common to all; `candidates` lists what a block may be coded with, `bases` and `records` look at it.

Two ways in. `encode_bytes(values, preset)` and `decode_bytes(payload, n)` take whole blocks and choose among
all models by measurement. Where literals are mixed with programs, drive the general model from compiled code:
`settings = MixerSettings.for_block(n, preset)`, `state = general.new_state(settings)` (a tuple of arrays),
then `general.predict(state)` and `general.update(state, bit)`, or `general.code_bytes(mode, coder, buffer,
state, data, start, stop)` for runs of bytes with mode ENCODE, DECODE or PRICE (`coding`; PRICE with a
`pricing_coder()` also trains on bytes that a program made). `settings.header()` goes into the archive,
`MixerSettings.from_header` reads it.
"""

from __future__ import annotations

from ktray.errors import ConfigError
from ktray.literals.codec import decode_bytes, encode_bytes
from ktray.literals.coding import DECODE, ENCODE, PRICE, pricing_coder
from ktray.literals.model import MixerModel
from ktray.literals.settings import PRESETS, MixerSettings
from ktray.literals.simple import Order0Model, UniformModel
from ktray.ports import LiteralModel

__all__ = [
    "DECODE",
    "ENCODE",
    "PRESETS",
    "PRICE",
    "LiteralModel",
    "MixerModel",
    "MixerSettings",
    "Order0Model",
    "UniformModel",
    "decode_bytes",
    "encode_bytes",
    "make_literal_model",
    "pricing_coder",
]


def make_literal_model(name: str, n: int = 1 << 20) -> LiteralModel:
    """The model called `name` ("uniform", "order0" or a preset of the mixer), for blocks of `n` bytes.

    Raises ConfigError for an unknown name.
    """
    if name == "uniform":
        return UniformModel()
    if name == "order0":
        return Order0Model()
    if name in PRESETS:
        return MixerModel(name, n)
    known = ", ".join(["uniform", "order0", *PRESETS])
    raise ConfigError(f"unknown literal model {name!r}; known: {known}")
