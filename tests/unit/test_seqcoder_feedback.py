"""Feedback and execution: a sampler that shows a model what its lines make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ktray.dsl.interpreter import interpret
from ktray.dsl.parser import parse
from ktray.errors import ConfigError
from ktray.proposers.model import PromptSettings
from ktray.proposers.spec import ProposerSpec
from ktray.samplers.engine import EngineSettings
from ktray.samplers.feedback import FeedbackSampler
from ktray.samplers.ports import Reply, SampleRequest

PROGRAM = ("sequence_1 = set_list([4, 8])", "sequence_2 = reverse_list(sequence_1)", "output = sequence_2")


class LineByLine:
    """Writes the next line of PROGRAM, and notes what it was shown."""

    model = "scripted"

    def __init__(self, lines: Sequence[str] = PROGRAM) -> None:
        self.lines, self.asked = lines, list[SampleRequest]()

    def sample(self, requests: Sequence[SampleRequest]) -> Iterator[Reply]:
        for request in requests:
            self.asked.append(request)
            written = request.user.count("\n") if request.user.endswith("\n") else 0
            line = self.lines[written] if written < len(self.lines) else ""
            yield Reply(request.key, request.samples.start, line, "stop", 5, 3, -1.0)


def request(samples: range = range(2)) -> SampleRequest:
    return SampleRequest("a", "", "[8, 4]", samples, 7, 100)


def test_each_line_is_executed_and_shown_before_the_next() -> None:
    inner = LineByLine()
    replies = list(FeedbackSampler(inner, "").sample([request()]))
    assert sorted(r.index for r in replies) == [0, 1]
    assert inner.asked[-1].user == (
        "[8, 4]sequence_1 = set_list([4, 8])  # [4, 8]\nsequence_2 = reverse_list(sequence_1)  # [8, 4]\n"
    )
    made = interpret(parse(replies[0].text)).values
    assert made is not None
    assert made.tolist() == [8, 4]
    assert (replies[0].tokens, replies[0].prompt_tokens, replies[0].logprob) == (15, 9, -3.0)


def test_samples_have_seeds_of_their_own() -> None:
    inner = LineByLine()
    list(FeedbackSampler(inner, "").sample([request(range(4))]))
    assert len({r.seed for r in inner.asked}) == len(inner.asked) == 12
    later = LineByLine()
    list(FeedbackSampler(later, "").sample([request(range(2, 4))]))
    assert {r.seed for r in later.asked} < {r.seed for r in inner.asked}


def test_a_line_that_cannot_run_ends_the_sample() -> None:
    replies = list(FeedbackSampler(LineByLine(["sequence_1 = set_list([4", "more"]), "").sample([request()]))
    assert [r.text for r in replies] == ["sequence_1 = set_list([4"] * 2


def test_a_program_without_end_is_cut_off() -> None:
    lines = [f"sequence_{i} = repeat_num(2, 1)" for i in range(1, 200)]
    [reply] = FeedbackSampler(LineByLine(lines)).sample([request(range(1))])
    assert reply.finish == "length"


def test_an_error_is_passed_on() -> None:
    class Failing(LineByLine):
        def sample(self, requests: Sequence[SampleRequest]) -> Iterator[Reply]:
            for r in requests:
                yield Reply(r.key, 0, "", "error", error="too long")

    [reply] = FeedbackSampler(Failing()).sample([request(range(1))])
    assert (reply.key, reply.error, reply.text) == ("a", "too long", "")


def test_a_model_of_our_own_is_executed_in_its_own_form(tmp_path: Path) -> None:
    (tmp_path / "seqcoder.json").write_text('{"form": "feedback", "context": 1024}')
    engine = EngineSettings(str(tmp_path))
    spec = ProposerSpec("vllm", 1, engine=engine, prompt=PromptSettings(execute=True))
    assert spec.settings()["prompt"] == "feedback"
    with pytest.raises(ConfigError, match="for the DSL"):
        ProposerSpec(
            "vllm", 1, engine=EngineSettings("hub/other"), prompt=PromptSettings(execute=True)
        ).settings()
