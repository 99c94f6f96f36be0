"""Answers, scores and summaries: every outcome class, hostile replies, and the scripted oracle."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from importlib import import_module
from math import comb
from pathlib import Path

import pytest

from jobs.invert.__main__ import COMMANDS
from ktray.config import parse
from ktray.errors import PipelineError
from ktray.inversion.algorithms import algorithms
from ktray.inversion.answers import AnswerOutcome, parse_answer, print_answer
from ktray.inversion.blinding import scrub
from ktray.inversion.datasets.generate import DatasetSpec, generate
from ktray.inversion.distance import common_prefix, edit_distance
from ktray.inversion.formats import formats, supports
from ktray.inversion.inference import infer
from ktray.inversion.kinds import InversionError, Kind
from ktray.inversion.oracle import OracleSampler, scripted_reply
from ktray.inversion.ports import SamplerFailed, SamplerOutOfMemory, SamplingSettings
from ktray.inversion.prompting import Question as Asked
from ktray.inversion.prompting import build_prompts, truth
from ktray.inversion.records import ReplyLog, read_prompts, read_replies, write_prompts
from ktray.inversion.scoring import Question, score_file, score_replies, score_reply
from ktray.inversion.summary import as_json, compare, compare_groups, length_band, round_trip, summarize
from ktray.inversion.tasks import Item, Prompt, Task
from ktray.inversion.templates import load_templates
from ktray.samplers.endpoint import EndpointSampler, EndpointSettings
from ktray.samplers.ports import SamplingSettings as TextSettings
from ktray.studies.bootstrap import Bootstrap

QUICK = Bootstrap(50, 0.95, 0)
LZW = Question("lzw", Task.FORWARD, "ABABABAB")
RIGHT = '[ANSWER]{"output": [65, 66, 256, 258, 66]}[/ANSWER]'


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (RIGHT, "correct"),
        ("So:\n" + RIGHT[: -len("[/ANSWER]")], "correct"),
        ("[ANSWER]```json\n" + '{"output": [65, 66, 256, 258, 66]}' + "\n```[/ANSWER]", "correct"),
        ('[ANSWER]{"output": [1]}[/ANSWER] no, rather ' + RIGHT, "correct"),
        (RIGHT + " as the [ANSWER] mark asks", "correct"),
        ("<think>[ANSWER]{}[/ANSWER]</think>" + RIGHT, "correct"),
        ('[ANSWER]{"output": [65, 66]}[/ANSWER]', "wrong_value"),
        ('[ANSWER]{"output": "65 66 256 258 66"}[/ANSWER]', "wrong_type"),
        ('[ANSWER]{"output": [65, 66.0, 256, 258, 66]}[/ANSWER]', "wrong_type"),
        ('[ANSWER]{"output": [65, true, 256, 258, 66]}[/ANSWER]', "wrong_type"),
        ('[ANSWER]{"output": null}[/ANSWER]', "wrong_type"),
        ("[ANSWER][65, 66, 256, 258, 66][/ANSWER]", "unparsable"),
        ("[ANSWER]{'output': [65]}[/ANSWER]", "unparsable"),
        ('[ANSWER]{"output": NaN}[/ANSWER]', "unparsable"),
        ('[ANSWER]{"answer": [65]}[/ANSWER]', "unparsable"),
        ("[ANSWER][/ANSWER]", "unparsable"),
        ("the codes are 65 66 256 258 66", "no_answer"),
        ("", "no_answer"),
        ("[/ANSWER]", "no_answer"),
        ("<think>[ANSWER]" + RIGHT, "truncated"),
        ("<think>still going", "truncated"),
        ("[ANSWER]{}[/ANSWER] thought aloud</think>" + RIGHT, "correct"),
        ("[THINK]" + RIGHT + "[/THINK]" + RIGHT, "correct"),
        ("[THINK]" + RIGHT, "truncated"),
        ("<reasoning>" + RIGHT + "</reasoning>none", "no_answer"),
        ('[ANSWER]{"output": [65, 6', "truncated"),
        ('[ANSWER]{"output": "ab', "truncated"),
        ("[ANSWER]", "truncated"),
    ],
)
def test_outcome_classes(reply: str, outcome: str) -> None:
    assert score_reply(LZW, reply).outcome == outcome


def test_a_reply_cut_by_length_is_truncated_not_wrong() -> None:
    assert score_reply(LZW, "long reasoning", finish_reason="length").outcome == "truncated"
    assert score_reply(LZW, RIGHT, finish_reason="length").outcome == "correct"


BOMBS = {
    "nested lists": '[ANSWER]{"output": ' + "[" * 100_000 + "]" * 100_000 + "}[/ANSWER]",
    "nested objects": '[ANSWER]{"output": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}[/ANSWER]",
    "huge integer": '[ANSWER]{"output": [' + "9" * 150_000 + "]}[/ANSWER]",
    "huge exponent": '[ANSWER]{"output": 1e999999999}[/ANSWER]',
    "huge answer": '[ANSWER]{"output": [' + "1," * 500_000 + "1]}[/ANSWER]",
    "huge reply": "x" * 20_000_000,
    "many marks": "[ANSWER]" * 300_000,
    "many thoughts": "<think>" * 300_000 + RIGHT,
    "lone surrogate": '[ANSWER]{"output": "\\ud800"}[/ANSWER]',
    "null bytes": "\0" * 1000 + '[ANSWER]{"output": "\0"}[/ANSWER]',
}


@pytest.mark.parametrize("name", sorted(BOMBS))
@pytest.mark.parametrize("algorithm_name", ["lzw", "rle", "huffman", "ae", "ae_float", "lz77"])
@pytest.mark.parametrize("task", [Task.FORWARD, Task.INVERSE])
def test_bombs_are_counted_outcomes(name: str, algorithm_name: str, task: Task) -> None:
    started = time.process_time()
    score = score_reply(Question(algorithm_name, task, "ABABABAB"), BOMBS[name])
    assert score.outcome is not AnswerOutcome.CORRECT
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("algorithm_name", "value"),
    [
        ("rle", [["A", 10**12]]),
        ("rle", [["A", 10**7]] * 4),
        ("rle", [["A" * 1000, 10**7]]),
        ("lz77", [[0, 0, "A"], [1, 10**12, "A"]]),
        ("lzw", [65, *list(range(256, 30000))]),
        ("huffman", [10**300]),
        ("ae", "01" * 50_000),
        ("elias_gamma", "0" * 90_000 + "1"),
        ("bwt_mtf", [10**9, 1, 2]),
        ("bwt_mtf", [-(10**9), 1, 2]),
    ],
)
def test_codes_that_would_decode_to_billions_are_wrong_and_quick(algorithm_name: str, value: object) -> None:
    started = time.process_time()
    reply = f'[ANSWER]{{"output": {json.dumps(value)}}}[/ANSWER]'
    score = score_reply(Question(algorithm_name, Task.FORWARD, "AAAAAAAAAB"), reply)
    assert score.outcome is AnswerOutcome.WRONG_VALUE
    assert score.consistent is False
    assert time.process_time() - started < 2


def test_consistency_is_apart_from_equality() -> None:
    split = score_reply(
        Question("rle", Task.FORWARD, "AAB"), '[ANSWER]{"output": [["A",1],["A",1],["B",1]]}[/ANSWER]'
    )
    assert (split.outcome, split.consistent) == (AnswerOutcome.WRONG_VALUE, True)
    # Huffman's code of XYXY is that of ABAB: another text with the same code, under another codebook.
    other = score_reply(Question("huffman", Task.INVERSE, "ABAB"), '[ANSWER]{"output": "XYXY"}[/ANSWER]')
    assert (other.outcome, other.consistent) == (AnswerOutcome.WRONG_VALUE, True)
    wrong = score_reply(Question("lzw", Task.INVERSE, "ABAB"), '[ANSWER]{"output": "ABAA"}[/ANSWER]')
    assert (wrong.outcome, wrong.consistent) == (AnswerOutcome.WRONG_VALUE, False)
    assert (wrong.distance, wrong.prefix, wrong.length) == (1, 3, 4)


def test_published_tolerance_is_a_mode_and_never_the_default() -> None:
    right = truth("ae_float", Task.FORWARD, "ABAB").value
    near = f'[ANSWER]{{"output": {right + 5e-4!r}}}[/ANSWER]'
    score = score_reply(Question("ae_float", Task.FORWARD, "ABAB"), near)
    assert (score.outcome, score.within_tolerance) == (AnswerOutcome.WRONG_VALUE, True)
    found = summarize([score], QUICK, published=True)
    assert found.total.accuracy == 0
    assert found.published is not None
    assert found.published.accuracy == 1
    assert "published_rules" not in as_json(summarize([score], QUICK))


def slow_distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(row[-1] + 1, previous[j] + 1, previous[j - 1] + (x != y)))
    return row[-1]


def test_edit_distance_equals_the_quadratic_table() -> None:
    assert edit_distance("kitten", "sitting") == 3
    texts = [i.text[:40] for i in generate(DatasetSpec("string", count=40, least=1, greatest=40, seed=2))]
    texts += ["", "A", "AB", "BA" * 40]
    for a in texts:
        for b in texts[::3]:
            assert edit_distance(a, b) == slow_distance(a, b)
    assert common_prefix("abcd", "abxd") == 2


def grid_prompts(count: int = 6) -> list[Prompt]:
    items = generate(DatasetSpec("mixed", count=count, least=4, greatest=40, seed=1))
    asked = [
        Asked(name, task, blinding, format_name)
        for name, known in algorithms().items()
        for task in Task
        for blinding, format_name in [(0, "list"), (3, "list"), (1, "fraction"), (2, "hex")]
        if supports(format_name, known.kind)
    ]
    return list(build_prompts(items, asked, load_templates()))


def test_the_oracle_is_counted_exactly_as_planted(tmp_path: Path) -> None:
    prompts, oracle, settings, n = grid_prompts(), OracleSampler(), SamplingSettings(seed=7), 5
    with ReplyLog(tmp_path / "replies.jsonl") as log:
        done = infer(prompts, n, [oracle], settings, log)
    assert (done.present, done.added) == (0, n * len(prompts))
    scores = list(score_replies(prompts, read_replies(tmp_path / "replies.jsonl")))
    planted = Counter(oracle.plan(p, i, 7) for p in prompts for i in range(n))
    found = summarize(scores, QUICK)
    assert found.total.outcomes == {o.value: planted[o] for o in AnswerOutcome}
    assert min(planted.values()) > 0
    for algorithm_name, group in found.breakdowns["algorithm"].items():
        mine = Counter(
            oracle.plan(p, i, 7) for p in prompts if p.algorithm == algorithm_name for i in range(n)
        )
        assert group.outcomes == {o.value: mine[o] for o in AnswerOutcome}
    right = [sum(oracle.plan(p, i, 7) is AnswerOutcome.CORRECT for i in range(n)) for p in prompts]
    for point in found.total.pass_at_k:
        closed = sum(1 - comb(n - c, point.k) / comb(n, point.k) for c in right) / len(right)
        assert point.value == pytest.approx(closed, rel=1e-12)


def test_resume_completes_exactly_the_missing_samples(tmp_path: Path) -> None:
    prompts, oracle, settings = grid_prompts(2)[:20], OracleSampler(), SamplingSettings()
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    with ReplyLog(whole) as log:
        infer(prompts, 4, [oracle], settings, log)
    text = whole.read_text()
    lines = text.splitlines(keepends=True)
    # A kill leaves prompt 7 partly sampled, and a line cut in the middle.
    cut.write_text("".join(lines[:30]) + lines[30][:40])
    with ReplyLog(cut) as log:
        done = infer(prompts, 4, [oracle], settings, log)
    assert (done.present, done.added) == (30, 50)
    assert cut.read_text() == text
    with ReplyLog(cut) as log:
        assert infer(prompts, 6, [oracle], settings, log).added == 2 * len(prompts)
    assert len(list(read_replies(cut))) == 6 * len(prompts)


class Cramped(OracleSampler):
    """Runs out of memory above two prompts, after one reply."""

    def sample(self, requests, settings):  # type: ignore[no-untyped-def]
        replies = super().sample(requests, settings)
        if len(requests) > 2:
            yield next(replies)
            raise SamplerOutOfMemory
        yield from replies


class Dying(OracleSampler):
    """Fails after three replies."""

    def sample(self, requests, settings):  # type: ignore[no-untyped-def]
        for i, reply in enumerate(super().sample(requests, settings)):
            if i == 3:
                raise SamplerFailed("the engine died")
            yield reply


class Forgetful(OracleSampler):
    """Leaves the last sample out without saying so."""

    def sample(self, requests, settings):  # type: ignore[no-untyped-def]
        yield from list(super().sample(requests, settings))[:-1]


def test_memory_and_failures_are_met_by_smaller_batches_and_the_fallback(tmp_path: Path) -> None:
    prompts, settings = grid_prompts(1)[:8], SamplingSettings()
    with ReplyLog(tmp_path / "a.jsonl") as log:
        assert infer(prompts, 2, [Cramped()], settings, log, batch=8).added == 16
    with ReplyLog(tmp_path / "b.jsonl") as log:
        done = infer(prompts, 2, [Dying(name="first"), OracleSampler(name="second")], settings, log)
    assert done.by_sampler == {"first": 3, "second": 13}
    with ReplyLog(tmp_path / "c.jsonl") as log, pytest.raises(PipelineError, match="the engine died"):
        infer(prompts, 2, [Dying()], settings, log)
    with ReplyLog(tmp_path / "d.jsonl") as log, pytest.raises(PipelineError, match="left out"):
        infer(prompts, 2, [Forgetful()], settings, log)


class Patchy(OracleSampler):
    """Cannot draw sample 1 of any prompt."""

    def sample(self, requests, settings):  # type: ignore[no-untyped-def]
        for reply in super().sample(requests, settings):
            lost = reply.sample == 1
            yield replace(reply, text="", finish_reason="error", error="too long") if lost else reply


def test_samples_that_fail_are_logged_counted_and_tried_again(tmp_path: Path) -> None:
    prompts, settings, path = grid_prompts(1)[:4], SamplingSettings(), tmp_path / "r.jsonl"
    with ReplyLog(path) as log:
        done = infer(prompts, 3, [Patchy()], settings, log)
    assert (done.added, done.failed, done.reason) == (12, 4, "too long")
    scores = list(score_replies(prompts, read_replies(path)))
    assert len(scores) == 12
    failed = [s for s in scores if s.sample == 1]
    assert {(s.outcome, s.detail) for s in failed} == {(AnswerOutcome.NO_ANSWER, "not sampled: too long")}
    with ReplyLog(path) as log:
        done = infer(prompts, 3, [OracleSampler()], settings, log)
    assert (done.present, done.added, done.failed) == (8, 4, 0)
    assert {r.finish_reason for r in read_replies(path)} <= {"stop", "length"}
    assert len(list(read_replies(path))) == 12


def test_prompts_survive_their_file(tmp_path: Path) -> None:
    prompts = grid_prompts(2)
    assert write_prompts(tmp_path / "p.jsonl", prompts) == len(prompts)
    assert list(read_prompts(tmp_path / "p.jsonl")) == prompts
    assert len({p.id for p in prompts}) == len(prompts)


def test_prompts_show_no_name_of_a_blinded_algorithm() -> None:
    for prompt in grid_prompts(1):
        text = prompt.messages[0].content
        named = scrub(text, [a for a in algorithms()[prompt.algorithm].aliases if len(a) > 2]) != text
        assert named == (prompt.blinding == 0)


def test_external_replies_are_scored_by_line(tmp_path: Path) -> None:
    rows = [
        {"algorithm": "LZW", "task": "forward", "input": "ABABABAB", "reply": RIGHT},
        {"algorithm": "lzw", "task": "forward", "input": "ABABABAB", "reply": "nothing"},
        {
            "algorithm": "rle",
            "task": "inverse_given_encoder",
            "input": "AAB",
            "reply": '[ANSWER]{"output": "AAB"}',
        },
        {"algorithm": "rle", "task": "inverse", "input": "AAB", "reply": '[ANSWER]{"output": 3}[/ANSWER]'},
    ]
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    found = as_json(summarize(score_file(path), QUICK))
    assert (found["n"], found["prompts"]) == (4, 3)
    assert found["outcomes"] == {
        "correct": 2, "wrong_value": 0, "wrong_type": 1, "unparsable": 0, "no_answer": 1, "truncated": 0,
    }  # fmt: skip
    assert found["pass_at_k"] == {"1": pytest.approx((0.5 + 1 + 0) / 3)}
    assert found["breakdowns"]["algorithm"]["lzw"]["pass_at_k"] == {"1": 0.5, "2": 1.0}
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('{"algorithm": "lzv", "task": "forward", "input": "A", "reply": ""}', "did you mean 'lzw'"),
        ('{"algorithm": "lzw", "task": "foward", "input": "A", "reply": ""}', "did you mean 'forward'"),
        ('{"algorithm": "lzw", "task": "forward", "reply": ""}', "no `input`"),
        ('{"algorithm": "lzw", "task": "forward", "input": 5, "reply": ""}', "of type int"),
        ('{"algorithm": "lzw", "task": "forward", "input": "A", "reply": null}', "NoneType"),
        ('{"algorithm": "lzw", "task": "forward", "input": "\\ud800", "reply": ""}', "surrogate"),
        (
            '{"algorithm": "lzw", "task": "forward", "input": "' + "A" * 6000 + '", "reply": ""}',
            "at most 5000",
        ),
        (
            '{"algorithm": "lzw", "task": "forward", "input": "A", "reply": "", "format": "hax"}',
            "format 'hax'",
        ),
        ("[1, 2]", "expected one JSON object"),
        ("{oops", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_malformed_line_is_one_clear_line(tmp_path: Path, line: str, word: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"algorithm": "lzw", "task": "forward", "input": "A", "reply": ""}\n' + line + "\n")
    with pytest.raises(InversionError, match=word) as refused:
        list(score_file(path))
    assert "line 2" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_round_trips_need_both_directions_of_one_input() -> None:
    inverse = Question("lzw", Task.INVERSE, "ABABABAB")
    good = '[ANSWER]{"output": "ABABABAB"}[/ANSWER]'
    scores = [score_reply(LZW, RIGHT, 0), score_reply(LZW, "", 1), score_reply(inverse, good, 0)]
    scores.append(score_reply(Question("lzw", Task.FORWARD, "AB"), "", 0))
    found = round_trip(scores, Task.FORWARD, Task.INVERSE)
    assert (found.inputs, found.both_right, found.expected) == (1, 1, 0.5)
    assert round_trip(scores, Task.FORWARD_GIVEN_DECODER, Task.INVERSE_GIVEN_ENCODER).inputs == 0


def test_two_runs_are_compared_over_what_both_answered() -> None:
    asked = [Question("rle", Task.INVERSE, "A" * n) for n in range(1, 21)]
    right = [print_answer(q.input, Kind.TEXT) for q in asked]
    a = [score_reply(q, r if i % 2 else "") for i, (q, r) in enumerate(zip(asked, right, strict=True))]
    b = [score_reply(q, r) for q, r in zip(asked, right, strict=True)][:10]
    found = compare(a, b, QUICK)
    assert (found.prompts, found.a, found.b, found.difference) == (10, 0.5, 1.0, 0.5)
    assert found.interval.low > 0
    assert compare_groups(a, b, QUICK) == {"all": found, "rle/inverse": found}
    with pytest.raises(InversionError, match="share no prompt"):
        compare(a[:1], b[5:], QUICK)


def test_summaries_do_not_depend_on_order() -> None:
    prompts, oracle = grid_prompts(2), OracleSampler()
    scores = [
        score_reply(Question(p.algorithm, p.task, p.input, p.category, p.blinding, p.format), r.text, i)
        for p in prompts
        for i in range(2)
        for r in [scripted_reply(p, i, oracle.plan(p, i, 0), "")]
    ]
    assert as_json(summarize(scores, QUICK)) == as_json(summarize(scores[::-1], QUICK))


def test_small_things() -> None:
    assert [length_band(n) for n in (0, 31, 32, 300)] == ["0-31", "0-31", "32-63", "256+"]
    with pytest.raises(InversionError, match="sum to at most 1"):
        OracleSampler({AnswerOutcome.TRUNCATED: 1.5})
    with pytest.raises(InversionError, match="nothing to summarize"):
        summarize([], QUICK)
    assert parse_answer(print_answer("a[/b]", Kind.TEXT), Kind.TEXT).value == "a[/b]"
    assert len(formats()) == 10


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("forward", "{{program}} {{text_given}}", "no {{answer_format}}"),
        ("answer_format", "[ANSWER]", "no {{answer_type}}"),
        ("forward", "{{program}} {{text_given}} {{answer_format}} {{progam}}", "did you mean 'program'"),
    ],
)
def test_templates_can_be_replaced_and_are_checked(tmp_path: Path, name: str, text: str, word: str) -> None:
    (tmp_path / f"{name}.txt").write_text(text)
    with pytest.raises(InversionError, match=word.replace("{", r"\{")):
        list(build_prompts([Item("AB")], [Asked("lzw", Task.FORWARD)], load_templates(tmp_path)))
    (tmp_path / f"{name}.txt").unlink()
    with pytest.raises(InversionError, match="no template"):
        load_templates(tmp_path)


def test_filled_in_text_is_never_expanded() -> None:
    item = Item("{{program}} {{answer_format}}")
    (prompt,) = build_prompts([item], [Asked("rle", Task.FORWARD)], load_templates())
    assert repr(item.text) in prompt.messages[0].content
    with pytest.raises(InversionError, match="among its own examples"):
        list(build_prompts([item], [Asked("rle", Task.FORWARD, examples=(item,))], load_templates()))


def test_each_service_has_its_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "general")
    (tmp_path / ".env").write_text("OPENROUTER_API_KEY=routed\n")
    keys = {}
    for url in ("https://openrouter.ai/api/v1", "https://example.org/openrouter.ai/v1"):
        sampler = EndpointSampler(EndpointSettings(model="m", base_url=url), TextSettings())
        keys[url] = sampler._client.api_key
    assert list(keys.values()) == ["routed", "general"]


def test_every_command_has_a_config() -> None:
    folder = Path(__file__).resolve().parents[2] / "configs" / "invert"
    for command in COMMANDS:
        path = folder / f"{'smoke' if command == 'grid' else command}.yaml"
        assert f"jobs.invert {command} --config configs/invert/{path.name}" in path.read_text()
        parse(
            import_module(f"jobs.invert.{command}").Config, ["--config", str(path)], prog="", description=""
        )
