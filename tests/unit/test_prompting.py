"""Prompts: what ships is sound, placeholders are filled, a template of one's own works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from ktray.dsl.interpreter import interpret
from ktray.dsl.ops import OPERATIONS, Dialect
from ktray.dsl.parser import parse
from ktray.errors import ConfigError
from ktray.programs import Candidate, CandidateKey, Language, Outcome, Program, Verdict
from ktray.proposers.model import Failure, ModelProposer, PromptSettings
from ktray.proposers.prompting import PROMPTS, REFINING, load_template, operations_table
from ktray.samplers.ports import Reply, SampleRequest, request_seed
from ktray.sequences import KtSequence, make_sequence

VALUES = np.array([5, 6, 7, 200], np.uint8)


class Parrot:
    """A sampler that keeps its requests and answers with a fenced program."""

    model = "parrot"

    def __init__(self, text: str = "```python\noutput = [5, 6, 7, 200]\n```") -> None:
        self.requests: list[SampleRequest] = []
        self._text = text

    def sample(self, requests: list[SampleRequest]) -> list[Reply]:
        self.requests += requests
        return [Reply(r.key, i, self._text, "stop", 7, 30, -2.5) for r in requests for i in r.samples]


def proposer(sampler: Parrot, prompt: PromptSettings) -> ModelProposer:
    return ModelProposer("vllm", sampler, prompt, 3, {}, "abcd")  # type: ignore[arg-type]


def sequence() -> KtSequence:
    return make_sequence("origin", 0, VALUES)


@pytest.mark.parametrize("name", PROMPTS)
def test_every_placeholder_of_a_shipped_prompt_is_filled(name: str) -> None:
    extra = {"program": "PROGRAM", "outcome": "OUTCOME", "prefix": 2, "output": "OUTPUT"}
    template = load_template(name)
    system, user = template.fill(VALUES, **extra)
    assert system or template.form  # a model of our own knows what it is asked
    assert "[5, 6, 7, 200]" in user
    assert not re.search(r"\{[a-z]+\}", system + user)
    assert template.language in set(Language)


def test_refining_prompts_show_what_failed() -> None:
    for language, name in REFINING.items():
        template = load_template(name)
        assert template.language is language
        _, user = template.fill(VALUES, program="P1", outcome="O1", prefix=17, output="[8]")
        assert all(word in user for word in ("P1", "O1", "17 elements", "[8]"))


def test_the_operations_table_has_every_operation_of_the_language() -> None:
    lines = operations_table().splitlines()
    assert [re.match(r"- (\w+)\(", line).group(1) for line in lines] == [  # type: ignore[union-attr]
        op.name for op in OPERATIONS if op.dialect is Dialect.DSL
    ]


def test_the_worked_examples_of_the_few_shot_prompt_are_right() -> None:
    text = load_template("dsl_few_shot").user
    shown = re.findall(
        r"\):\n(\[[\d, ]+\])\n\n### The program that generates the sequence is:\n(.*?)###", text, re.DOTALL
    )
    assert len(shown) == 2
    for values, program in shown:
        assert interpret(parse(program)).values.tolist() == json.loads(values)


def test_hashes_tell_templates_apart() -> None:
    assert len({load_template(name).hash for name in PROMPTS}) == len(PROMPTS)


def test_a_published_prompt_can_be_used_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text('Sequence: #SEQ#\nAnswer as {"output": [..]} {unknown}\n')
    template = load_template("python", file)
    assert template.fill(VALUES) == ("", 'Sequence: [5, 6, 7, 200]\nAnswer as {"output": [..]} {unknown}')
    assert template.language is None
    assert template.stop == ()


def test_a_file_without_a_place_for_the_sequence_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("Write a program.")
    with pytest.raises(ConfigError, match="#SEQ#"):
        load_template("python", file)
    with pytest.raises(ConfigError, match="prompt file"):
        load_template("python", tmp_path / "none.txt")
    with pytest.raises(ConfigError, match="did you mean 'python'"):
        load_template("pyton")


def test_requests_have_seeds_and_limits_of_their_own() -> None:
    sampler = Parrot()
    prompt = PromptSettings(tokens=10, tokens_per_element=2.5)
    list(proposer(sampler, prompt).propose([sequence()], range(2, 5)))
    (asked,) = sampler.requests
    assert (asked.samples, asked.max_tokens, asked.stop) == (range(2, 5), 20, ("###",))
    assert asked.seed == request_seed(3, f"{sequence().id}:{prompt.template().hash}")


def test_replies_become_candidates_with_their_key() -> None:
    prompt = PromptSettings()
    candidates = list(proposer(Parrot(), prompt).propose([sequence()], range(2)))
    assert [c.key.sample_index for c in candidates] == [0, 1]
    first = candidates[0]
    assert first.key == CandidateKey(sequence().id, "vllm", "parrot", prompt.template().hash, "abcd", 3, 0)
    assert first.program == Program(Language.PYTHON, "output = [5, 6, 7, 200]")
    assert (first.tokens, first.logprob) == (7, -2.5)


def test_a_reply_without_a_program_is_a_candidate_without_one() -> None:
    (candidate,) = proposer(Parrot("  \n"), PromptSettings()).propose([sequence()], range(1))
    assert candidate.program is None
    assert candidate.reply == "  \n"


def test_usage_is_counted_until_it_is_taken() -> None:
    asking = proposer(Parrot(), PromptSettings())
    list(asking.propose([sequence()], range(4)))
    usage = asking.take_usage()
    assert (usage.samples, usage.tokens, usage.prompt_tokens, usage.errors) == (4, 28, 120, 0)
    assert asking.take_usage().samples == 0


def test_refining_asks_once_for_each_failure_and_keeps_its_index() -> None:
    sampler = Parrot()
    key = CandidateKey(sequence().id, "vllm", "parrot", "", "", 3, 6)
    failed = Candidate(key, Program(Language.PYTHON, "output = [5, 9]"), "")
    verdict = Verdict(Outcome.WRONG_OUTPUT, 0.0, "element 1 is 9 where 6 was expected", 1)
    prompt = PromptSettings(prompt="refine")
    failure = Failure(failed, verdict, np.array([5, 9], np.uint8))
    (candidate,) = proposer(sampler, prompt).refine([(sequence(), failure)])
    assert candidate.key.sample_index == 6
    user = sampler.requests[0].user
    assert "output = [5, 9]" in user
    assert "wrong output: element 1 is 9 where 6 was expected. The first 1 elements are right" in user
    assert user.count("[5, 9]") == 2


@pytest.mark.parametrize(
    "bad",
    [
        {"language": "perl"},
        {"tokens": 0},
        {"tokens_per_element": -1.0},
        {"grammar": True, "prompt": "python"},
        {"execute": True, "prompt": "python"},
    ],
)
def test_impossible_prompt_settings_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"expected|DSL"):
        PromptSettings(**bad)  # type: ignore[arg-type]
