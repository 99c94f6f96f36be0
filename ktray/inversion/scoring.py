"""Scores of replies: strict exact match after typed parsing, every outcome class kept apart.

A reply's score is a function of the reply and its question alone; summaries are functions of scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ktray.inversion.algorithms import Algorithm, algorithm
from ktray.inversion.answers import AnswerOutcome, parse_answer
from ktray.inversion.datasets.files import checked_text, field, json_lines
from ktray.inversion.distance import common_prefix, edit_distance
from ktray.inversion.formats import formats as known_formats
from ktray.inversion.kinds import InversionError, Kind, Value, elements
from ktray.inversion.prompting import Truth, truth
from ktray.inversion.tasks import Prompt, Reply, Task
from ktray.inversion.tasks import task as task_of

#: The published evaluator's tolerance for the float form of arithmetic coding.
PUBLISHED_TOLERANCE = 1e-3
#: Numbers in a wrong code beyond this are not decoded: one could claim billions of characters.
_LARGEST_NUMBER = 1 << 24


@dataclass(frozen=True, slots=True)
class Question:
    """What a reply answers. `input` is always the plain text, also where the task asks for it."""

    algorithm: str
    task: Task
    input: str
    category: str = ""
    blinding: int = 0
    format: str = "list"


@dataclass(frozen=True, slots=True)
class ScoredReply:
    """The score of one reply.

    `consistent`: the prediction pushed through the true program gives the question back (a code that
    decodes to the text; a text that encodes to the code, whatever its side), None where nothing was
    parsed. `distance` and `prefix` count elements of the answer (None where nothing was parsed), `length`
    those of the right answer. `within_tolerance` is the published rule for floats.
    """

    question: Question
    sample: int
    outcome: AnswerOutcome
    detail: str = ""
    consistent: bool | None = None
    distance: int | None = None
    prefix: int | None = None
    length: int = 0
    within_tolerance: bool = False
    tokens: int | None = None

    @property
    def correct(self) -> bool:
        """Whether the answer is exactly right."""
        return self.outcome is AnswerOutcome.CORRECT


def score_reply(
    question: Question, reply: str, sample: int = 0, finish_reason: str = "", tokens: int | None = None
) -> ScoredReply:
    """Return the score of one reply, whatever the reply holds."""
    right = truth(question.algorithm, question.task, question.input)
    length = len(elements(right.kind, right.value))
    answer = parse_answer(reply, right.kind, question.format, finish_reason)
    if answer.failure is not None:
        return ScoredReply(question, sample, answer.failure, answer.detail, length=length, tokens=tokens)
    correct = answer.value == right.value
    predicted, expected = elements(right.kind, answer.value), elements(right.kind, right.value)
    return ScoredReply(
        question,
        sample,
        AnswerOutcome.CORRECT if correct else AnswerOutcome.WRONG_VALUE,
        consistent=correct or is_consistent(question, answer.value, right),
        distance=0 if correct else edit_distance(predicted, expected),
        prefix=length if correct else common_prefix(predicted, expected),
        length=length,
        within_tolerance=right.kind is Kind.FLOAT and abs(answer.value - right.value) <= PUBLISHED_TOLERANCE,
        tokens=tokens,
    )


def is_consistent(question: Question, value: Value, right: Truth) -> bool:
    """Return whether a prediction passes through the true program to what was given."""
    given = question.input if question.task.asks_code else right.coded.code
    return check_prediction(question, value, right) == given


def check_prediction(question: Question, value: Value, right: Truth) -> Value | None:
    """Return what the true program makes of a prediction: the text its code decodes to, or the code its
    text encodes to; None where the program rejects it or it is far too long to be right."""
    known = algorithm(question.algorithm)
    try:
        if not question.task.asks_code:
            return known.encode(value).code if _plausible_text(value, question.input) else None
        if not _plausible_code(known, value, question.input, right):
            return None
        return known.decode(value, right.coded.side)
    except (ValueError, LookupError, TypeError, ArithmeticError):
        # The reference programs reject what is no code of theirs with one of these.
        return None


def external_replies(path: Path) -> Iterator[tuple[Question, int, str, str, int | None]]:
    """Yield (question, sample index, reply, finish reason, tokens) of a replies file.

    A line has `algorithm`, `task`, `input`, `reply`, and may have `category`, `blinding`, `format`,
    `finish_reason` and `tokens`. Samples of one question are numbered in the order of the lines.
    Raises InversionError naming the line.
    """
    counts: dict[Question, int] = {}
    for number, record in json_lines(path):
        where = f"{path}, line {number}"
        question = _question(record, where)
        sample = counts.get(question, 0)
        counts[question] = sample + 1
        tokens = record.get("tokens")
        yield (
            question,
            sample,
            field(record, "reply", str, where),
            field(record, "finish_reason", str, where, ""),
            tokens if type(tokens) is int else None,
        )
    if not counts:
        raise InversionError(f"{path}: no replies; expected lines with algorithm, task, input and reply")


def score_file(path: Path) -> Iterator[ScoredReply]:
    """Yield the score of every line of a replies file."""
    for question, sample, reply, finish_reason, tokens in external_replies(path):
        yield score_reply(question, reply, sample, finish_reason, tokens)


def score_replies(prompts: Iterable[Prompt], replies: Iterable[Reply]) -> Iterator[ScoredReply]:
    """Yield the score of every reply to one of the prompts. Raises InversionError for a stray reply."""
    questions = {p.id: question_of(p) for p in prompts}
    for reply in replies:
        if reply.prompt_id not in questions:
            raise InversionError(
                f"a reply to the unknown prompt {reply.prompt_id}; give its prompts file too"
            )
        question = questions[reply.prompt_id]
        score = score_reply(question, reply.text, reply.sample, reply.finish_reason, reply.tokens)
        # A sample that could not be drawn has no answer; why not is told beside it.
        yield replace(score, detail=f"not sampled: {reply.error}") if reply.error else score


def question_of(prompt: Prompt) -> Question:
    """Return what a prompt asks, without how it is put."""
    return Question(
        prompt.algorithm, prompt.task, prompt.input, prompt.category, prompt.blinding, prompt.format
    )


def _question(record: dict[str, object], where: str) -> Question:
    try:
        name = algorithm(field(record, "algorithm", str, where)).name
        asked = task_of(field(record, "task", str, where))
    except InversionError as error:
        message = str(error)
        raise InversionError(message if message.startswith(where) else f"{where}: {message}") from None
    format_name = field(record, "format", str, where, "list")
    if format_name not in known_formats():
        raise InversionError(
            f"{where}: unknown format {format_name[:40]!r}; known: {', '.join(known_formats())}"
        )
    return Question(
        name,
        asked,
        checked_text(field(record, "input", str, where), where),
        field(record, "category", str, where, ""),
        field(record, "blinding", int, where, 0),
        format_name,
    )


def _plausible_text(value: str, text: str) -> bool:
    return len(value) <= 4 * len(text) + 64


def _plausible_code(known: Algorithm, value: Value, text: str, right: Truth) -> bool:
    """Return whether decoding a prediction is cheap: few elements, small numbers, a short stated length."""
    if known.kind is Kind.FLOAT:
        return True
    flat = [n for row in value for n in (row if isinstance(row, list) else [row]) if isinstance(n, int)]
    return (
        len(value) <= 4 * len(right.coded.code) + 64
        and all(abs(n) <= _LARGEST_NUMBER for n in flat)
        and (known.stated_length is None or known.stated_length(value) <= 4 * len(text) + 64)
    )
