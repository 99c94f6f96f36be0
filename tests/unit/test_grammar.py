"""The grammar under xgrammar's own matcher: it takes canonical programs, and nothing that does not parse."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import xgrammar

from ktray.corpora.synthetic import PUBLISHED, sample_pairs
from ktray.dsl.grammar import grammar
from ktray.dsl.ops import OPERATIONS
from ktray.errors import ConfigError


@pytest.fixture(scope="module")
def compiled() -> xgrammar.CompiledGrammar:
    vocabulary = [chr(i) for i in range(128)] + ["</s>"]
    info = xgrammar.TokenizerInfo(vocabulary, stop_token_ids=[128])
    return xgrammar.GrammarCompiler(info).compile_grammar(grammar())


def _takes(compiled: xgrammar.CompiledGrammar, text: str) -> bool:
    matcher = xgrammar.GrammarMatcher(compiled)
    return bool(matcher.accept_string(text) and matcher.accept_token(128))


def test_takes_sampled_programs(compiled: xgrammar.CompiledGrammar) -> None:
    for text, _ in sample_pairs(PUBLISHED, seed=4, shard=0, count=300):
        if text.count("\n") <= 48:
            assert _takes(compiled, text), text


START = "sequence_1 = set_list([1, 2, 255])\n"
REFUSED = [
    "output = sequence_1",
    START,
    START + "output = sequence_2",
    START + "sequence_3 = reverse_list(sequence_1)\noutput = sequence_3",
    START + "sequence_2 = reverse_list(sequence_2)\noutput = sequence_2",
    START + "sequence_2 = filter(is_prime, sequence_1)\noutput = sequence_2",
    "sequence_1 = set_list([256])\noutput = sequence_1",
    "sequence_1 = set_list([])\noutput = sequence_1",
    "sequence_1 = set_list([1,2])\noutput = sequence_1",
    "sequence_1 = range_func_up(1, 2) \noutput = sequence_1",
    START + "output = sequence_1\n",
]


@pytest.mark.parametrize("text", REFUSED)
def test_refuses_what_is_not_a_canonical_program(compiled: xgrammar.CompiledGrammar, text: str) -> None:
    assert not _takes(compiled, text)


def test_has_every_operation() -> None:
    assert all(f'"{op.name}(" ' in grammar(2) for op in OPERATIONS if op.dialect.value == "dsl")


def test_lines_are_bounded() -> None:
    with pytest.raises(ConfigError, match="501"):
        grammar(501)
    assert "sequence_4" not in grammar(3)


def test_takes_published_programs(compiled: xgrammar.CompiledGrammar, published: Path) -> None:
    with gzip.open(published / "kt-1mb" / "synthetic_pairs.jsonl.gz", "rt") as file:
        texts = [json.loads(line)["program"] for line in file]
    assert max(text.count("\n") for text in texts) <= 48
    assert all(_takes(compiled, text) for text in texts[::10])
