"""The sampler: what it draws runs, repeats by seed, keeps its settings, and has the published statistics."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ktray.corpora.synthetic import PRESETS, PUBLISHED, SamplerSettings, preset, sample_columns, sample_pairs
from ktray.dsl.encoded import decode_program, encode_program
from ktray.dsl.interpreter import execute_text, interpret
from ktray.dsl.parser import parse
from ktray.dsl.program import DslProgram
from ktray.errors import ConfigError
from ktray.priors.uniform import published_bits


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_program_gives_its_sequence(name: str) -> None:
    settings = preset(name)
    for text, values in sample_pairs(settings, seed=3, shard=1, count=300):
        made = execute_text(text).values
        assert made is not None
        assert np.array_equal(made, values)
        assert settings.output_lengths[0] <= len(values) <= settings.output_lengths[1]


def test_flat_programs_come_back() -> None:
    pairs = sample_columns(PUBLISHED, seed=1, shard=0, count=500)
    assert len(pairs) == 500
    for flat, values in pairs.rows():
        program = decode_program(flat.tolist())
        assert encode_program(program) == flat.tolist()
        made = interpret(program).values
        assert made is not None
        assert np.array_equal(made, values)


def test_a_shard_is_a_function_of_seed_and_number() -> None:
    first = sample_columns(PUBLISHED, 5, 2, 200)
    again = sample_columns(PUBLISHED, 5, 2, 200)
    longer = sample_columns(PUBLISHED, 5, 2, 400)
    assert np.array_equal(first.values, again.values)
    assert np.array_equal(first.flat, longer.flat[: len(first.flat)])
    for seed, shard in ((6, 2), (5, 3)):
        assert not np.array_equal(first.flat[:2000], sample_columns(PUBLISHED, seed, shard, 200).flat[:2000])


def test_pinned_draw() -> None:
    """The same on every machine: the first pair of seed 0, shard 0."""
    ((text, values),) = sample_pairs(PUBLISHED, 0, 0, 1)
    assert text.splitlines()[0] == PINNED_LINE
    assert values[:8].tolist() == PINNED_VALUES


PINNED_LINE = "sequence_1 = range_func_interval(224, 256, 4)"
PINNED_VALUES = [224, 228, 232, 236, 240, 244, 248, 252]


def test_settings_take_effect() -> None:
    alone = replace(PUBLISHED, initiators=(1, 1), list_gate=0.0, math_gate=0.0, scan=0.0, reuse=0.0)
    only_sets = replace(
        alone, initiator_weights=(0, 0, 0, 1), filter_gate=0.0, pair_gate=0.0, value_range=(10, 20)
    )
    for text, values in sample_pairs(only_sets, 0, 0, 50):
        assert text.startswith("sequence_1 = set_list([")
        assert text.endswith("output = sequence_1")
        assert 10 <= values.min() <= values.max() <= 20
    walks = replace(only_sets, value_range=(0, 255), walk=1.0, walk_step=2)
    steps = [np.abs(np.diff(values.astype(int))).max() for _, values in sample_pairs(walks, 0, 0, 50)]
    assert max(steps) == 2
    letters = replace(only_sets, value_range=(0, 255), alphabet=1.0, alphabet_size=3)
    assert max(len(set(values.tolist())) for _, values in sample_pairs(letters, 0, 0, 50)) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"lengths": (9, 5)},
        {"lengths": (0, 5)},
        {"value_range": (0, 256)},
        {"reuse": 1.5},
        {"initiator_weights": (0, 0, 0, 0)},
        {"walk_step": 0},
        {"value_range": (5, 6)},
        {"longest_repeat": -1},
    ],
)
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        replace(PUBLISHED, **wrong)


def test_lengths_out_of_reach_and_unknown_presets_are_config_errors() -> None:
    impossible = replace(PUBLISHED, initiators=(1, 1), reuse=0.0, list_gate=0.0, output_lengths=(2000, 3000))
    with pytest.raises(ConfigError, match="output_lengths"):
        sample_columns(impossible, 0, 0, 1)
    with pytest.raises(ConfigError, match="published"):
        preset("publishd")


def _operations(programs: list[DslProgram]) -> list[Counter[str]]:
    return [Counter(call.op for call in program.lines) for program in programs]


def test_published_statistics() -> None:
    """Over 1 MB: mean length 75.2, s.d. 74.9, 8.66 lines, uniform rate 0.331, gzip 0.498."""
    pairs = sample_columns(PUBLISHED, seed=20, shard=0, count=13_406)
    lengths = np.diff(pairs.value_ends, prepend=0)
    programs = [decode_program(flat.tolist()) for flat, _ in pairs.rows()]
    assert lengths.mean() == pytest.approx(75.2, rel=0.03)
    assert lengths.std() == pytest.approx(74.9, rel=0.06)
    assert np.mean([len(p.lines) + 1 for p in programs]) == pytest.approx(8.66, rel=0.03)
    bits = sum(1 + published_bits(p) for p in programs)
    assert bits / (8 * len(pairs.values)) == pytest.approx(0.331, abs=0.006)
    assert len(gzip.compress(pairs.values.tobytes(), 9)) / len(pairs.values) == pytest.approx(
        0.498, abs=0.015
    )


def test_operations_are_as_frequent_as_in_the_published_pairs(published: Path) -> None:
    """22 frequencies within 2.5 standard errors; `substitute` within 3: ours is 6 % more frequent."""
    with gzip.open(published / "kt-1mb" / "synthetic_pairs.jsonl.gz", "rt") as file:
        theirs = _operations([parse(json.loads(line)["program"]) for line in file])
    pairs = sample_columns(PUBLISHED, seed=21, shard=0, count=60_000)
    ours = _operations([decode_program(flat.tolist()) for flat, _ in pairs.rows()])
    for op in set().union(*theirs):
        a, b = (np.array([counts[op] for counts in side]) for side in (theirs, ours))
        error = np.sqrt(a.var() / len(a) + b.var() / len(b))
        assert abs(a.mean() - b.mean()) <= (3 if op == "substitute" else 2.5) * error, op


def test_defaults_are_the_published_ones() -> None:
    assert SamplerSettings() == PUBLISHED == preset("published")
