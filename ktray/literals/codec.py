"""Whole blocks of bytes to payloads and back: the first byte names the model, its settings follow.

`decode_bytes(encode_bytes(data), len(data)) == data`, and no payload is longer than 1 + len(data).
"""

from __future__ import annotations

import numpy as np

from ktray.errors import ArchiveError
from ktray.literals import general
from ktray.literals.settings import MixerSettings
from ktray.sequences import Values

_STORED, _GENERAL = 0, 1


def encode_bytes(data: Values, preset: str = "default") -> bytes:
    """Compress `data` (uint8) with the model that suits it best."""
    settings = MixerSettings.for_block(len(data), preset)
    payload = (
        bytes([_GENERAL])
        + settings.header()
        + general.encode_array(general.new_state(settings), data).tobytes()
    )
    if len(payload) > len(data):
        return bytes([_STORED]) + data.tobytes()
    return payload


def decode_bytes(payload: bytes, n: int) -> Values:
    """The `n` bytes that `encode_bytes` compressed; raises ArchiveError where the payload is none of its."""
    kind = payload[0] if payload else -1
    if kind == _STORED and len(payload) == n + 1:
        return np.frombuffer(payload, np.uint8, n, 1)
    if kind != _GENERAL:
        raise ArchiveError(
            f"literal bytes of unknown model {kind}; the archive is damaged or of a newer version"
        )
    state = general.new_state(MixerSettings.from_header(payload[1:5]))
    return general.decode_array(state, np.frombuffer(payload, np.uint8)[5:], n)
