"""Training: what a step sees, the same curve after a restart, and a model that learns."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ktray.config import parse as parse_config
from ktray.dsl.parser import parse
from ktray.errors import ConfigError, ProgramError, RunDirectoryError
from ktray.seqcoder.forms import FORMS, form_called
from ktray.seqcoder.model import ModelSettings
from ktray.seqcoder.settings import OptimiserSettings, TrainSettings
from ktray.seqcoder.stream import Example, PairStream, StreamSettings, batch_of, pack
from ktray.seqcoder.tokens import Vocabulary, fast_tokenizer

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

MODEL = ModelSettings(layers=1, width=32, heads=2, context=96)
DATA = StreamSettings(curriculum=("first-steps",), pairs=8, groups=2, chunk=2)
PROGRAM = parse("sequence_1 = set_list([7, 3])\nsequence_2 = range_func_up(1, 9)\noutput = sequence_2")


def settings(steps: int = 8) -> TrainSettings:
    return TrainSettings(
        MODEL, DATA, OptimiserSettings(rate=3e-3, warmup=2, steps=steps), evaluate_every=4, held_out=8
    )


def stream(data: StreamSettings = DATA, context: int = 96) -> PairStream:
    form = form_called("sketch")
    return PairStream(data, form, Vocabulary.of(form, context), context)


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_form_reads_what_it_wrote(name: str) -> None:
    form = form_called(name)
    vocabulary = Vocabulary.of(form, 64)
    ids = vocabulary.reply(form, PROGRAM)
    text = form.program_text(vocabulary.text(ids.tolist()), list(range(1, 10)))
    assert text.endswith("output = sequence_1" if name == "sketch" else "output = sequence_2")
    assert "range_func_up(1, 9)" in text


@pytest.mark.parametrize("name", sorted(FORMS))
def test_the_fast_tokenizer_agrees(name: str) -> None:
    form = form_called(name)
    vocabulary = Vocabulary.of(form, 64)
    tokenizer = fast_tokenizer(vocabulary, 64)
    for values in ([0, 200, 255], [7, 7, 7, 8, 9, 10], []):
        sequence = np.array(values, np.uint8)
        prompt = vocabulary.prompt(sequence)
        assert tokenizer(form.prompt(sequence))["input_ids"] == prompt.tolist()
        assert len(prompt) == len(values) + 2
    ids = vocabulary.reply(form, PROGRAM).tolist()
    assert tokenizer(form.text(PROGRAM))["input_ids"] == ids[:-1]
    again = tokenizer.decode(ids, skip_special_tokens=True)
    assert form.program_text(again, list(range(1, 10))) == form.program_text(
        form.text(PROGRAM), list(range(1, 10))
    )


def test_a_value_stands_at_its_place_after_one_bracket() -> None:
    vocabulary = Vocabulary.of(form_called("sketch"), 64)
    prompt = vocabulary.prompt(np.array([9, 4], np.uint8))
    assert [vocabulary.words[i] for i in prompt] == ["[", "9", "4", "]"]
    with pytest.raises(ProgramError, match="not a word"):
        vocabulary.id_of("@64")


def test_a_step_is_a_function_of_its_number() -> None:
    one, other = stream(), stream()
    other.step(5)
    for a, b in zip(one.step(1), other.step(1), strict=True):
        assert np.array_equal(a.ids, b.ids)
    assert not np.array_equal(one.step(0)[0].ids, one.step(2)[0].ids)
    assert sum(len(batch.ids) for batch in one.step(0)) == DATA.pairs


def test_only_replies_are_trained_on_and_end_with_the_end() -> None:
    example = stream().held_out(1)[0]
    batch = batch_of([example])
    assert np.array_equal(batch.targets[0][batch.in_reply[0]], example.reply)
    assert np.array_equal(batch.targets[0][batch.in_prompt[0]], example.prompt[1:-1])
    assert example.reply[-1] == 1


def test_packed_rows_hold_whole_examples_from_position_0_on() -> None:
    examples = stream().held_out(12)
    batches = list(pack(examples, 96, 3))
    assert len(batches) <= 3
    replies = sorted(e.reply.tolist() for e in examples)
    found = []
    for batch in batches:
        assert batch.positions is not None
        for row in range(len(batch.ids)):
            starts = np.flatnonzero((batch.positions[row] == 0) & (batch.ids[row] == 3))
            for start, stop in zip(starts, [*starts[1:], 96], strict=True):
                found.append(batch.targets[row, start:stop][batch.in_reply[row, start:stop]].tolist())
    assert sorted(found) == replies


def test_excluded_sequences_are_never_drawn(tmp_path: Path) -> None:
    import json

    from ktray.seqcoder.sources import Sources

    free = stream()
    values = [e.values.tolist() for e in free.draw("first-steps", 0, 0, 8)]
    path = tmp_path / "held.jsonl"
    path.write_text("".join(json.dumps({"sequence": v}) + "\n" for v in values[:4]), encoding="utf-8")
    form = form_called("sketch")
    kept = PairStream(DATA, form, Vocabulary.of(form, 96), 96, Sources(exclude=str(path)))
    assert [e.values.tolist() for e in kept.draw("first-steps", 0, 0, 4)] == values[4:]


def test_the_curriculum_moves_on_and_then_mixes() -> None:
    data = StreamSettings(("first-steps", "short", "published"), 32, ("long",), pairs=8, groups=2, chunk=2)
    assert [data.preset_of(chunk) for chunk in range(7)] == [
        "first-steps", "first-steps", "short", "short", "published", "long", "published",
    ]  # fmt: skip


def test_schedules() -> None:
    cosine = OptimiserSettings(rate=1.0, warmup=10, steps=110, least=0.1)
    assert cosine.rate_at(4) == pytest.approx(0.5)
    assert cosine.rate_at(60) == pytest.approx(0.55)
    assert cosine.rate_at(110) == pytest.approx(0.1)
    flat = OptimiserSettings(rate=1.0, schedule="wsd", warmup=0, steps=100, decay_steps=20, least=0.0)
    assert [flat.rate_at(s) for s in (50, 80, 90, 100)] == pytest.approx([1, 1, 0.5, 0])


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("model.width", "33", "a multiple of heads"),
        ("model.form", "sketches", "did you mean 'sketch'"),
        ("model.lora", "8", "--model.start"),
        ("data.groups", "7", "a multiple of groups"),
        ("data.curriculum", "[hard]", "preset"),
        ("optimiser.schedule", "linear", "cosine or wsd"),
        ("precision", "int8", "float32 or bfloat16"),
    ],
)
def test_wrong_settings_are_named(key: str, value: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        parse_config(TrainSettings, [f"--{key}", value], prog="train", description="")


def test_a_restart_reaches_the_same_curve_and_weights(tmp_path: Path) -> None:
    import torch

    from ktray.seqcoder.loop import Trainer
    from ktray.seqcoder.sources import Sources
    from ktray.seqcoder.team import Team

    whole = Trainer(settings(), tmp_path / "whole", Team(), Sources())
    whole.run()
    stopped = Trainer(settings(), tmp_path / "parts", Team(), Sources())
    stopped.run(stop=lambda: stopped.progress.step == 6)
    again = Trainer(settings(), tmp_path / "parts", Team(), Sources())
    assert again.progress.step == 6
    again.run()
    assert [row["step"] for row in again.progress.curve] == [4, 8]
    for name in ("loss", "held_out_loss", "accuracy"):
        a, b = ([row[name] for row in t.progress.curve] for t in (whole, again))
        assert a == pytest.approx(b, abs=1e-3)
    for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    assert (tmp_path / "parts" / "curves.csv").read_text().count("\n") == 3


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    from ktray.seqcoder.loop import Trainer
    from ktray.seqcoder.sources import Sources
    from ktray.seqcoder.team import Team

    Trainer(settings(1), tmp_path, Team(), Sources()).run()
    with pytest.raises(RunDirectoryError, match="another model"):
        Trainer(replace(settings(1), model=replace(MODEL, layers=2)), tmp_path, Team(), Sources())


def test_losses_fall_and_the_model_that_is_written_loads(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ktray.seqcoder.loop import Trainer
    from ktray.seqcoder.sources import Sources
    from ktray.seqcoder.team import Team

    trainer = Trainer(settings(40), tmp_path, Team(), Sources())
    curve = trainer.run().curve
    assert curve[-1]["loss"] < 0.8 * curve[0]["loss"]
    folder = trainer.export()
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.config.vocab_size >= len(tokenizer)
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in trainer.model.parameters())
    further = replace(settings(40), model=replace(MODEL, start=str(folder)))
    again = Trainer(further, tmp_path / "further", Team(), Sources())
    assert again.evaluate()["held_out_loss"] == pytest.approx(curve[-1]["held_out_loss"], abs=0.05)
    with pytest.raises(ConfigError, match=r"--model.form sketch --model.context 96"):
        Trainer(
            replace(further, model=replace(further.model, context=128)), tmp_path / "no", Team(), Sources()
        )


def test_an_ordinary_model_is_fine_tuned_with_adapters(tmp_path: Path) -> None:
    """A model with a tokenizer of its own learns to write the DSL; its adapters are merged when it is written."""
    from transformers import AutoModelForCausalLM

    from ktray.seqcoder.loop import Trainer
    from ktray.seqcoder.sources import Sources
    from ktray.seqcoder.team import Team
    from ktray.testing.models import make_tiny_model

    start = make_tiny_model(tmp_path / "start")
    model = ModelSettings(start=str(start), form="program", context=4096, lora=2)
    data = replace(DATA, pairs=2, groups=1)
    tuning = TrainSettings(
        model, data, OptimiserSettings(rate=0.05, warmup=0, steps=2), evaluate_every=0, recompute=True
    )
    trainer = Trainer(tuning, tmp_path / "run", Team(), Sources())
    trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    assert 0 < trained < 0.2 * sum(p.numel() for p in trainer.model.parameters())
    trainer.run()
    written = AutoModelForCausalLM.from_pretrained(trainer.export()).state_dict()
    before = AutoModelForCausalLM.from_pretrained(start).state_dict()
    assert set(written) == set(before)
    assert any((written[name].float() - before[name].float()).abs().max() > 1e-3 for name in before)


def test_packing_trains_like_rows_of_their_own() -> None:
    """The loss of a packed batch is that of its examples, one by one."""
    import torch

    from ktray.seqcoder.loop import Trainer
    from ktray.seqcoder.sources import Sources
    from ktray.seqcoder.team import Team

    trainer = Trainer(settings(), Path("unused"), Team(), Sources())
    examples: list[Example] = trainer.stream.held_out(6)
    with torch.no_grad():
        alone = sum(float(trainer._losses(batch_of([e]))[0]) for e in examples)
        packed = sum(float(trainer._losses(b)[0]) for b in pack(examples, 96, 2))
    assert packed == pytest.approx(alone, rel=1e-4)


def test_attention_in_float32_is_the_same_attention_and_stays_float32_under_autocast() -> None:
    import torch

    from ktray.seqcoder.attention import attend_in_float32
    from ktray.seqcoder.model import build

    model = build(MODEL, seed=1).eval()
    ids = torch.from_numpy(batch_of(stream().held_out(4)).ids)
    with torch.no_grad():
        plain = model(input_ids=ids).logits
        attend_in_float32(model)
        assert torch.allclose(model(input_ids=ids).logits, plain, atol=1e-5)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model(input_ids=ids).logits
    assert 0 < (rounded.float() - plain).abs().max() < 0.1


def test_the_last_layer_for_chosen_tokens_alone_gives_what_the_whole_model_gives() -> None:
    import torch

    from ktray.seqcoder.model import build, trunk
    from ktray.seqcoder.shortcut import states_in_rows

    model = build(replace(MODEL, layers=2), seed=1).eval()
    batch = batch_of(stream().held_out(5))
    ids, rows = torch.from_numpy(batch.ids), torch.from_numpy(batch.in_reply)
    assert len(set(batch.in_reply.sum(1).tolist())) > 1  # replies of several lengths
    whole = trunk(model)(ids, use_cache=False).last_hidden_state[rows]
    assert torch.allclose(states_in_rows(model, ids, rows), whole, atol=1e-5)
