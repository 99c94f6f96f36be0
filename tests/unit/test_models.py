"""The model that ships: whole, small, described, and a writer of right programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ktray.errors import ConfigError
from ktray.models import DEFAULT_MODEL, model_location, own_context, own_form, shipped
from ktray.seqcoder.forms import form_called
from ktray.seqcoder.scoring import score
from ktray.seqcoder.stream import PairStream, StreamSettings
from ktray.seqcoder.tokens import Vocabulary


def test_the_default_model_ships_within_20_mb_with_its_card() -> None:
    assert DEFAULT_MODEL in shipped()
    folder = Path(model_location(DEFAULT_MODEL))
    assert sum(file.stat().st_size for file in folder.iterdir()) < 20e6
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert all(word in card for word in ("pairs", "seed", "hours"))
    assert own_form(DEFAULT_MODEL) == "sketch"
    assert own_context("someone/else") == 0


def test_it_writes_right_programs_for_short_sequences_that_it_has_not_seen() -> None:
    from transformers import AutoModelForCausalLM

    form, context = form_called(own_form(DEFAULT_MODEL)), own_context(DEFAULT_MODEL)
    vocabulary = Vocabulary.of(form, context)
    examples = PairStream(StreamSettings(), form, vocabulary, context).draw("short", 77, 0, 48)
    model = AutoModelForCausalLM.from_pretrained(model_location(DEFAULT_MODEL))
    found = score(model, form, vocabulary, sorted(examples, key=len), context)
    assert found.sequences == 48
    assert found.shorter >= 24  # programs below their sequences' raw bits: no mere literals


def test_a_damaged_folder_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "seqcoder.json").write_text('{"form": "sketch"}')
    with pytest.raises(ConfigError, match=r"seqcoder\.json: 'context'; expected a model's folder"):
        own_context(str(tmp_path))
