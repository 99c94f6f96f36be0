"""Laws of the inversion benchmark: codes invert, formats round-trip, no reply raises."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ktray.inversion import formats
from ktray.inversion.algorithms import algorithm, algorithms
from ktray.inversion.answers import AnswerOutcome, parse_answer, print_answer
from ktray.inversion.blinding import LEVELS, blind
from ktray.inversion.distance import common_prefix, edit_distance
from ktray.inversion.kinds import Kind
from ktray.inversion.scoring import Question, score_reply
from ktray.inversion.tasks import Task

LOSSLESS = sorted(n for n, a in algorithms().items() if a.lossless)
#: Any text that UTF-8 can hold, often repetitive: what the algorithms look for.
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.text("AB\n", max_size=80)
)
#: Replies of a hostile or broken model: marks, brackets, digits and anything else in any order.
PIECES = st.one_of(
    st.sampled_from(
        [
            "[ANSWER]",
            "[/ANSWER]",
            '{"output": ',
            "}",
            "[",
            "]",
            "<think>",
            "</think>",
            '"',
            "1",
            ",",
            "-",
            "e9",
        ]
    ),
    st.text(max_size=5),
)


@given(st.sampled_from(LOSSLESS), TEXTS)
@settings(max_examples=150, deadline=None)
def test_decoding_undoes_encoding(name: str, text: str) -> None:
    known = algorithm(name)
    coded = known.verified(text)
    assert known.decode(coded.code, coded.side) == text


@given(st.sampled_from(LOSSLESS), TEXTS, st.sampled_from(LEVELS))
@settings(max_examples=60, deadline=None)
def test_blinded_programs_decode_what_the_originals_encode(name: str, text: str, level: int) -> None:
    known = algorithm(name)
    coded = known.encode(text)
    decoder = blind(known.decoder, known.aliases, level, "decode")
    assert decoder(*known.decoder_arguments(coded.code, coded.side)) == text


@given(st.sampled_from(LOSSLESS), TEXTS, st.sampled_from(formats.formats()))
@settings(max_examples=200, deadline=None)
def test_every_answer_parses_back(name: str, text: str, format_name: str) -> None:
    known = algorithm(name)
    code = known.encode(text).code
    answer = parse_answer(print_answer(code, known.kind, format_name), known.kind, format_name)
    assert (answer.value, answer.failure) == (code, None)
    question = Question(name, Task.FORWARD, text, format=format_name)
    assert score_reply(question, print_answer(code, known.kind, format_name)).correct


@given(
    st.lists(PIECES, max_size=30).map("".join),
    st.sampled_from(list(Kind)),
    st.sampled_from(formats.formats()),
)
@settings(max_examples=300, deadline=None)
def test_no_reply_raises(reply: str, kind: Kind, format_name: str) -> None:
    if formats.supports(format_name, kind):
        answer = parse_answer(reply, kind, format_name)
        assert answer.failure is None or answer.failure in AnswerOutcome
        assert len(answer.detail) < 300


@given(
    st.sampled_from(sorted(algorithms())),
    st.sampled_from(list(Task)),
    st.recursive(
        st.one_of(st.integers(), st.text(max_size=4), st.booleans(), st.none(), st.floats(allow_nan=False)),
        lambda inner: st.lists(inner, max_size=5),
        max_leaves=12,
    ),
)
@settings(max_examples=300, deadline=None)
def test_no_typed_answer_raises(name: str, task: Task, value: object) -> None:

    reply = f"[ANSWER]{json.dumps({'output': value})}[/ANSWER]"
    score = score_reply(Question(name, task, "ABRACADABRA"), reply)
    assert score.outcome in AnswerOutcome
    assert (score.consistent is None) == (score.distance is None)


@given(st.text("abc", max_size=30), st.text("abc", max_size=30), st.text("abc", max_size=10))
@settings(max_examples=200, deadline=None)
def test_edit_distance_is_a_metric(a: str, b: str, c: str) -> None:
    assert edit_distance(a, a) == 0
    assert edit_distance(a, b) == edit_distance(b, a) >= abs(len(a) - len(b))
    assert edit_distance(a, b) <= edit_distance(a, c) + edit_distance(c, b)
    assert edit_distance(a, a + c) == len(c)
    assert common_prefix(a, a + c) == len(a)
