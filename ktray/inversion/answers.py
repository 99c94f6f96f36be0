"""From a reply to its answer: the text between [ANSWER] and [/ANSWER], as typed JSON, strictly.

Replies are hostile: lengths, digits and nesting are bounded before anything is built from them, and
every failure is one of the outcome classes, never an exception of the parser.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ktray.inversion import formats
from ktray.inversion.kinds import Kind, Value

#: Longer replies are cut here (characters); the answer stands at their end, so the end is kept.
MAX_REPLY = 4_000_000
#: An answer block longer than this is counted as unparsable.
MAX_ANSWER = 200_000
#: A JSON number with more digits is counted as unparsable (Python refuses above 4300).
MAX_NUMBER = 1000

OPEN, CLOSE = "[ANSWER]", "[/ANSWER]"
#: How reasoning models mark the beginning and the end of their thinking.
_THINKING = ("<think>", "<thinking>", "<thought>", "<reasoning>", "[THINK]")
_THOUGHT = ("</think>", "</thinking>", "</thought>", "</reasoning>", "[/THINK]")
_FENCE = re.compile(r"\A```(?:json)?\s*(.*?)\s*```\Z", re.DOTALL)


class AnswerOutcome(StrEnum):
    """What became of a reply. Classes are kept apart: only `correct` and `wrong_*` are about reasoning."""

    CORRECT = "correct"
    WRONG_VALUE = "wrong_value"
    WRONG_TYPE = "wrong_type"
    UNPARSABLE = "unparsable"
    NO_ANSWER = "no_answer"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed answer, or the outcome of the failure and a one-line detail."""

    value: Value = None
    failure: AnswerOutcome | None = None
    detail: str = ""


def parse_answer(reply: str, kind: Kind, format_name: str = "list", finish_reason: str = "") -> Answer:
    """Return a reply's answer as a value of `kind`.

    `finish_reason` "length" tells a cut reply; without it, an unclosed thinking block or an unclosed
    answer that is not complete JSON counts as cut.
    """
    block, closed = answer_block(reply[-MAX_REPLY:])
    cut = finish_reason == "length"
    if block is None:
        if cut or thinking_unclosed(reply):
            return Answer(failure=AnswerOutcome.TRUNCATED, detail="the reply ends before its answer")
        return Answer(failure=AnswerOutcome.NO_ANSWER, detail=f"no {OPEN} in the reply")
    if len(block) > MAX_ANSWER:
        return Answer(failure=AnswerOutcome.UNPARSABLE, detail=f"an answer of {len(block)} characters")
    try:
        data = _json(block)
    except (ValueError, RecursionError) as error:
        if not closed and (cut or _ends_early(block, error)):
            return Answer(failure=AnswerOutcome.TRUNCATED, detail="the reply ends within its answer")
        return Answer(failure=AnswerOutcome.UNPARSABLE, detail=_line(error))
    return _typed(data, kind, format_name)


def answer_block(reply: str) -> tuple[str | None, bool]:
    """Return the text of the last closed answer after any thinking, and True; where none was closed, the
    last opened one and False, since the stop string may have eaten the closing mark.
    """
    visible = _said(reply)
    before, close, _ = visible.rpartition(CLOSE)
    closed = bool(close) and OPEN in before
    _, opened, block = (before if closed else visible).rpartition(OPEN)
    if not opened:
        return None, False
    fenced = _FENCE.match(block.strip())
    return (fenced.group(1) if fenced else block.strip()), closed


def thinking_unclosed(reply: str) -> bool:
    """Return whether a reply opened a thinking block that it never closed."""
    return any(reply.rfind(mark) >= _thought_end(reply) for mark in _THINKING if mark in reply)


def _said(reply: str) -> str:
    """Return what a reply says after its thinking; before it, where the thinking never ends. A template may
    open the thinking in the prompt, so that only its end is in the reply."""
    begin = _thought_end(reply)
    opened = [at for mark in _THINKING if (at := reply.find(mark, begin)) >= 0]
    return reply[begin : min(opened, default=len(reply))]


def _thought_end(reply: str) -> int:
    return max(reply.rfind(mark) + len(mark) if mark in reply else 0 for mark in _THOUGHT)


def print_answer(value: Value, kind: Kind, format_name: str = "list") -> str:
    """Return the answer block that parses back to `value`."""
    written = formats.write(format_name, kind, value)
    return f"{OPEN}{json.dumps({'output': written}, ensure_ascii=False)}{CLOSE}"


def _typed(data: Any, kind: Kind, format_name: str) -> Answer:
    if type(data) is not dict or "output" not in data:
        return Answer(failure=AnswerOutcome.UNPARSABLE, detail='expected {"output": ...}')
    try:
        return Answer(formats.read(format_name if kind is not Kind.TEXT else "list", kind, data["output"]))
    except formats.TypeMismatch as error:
        return Answer(failure=AnswerOutcome.WRONG_TYPE, detail=str(error))
    except formats.FormatError as error:
        return Answer(failure=AnswerOutcome.UNPARSABLE, detail=str(error))


def _json(text: str) -> Any:
    # Raw line breaks within strings are unambiguous, and models write them: strict=False allows them.
    return json.loads(
        text, parse_int=_bounded_int, parse_float=_finite_float, parse_constant=_no_constant, strict=False
    )


def _bounded_int(text: str) -> int:
    if len(text) > MAX_NUMBER:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _finite_float(text: str) -> float:
    value = float(text[:MAX_NUMBER]) if len(text) > MAX_NUMBER else float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number beyond every float")
    return value


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON value")


def _ends_early(block: str, error: Exception) -> bool:
    """Return whether the parser failed for want of more text rather than at something wrong."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.pos >= len(block) or error.msg.startswith("Unterminated string")


def _line(error: Exception) -> str:
    text = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    return " ".join(text.split())[:120]
