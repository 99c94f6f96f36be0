"""Codes, prompts and drawn inputs stay what they were; see `inversion_make.py`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

HERE = Path(__file__).parent


def test_codes_prompts_and_inputs_are_the_released_ones() -> None:
    spec = importlib.util.spec_from_file_location("inversion_make", HERE / "inversion_make.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    pinned = json.loads((HERE / "inversion_v1.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(made.golden())) == pinned
