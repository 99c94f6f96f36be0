"""Feedback and execution (paper: Tab. 3): each line is executed as it is written, and the model sees its list.

A sampler around another one: it asks for one line at a time, so that sample i still depends on model,
prompt, settings and `seed + i` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ktray.dsl.feedback import comment
from ktray.dsl.interpreter import ExecutionError, run_lines
from ktray.dsl.parser import parse
from ktray.errors import ProgramError
from ktray.samplers.ports import Finish, Reply, SampleRequest, TextSampler, request_seed

#: Lines after which a program that has not ended is cut off.
MOST_LINES = 96
_LINE_ENDS = ("#", "\n")


@dataclass(frozen=True, slots=True)
class _Draft:
    """One sample so far."""

    request: SampleRequest
    index: int
    lines: tuple[str, ...] = ()
    tokens: int = 0
    prompt_tokens: int = 0
    logprob: float = 0.0

    def text(self) -> str:
        return "".join(line + "\n" for line in self.lines)

    def next_line(self, key: str, joint: str) -> SampleRequest:
        """Return the request for the line after those that are there."""
        seed = request_seed(self.request.seed + self.index, f"line {len(self.lines)}")
        return replace(
            self.request,
            key=key,
            user=f"{self.request.user}{joint}{self.text()}" if self.lines else self.request.user,
            samples=range(1),
            seed=seed,
            max_tokens=max(1, self.request.max_tokens - self.tokens),
            stop=_LINE_ENDS,
            must_stop=True,
        )

    def reply(self, finish: Finish, error: str = "") -> Reply:
        text = "" if error else self.text().rstrip("\n")
        return Reply(
            self.request.key, self.index, text, finish, self.tokens, self.prompt_tokens, self.logprob, error
        )


class FeedbackSampler:
    """Samples programs line by line through `inner`, showing each line's list before the next.

    `joint` stands between a prompt and the lines that are there.
    """

    def __init__(self, inner: TextSampler, joint: str = "\n") -> None:
        self.inner, self._joint = inner, joint
        self.model = inner.model

    def sample(self, requests: Sequence[SampleRequest]) -> Iterator[Reply]:
        """Yield every sample of every request; tokens count those that the model wrote, and what it read for
        each line."""
        drafts = [_Draft(request, index) for request in requests for index in request.samples]
        while drafts:
            asked = [draft.next_line(str(i), self._joint) for i, draft in enumerate(drafts)]
            going: list[_Draft] = []
            for reply in self.inner.sample(asked):
                draft = _extended(drafts[int(reply.key)], reply)
                finish = _finish(draft, reply)
                if finish is None:
                    going.append(draft)
                else:
                    yield draft.reply(finish, reply.error)
            drafts = sorted(going, key=lambda draft: (draft.request.key, draft.index))


def _extended(draft: _Draft, reply: Reply) -> _Draft:
    """Return a draft with a further line, told what its list is where it has one."""
    line = reply.text.strip()
    lines = (*draft.lines, line + _told(draft.lines, line)) if line else draft.lines
    return replace(
        draft,
        lines=lines,
        tokens=draft.tokens + (reply.tokens or 0),
        prompt_tokens=draft.prompt_tokens + (reply.prompt_tokens or 0),
        logprob=draft.logprob + (reply.logprob or 0.0),
    )


def _finish(draft: _Draft, reply: Reply) -> Finish | None:
    """Return why a draft is done, or None where it goes on."""
    if reply.finish == "error":
        return "error"
    last = draft.lines[-1] if draft.lines else ""
    if not reply.text.strip() or last.startswith("output") or "#" not in last:
        return "stop"
    if len(draft.lines) >= MOST_LINES or draft.tokens >= draft.request.max_tokens:
        return "length"
    return None


def _told(lines: Sequence[str], line: str) -> str:
    """Return the comment that tells a line's list, empty where the line has none."""
    name = line.partition("=")[0].strip()
    try:
        return comment(run_lines(parse("\n".join([*lines, line, f"output = {name}"])))[-1])
    except (ProgramError, ExecutionError):
        return ""
