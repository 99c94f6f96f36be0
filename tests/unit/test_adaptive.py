"""The adaptive prior on examples: figures, fallbacks, damage, the same numbers everywhere."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ktray.archive import decode_block, encode_block
from ktray.corpora.synthetic import SamplerSettings, sample_pairs
from ktray.dsl.interpreter import execute_text
from ktray.errors import ArchiveError, ConfigError
from ktray.ports import CodedBlock, Entry
from ktray.priors.adaptive import AdaptivePrior
from ktray.priors.adaptive.counts import blank_counts, load_counts, save_counts
from ktray.priors.adaptive.explain import explain
from ktray.priors.adaptive.learn import learned_counts
from ktray.programs import Language, Program
from ktray.sequences import Values
from ktray.testing.archives import uncut_block, write_archive

LITERALS = ("uniform", "order0", "fast")


def dsl(text: str) -> Program:
    return Program(Language.DSL, text)


def run(program: Program) -> Values:
    if program.language is Language.PYTHON:
        scope: dict[str, list[int]] = {}
        exec(program.text, scope)
        return np.array(scope["output"], np.uint8)
    values = execute_text(program.text).values
    assert values is not None
    return values


def sampled(count: int, seed: int = 5) -> list[Entry]:
    return [Entry(values, dsl(text)) for text, values in sample_pairs(SamplerSettings(), seed, 0, count)]


def restored(
    prior: AdaptivePrior, entries: list[Entry], sized: bool = True
) -> tuple[CodedBlock, list[Entry]]:
    lengths = None if sized else np.array([len(entry.values) for entry in entries], np.int64)
    block = prior.encode(entries, lengths)
    return block, prior.decode(block.payload, len(entries), lengths, run)


def same(left: list[Entry], right: list[Entry]) -> bool:
    return all(np.array_equal(a.values, b.values) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("literals", LITERALS)
@pytest.mark.parametrize("sized", [True, False])
def test_programs_and_literals_come_back_in_order(literals: str, sized: bool) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (40, 33), dtype=np.uint8)
    entries = [entry for pair in zip(sampled(40), map(Entry, noise), strict=True) for entry in pair]
    block, back = restored(AdaptivePrior(literals), entries, sized)
    assert same(entries, back)
    assert block.as_program[::2].mean() > 0.9
    assert not block.as_program[1::2].any()
    assert [entry.program is not None for entry in back] == block.as_program.tolist()
    coded = block.program_bits + block.literal_bits + block.flag_bits
    assert coded <= 8 * len(block.payload) < coded + 100


def test_a_block_costs_what_its_ledger_says() -> None:
    """Within 0.01 bit a program, beside the header, which an empty block has, too."""
    entries, prior = sampled(2000), AdaptivePrior()
    block = prior.encode(entries, None)
    spent = block.program_bits + block.literal_bits + block.flag_bits
    stream = len(block.payload) - len(prior.encode([], None).payload)
    assert abs(8 * stream - spent) < 0.01 * len(entries)


def test_quoted_prices_are_what_unlearning_code_costs() -> None:
    prior = AdaptivePrior(counts=learned_counts(2, 1500))
    entries = sampled(300, seed=8)
    prices = prior.prices([entry.program for entry in entries if entry.program])
    alone = [prior.encode([entry], None) for entry in entries]
    for price, block in zip(prices, alone, strict=True):
        if block.as_program[0]:
            assert abs(block.program_bits - price) < 0.3 + 0.02 * price


def test_python_programs_and_oversized_dsl_are_kept_as_texts() -> None:
    python = Program(Language.PYTHON, "output = [i * i % 251 for i in range(300)]")
    big = dsl("sequence_1 = set_list([4611686018427387000])\n"
              "sequence_2 = subtract_item_list(sequence_1, 4611686018427386991)\n"
              "sequence_3 = repeat_list(400, sequence_2)\noutput = sequence_3")  # fmt: skip
    entries = [Entry(run(python), python), *sampled(3), Entry(run(big), big), Entry(run(python), python)]
    block, back = restored(AdaptivePrior(), entries)
    assert same(entries, back)
    assert block.as_program[[0, -2, -1]].all()
    assert (back[0].program, back[-2].program, back[-1].program) == (python, big, python)


def test_a_program_that_gives_something_else_is_not_stored() -> None:
    wrong = Entry(np.arange(50, dtype=np.uint8), dsl("sequence_1 = repeat_num(50, 1)\noutput = sequence_1"))
    block, back = restored(AdaptivePrior(), [wrong])
    assert not block.as_program[0]
    assert same([wrong], back)


def test_a_dear_program_gives_way_to_the_literal() -> None:
    program = dsl("sequence_1 = set_list([7, 8])\nsequence_2 = reverse_list(sequence_1)\noutput = sequence_2")
    entry = Entry(np.array([8, 7], np.uint8), program)
    block, back = restored(AdaptivePrior("uniform"), [entry], sized=False)
    assert not block.as_program[0]
    assert same([entry], back)


def test_empty_blocks_and_empty_sequences() -> None:
    assert restored(AdaptivePrior(), [])[1] == []
    nothing = Entry(np.zeros(0, np.uint8))
    assert same([nothing] * 3, restored(AdaptivePrior(), [nothing] * 3)[1])


def test_long_literals_cross_the_stretch() -> None:
    values = np.random.default_rng(1).integers(0, 4, 70_000).astype(np.uint8)
    block, back = restored(AdaptivePrior(), [Entry(values)])
    assert same([Entry(values)], back)
    assert 2.0 <= 8 * len(block.payload) / len(values) < 2.1


def test_damage_is_an_archive_error() -> None:
    entries = sampled(60)
    prior = AdaptivePrior()
    payload = prior.encode(entries, None).payload
    rng = np.random.default_rng(11)
    for _ in range(80):
        damaged = bytearray(payload)
        damaged[rng.integers(len(payload))] ^= 1 << rng.integers(8)
        cut = bytes(damaged[: rng.integers(len(payload) + 1)]) if rng.random() < 0.5 else bytes(damaged)
        try:
            back = prior.decode(cut, len(entries), None, run)
        except (ArchiveError, ValueError):
            continue
        assert len(back) == len(entries)


def test_other_counts_are_told_apart() -> None:
    payload = AdaptivePrior(counts=blank_counts()).encode(sampled(2), None).payload
    with pytest.raises(ArchiveError, match="other counts"):
        AdaptivePrior(counts=learned_counts(3, 50)).decode(payload, 2, None, run)


def test_unknown_literal_models_are_named() -> None:
    with pytest.raises(ConfigError, match="order0"):
        AdaptivePrior("order-0")


def test_learned_counts_survive_the_file_and_help(tmp_path: Path) -> None:
    learned = learned_counts(4, 2500)
    save_counts(learned, tmp_path / "counts.npz")
    loaded = load_counts(tmp_path / "counts.npz")
    programs = [entry.program for entry in sampled(300) if entry.program]
    blank, whole, coarse = (
        AdaptivePrior(counts=c).prices(programs).mean() for c in (blank_counts(), learned, loaded)
    )
    assert whole < blank - 10
    assert abs(coarse - whole) < 1


def test_learning_is_a_function_of_its_seed() -> None:
    assert learned_counts(6, 300).digest() == learned_counts(6, 300).digest()
    assert learned_counts(6, 300).digest() != learned_counts(7, 300).digest()


def test_explanation_adds_up_to_the_price() -> None:
    prior = AdaptivePrior()
    for entry in sampled(30):
        assert entry.program is not None
        lines = explain(entry.program)
        assert sum(line.bits for line in lines) == pytest.approx(prior.prices([entry.program])[0], abs=1e-6)
        assert lines[-1].text.startswith("output = ")


def test_prices_of_texts_that_are_no_programs_are_infinite() -> None:
    assert np.isinf(AdaptivePrior().prices([dsl("sequence_1 = nonsense()")])[0])


_AGAIN = """
import json, sys
sys.path.insert(0, "tests/unit")
from test_adaptive import AdaptivePrior, dsl, execute_text, restored, same
from ktray.ports import Entry
entries = [Entry(execute_text(text).values, dsl(text)) for text in json.load(sys.stdin)]
entries += [Entry(entry.values) for entry in entries[:2]]
block, back = restored(AdaptivePrior(), entries)
assert same(entries, back)
print(block.payload.hex())
"""


def test_interpreted_and_compiled_code_agree() -> None:
    texts = json.dumps([entry.program.text for entry in sampled(3) if entry.program])
    root = Path(__file__).parents[2]
    payloads = {
        subprocess.run(
            [sys.executable, "-W", "error::RuntimeWarning", "-c", _AGAIN],
            env={**os.environ, "NUMBA_DISABLE_JIT": off, "PYTHONPATH": str(root)},
            cwd=root,
            input=texts,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for off in ("0", "1")
    }
    assert len(payloads) == 1


def test_gold_programs_of_the_published_pairs(published: Path, tmp_path: Path) -> None:
    """An archive of at most 0.250 of the elements' bytes (under the uniform prior: 0.332)."""
    with gzip.open(published / "kt-1mb" / "synthetic_pairs.jsonl.gz", "rt") as file:
        pairs = [json.loads(line) for line in file]
    block = uncut_block("pairs", [bytes(pair["sequence"]) for pair in pairs])
    coded = encode_block(block, [dsl(pair["program"]) for pair in pairs], AdaptivePrior())
    totals = write_archive(tmp_path / "gold.kt", [coded])
    assert (tmp_path / "gold.kt").stat().st_size == totals.archive_bytes < 0.25 * len(block.values)
    assert totals.dsl > 0.95 * len(pairs)
    assert totals.overhead_bits < 0.01 * len(pairs) + 8 * 1000
    back = decode_block(coded.stored, lambda _: AdaptivePrior(), run)
    assert np.array_equal(back.block.values, block.values)
    assert np.array_equal(back.block.lengths, block.lengths)
