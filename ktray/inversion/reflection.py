"""Self-reflection: a model looks at its answers again, for R rounds; what that gains and what it breaks.

A round asks about every reply it selects; the next round continues the conversation with the new reply.
Whether the model is told the verifier's outcome, and whether it sees its answer pushed through the true
program, are switches, since either is information that a model alone does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ktray.inversion.answers import AnswerOutcome, parse_answer
from ktray.inversion.prompting import truth
from ktray.inversion.scoring import ScoredReply, check_prediction, question_of, score_reply
from ktray.inversion.tasks import Message, Prompt, Reply
from ktray.inversion.templates import Templates
from ktray.sequences import content_hash

#: Characters of a forward check that a prompt shows.
_SHOWN = 2000


@dataclass(frozen=True, slots=True)
class ReflectionSettings:
    """Rounds, and what the model is told: the verifier's outcome (then only wrong answers are looked at
    again; without it every answer is), and the forward check of its own answer."""

    rounds: int = 1
    tell_outcome: bool = False
    forward_check: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """One sample of one prompt as far as it has gone: its messages, and the score of its last reply."""

    prompt: Prompt
    sample: int
    messages: tuple[Message, ...]
    last: ScoredReply


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What one round changed: answers looked at again, that became right, that became wrong, and how many
    of all samples are right after it."""

    round: int
    asked: int
    gained: int
    lost: int
    correct: int
    samples: int


#: Answers one prompt a request: the sampler behind it resumes from its own log.
Ask = Callable[[Sequence[Prompt], int], dict[str, Reply]]


def begin(prompts: Iterable[Prompt], replies: Iterable[Reply]) -> list[Conversation]:
    """Return the conversations that first replies have opened."""
    by_id = {p.id: p for p in prompts}
    opened = []
    for reply in replies:
        prompt = by_id.get(reply.prompt_id)
        if prompt is not None:
            score = score_reply(question_of(prompt), reply.text, reply.sample, reply.finish_reason)
            messages = (*prompt.messages, Message("assistant", reply.text))
            opened.append(Conversation(prompt, reply.sample, messages, score))
    return opened


def reflect(
    conversations: Sequence[Conversation], settings: ReflectionSettings, templates: Templates, ask: Ask
) -> list[RoundResult]:
    """Run all rounds and return what each changed. `ask(prompts, round)` gives a reply a prompt, by id."""
    current = list(conversations)
    results = []
    for number in range(1, settings.rounds + 1):
        prompts = {
            i: reflection_prompt(c, settings, templates, number)
            for i, c in enumerate(current)
            if not (settings.tell_outcome and c.last.correct)
        }
        replies = ask(list(prompts.values()), number)
        revised = [
            _continued(c, prompts[i], replies[prompts[i].id]) if i in prompts else c
            for i, c in enumerate(current)
        ]
        results.append(_round_result(number, len(prompts), current, revised))
        current = revised
    return results


def reflection_prompt(
    conversation: Conversation, settings: ReflectionSettings, templates: Templates, number: int
) -> Prompt:
    """Return the prompt that asks to look again: the conversation so far and one more turn."""
    last = conversation.messages[-1].content
    fields = {
        "outcome_note": _OUTCOME_NOTES[conversation.last.outcome] if settings.tell_outcome else "",
        "check_note": check_note(conversation, last) if settings.forward_check else "",
    }
    messages = (*conversation.messages, Message("user", templates.render("reflect", fields)))
    shape = f"{conversation.prompt.id}/{conversation.sample}/{number}/{messages!r}"
    return replace(conversation.prompt, id=content_hash(shape.encode()), messages=messages)


def check_note(conversation: Conversation, reply: str) -> str:
    """Return what the true program makes of the reply's answer: no verdict, only its own consequence."""
    prompt = conversation.prompt
    right = truth(prompt.algorithm, prompt.task, prompt.input)
    answer = parse_answer(reply, right.kind, prompt.format if prompt.task.asks_code else "list")
    if answer.failure is not None:
        return "Your answer could not be read. "
    result = check_prediction(question_of(prompt), answer.value, right)
    verb = "decoding" if prompt.task.asks_code else "encoding"
    if result is None:
        return f"For your information, {verb} your answer fails. "
    return f"For your information, {verb} your answer gives: {str(result)[:_SHOWN]!r}. "


_OUTCOME_NOTES = {
    AnswerOutcome.CORRECT: "",
    AnswerOutcome.WRONG_VALUE: "A check found your answer to be wrong. ",
    AnswerOutcome.WRONG_TYPE: "A check found your answer to be of another type than asked for. ",
    AnswerOutcome.UNPARSABLE: "A check could not read your answer: it is no JSON of the form asked for. ",
    AnswerOutcome.NO_ANSWER: "A check found no answer between the marks. ",
    AnswerOutcome.TRUNCATED: "Your reply was cut off before its answer was complete. ",
}


def _continued(conversation: Conversation, prompt: Prompt, reply: Reply) -> Conversation:
    question = question_of(conversation.prompt)
    score = score_reply(question, reply.text, conversation.sample, reply.finish_reason, reply.tokens)
    messages = (*prompt.messages, Message("assistant", reply.text))
    return replace(conversation, messages=messages, last=score)


def _round_result(
    number: int, asked: int, before: Sequence[Conversation], after: Sequence[Conversation]
) -> RoundResult:
    pairs = [(b.last.correct, a.last.correct) for b, a in zip(before, after, strict=True)]
    return RoundResult(
        number,
        asked,
        gained=sum(a and not b for b, a in pairs),
        lost=sum(b and not a for b, a in pairs),
        correct=sum(a for _, a in pairs),
        samples=len(pairs),
    )
