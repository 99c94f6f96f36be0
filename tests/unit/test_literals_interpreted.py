"""Models write the same bytes compiled for this processor, for any, or interpreted: nothing depends on the
machine's arithmetic."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from ktray.literals import encode_bytes
from ktray.sequences import Values

_SCRIPT = """
import sys, hashlib, numpy as np
from ktray.literals import decode_bytes, encode_bytes
data = np.frombuffer(bytes.fromhex(sys.argv[1]), np.uint8)
payload = encode_bytes(data, sys.argv[3], hint=sys.argv[2])
assert np.array_equal(decode_bytes(payload, len(data)), data)
print(hashlib.sha256(payload).hexdigest())
"""


def _data(name: str) -> Values:
    random = np.random.default_rng(6)
    if name == "nucleotides":
        return np.resize(random.integers(0, 8, 40).astype(np.uint8), 90)
    wave = 90 * np.sin(np.arange(300) / 17) + random.normal(0, 1, 300)
    if name == "samples16":
        return (wave * 300).astype("<i2").view(np.uint8)[:90].copy()
    if name == "samples8":
        return wave.astype(np.int8).view(np.uint8)[:80].copy()
    return np.frombuffer(b"the theory of the thing is in the thing; " * 3, np.uint8)[:70].copy()


@pytest.mark.parametrize("name", ["general", "nucleotides", "samples16", "samples8"])
def test_interpreted_run_writes_the_same_bytes(name: str) -> None:
    _check_same_bytes(name, "fast", {"NUMBA_DISABLE_JIT": "1"})


@pytest.mark.parametrize("name", ["general", "nucleotides", "samples8"])
def test_interpreted_run_of_the_largest_preset_writes_the_same_bytes(name: str) -> None:
    _check_same_bytes(name, "max", {"NUMBA_DISABLE_JIT": "1"})


def test_run_compiled_for_any_processor_writes_the_same_bytes() -> None:
    _check_same_bytes("general", "default", {"NUMBA_CPU_NAME": "generic"})


def _check_same_bytes(name: str, preset: str, setting: dict[str, str]) -> None:
    data = _data(name)
    environment = {**os.environ, **setting}
    command = [
        sys.executable,
        "-W",
        "error::RuntimeWarning",
        "-c",
        _SCRIPT,
        data.tobytes().hex(),
        name,
        preset,
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    expected = hashlib.sha256(encode_bytes(data, preset, hint=name)).hexdigest()
    assert done.stdout.strip() == expected
