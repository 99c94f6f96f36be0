"""Whole blocks of bytes to payloads and back: the first byte names the model, its settings follow.

`decode_bytes(encode_bytes(data), len(data)) == data`, and no payload is longer than 1 + len(data). Which
model is taken is measured on a sample of the block; the decoder reads it.
"""

from __future__ import annotations

import lzma

import numpy as np

from ktray.errors import ArchiveError, ConfigError
from ktray.literals.candidates import BlockModel, model_of_header, models_for
from ktray.literals.coding import decode_all, encode_all, price_all
from ktray.literals.settings import check_preset
from ktray.sequences import Values

_STORED = b"\x00"
#: Candidates are compared on so many bytes in two places of a block; nucleotides on more, for their contexts.
SAMPLE_BYTES = 16384
_SAMPLE_SYMBOLS = 65536
#: A model that needs less than this share of LZMA's bytes is taken unseen against the general one, whose loops
#: then need not be compiled.
_CLEAR = {"samples16": 0.75, "samples8": 0.75, "records": 0.93}


def encode_bytes(data: Values, preset: str = "default", hint: str = "") -> bytes:
    """Compress `data` (uint8) with the model that suits it best, or the one called `hint`.

    Raises ConfigError for an unknown preset, or a hint that names no model for these bytes.
    """
    check_preset(preset)
    model = choose_model(data, preset, hint)
    payload = model.header() + encode_all(model, data)
    return payload if len(payload) <= len(data) else _STORED + data.tobytes()


def decode_bytes(payload: bytes, n: int) -> Values:
    """The `n` bytes that `encode_bytes` compressed; raises ArchiveError where the payload is none of its."""
    if payload[:1] == _STORED and len(payload) == n + 1:
        return np.frombuffer(payload, np.uint8, n, 1).copy()
    if not payload or payload[:1] == _STORED:
        raise ArchiveError(f"{len(payload)} literal bytes for {n} values; the archive is damaged")
    model, size = model_of_header(payload, n)
    return decode_all(model, np.frombuffer(payload, np.uint8)[size:].copy(), n)


def choose_model(data: Values, preset: str, hint: str = "") -> BlockModel:
    """The model that codes a sample of `data` in the fewest bits, among those that can code it at all.

    Raises ConfigError for a hint that names none.
    """
    models = models_for(data, preset)
    if hint:
        models = [model for model in models if model.name == hint]
        if not models:
            raise ConfigError(
                f"the literal model {hint!r} cannot code these {len(data)} bytes; leave the hint out"
            )
    if len(models) == 1:
        return models[0]
    size = _SAMPLE_SYMBOLS if any(model.name == "nucleotides" for model in models) else SAMPLE_BYTES
    starts = sorted({max(0, len(data) * k // 4 - size // 2) // 2 * 2 for k in (1, 3)})

    def price(model: BlockModel) -> int:
        return sum(price_all(model.for_sample(a, size), data[a : a + size]) for a in starts)

    general, *special = models
    prices = {model.name: price(model) for model in special}
    best = min(special, key=lambda model: prices[model.name])
    packed = sum(len(lzma.compress(data[a : a + size].tobytes())) for a in starts) * 8 << 16
    if prices[best.name] < _CLEAR.get(best.name, 0.0) * packed:
        return best
    return best if prices[best.name] < price(general) else general
