"""Prompt files and reply logs on disk: JSON lines.

A reply log is append-only and read back whole lines only: the line that a kill cut short is dropped
and cut off before anything is appended, so that every (prompt, sample) appears once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from ktray.commit import committed
from ktray.inversion.datasets.files import checked_text, field, json_lines
from ktray.inversion.kinds import InversionError
from ktray.inversion.tasks import Message, Prompt, Reply, task


def write_prompts(path: Path, prompts: Iterable[Prompt]) -> int:
    """Write prompts one a line, whole or not at all; return how many."""
    count = 0
    with committed(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for prompt in prompts:
            stream.write(json.dumps(asdict(prompt)) + "\n")
            count += 1
    return count


def read_prompts(path: Path) -> Iterator[Prompt]:
    """Yield the prompts of a file. Raises InversionError naming the line of a malformed one."""
    for number, record in json_lines(path):
        where = f"{path}, line {number}"
        messages = field(record, "messages", list, where)
        yield Prompt(
            id=field(record, "id", str, where),
            algorithm=field(record, "algorithm", str, where),
            task=task(field(record, "task", str, where)),
            input=checked_text(field(record, "input", str, where), where),
            category=field(record, "category", str, where, ""),
            blinding=field(record, "blinding", int, where, 0),
            format=field(record, "format", str, where, "list"),
            shots=field(record, "shots", int, where, 0),
            messages=tuple(_message(m, where) for m in messages),
        )


def read_replies(path: Path) -> Iterator[Reply]:
    """Yield the replies of a log, each (prompt, sample) once: the first reply that is no error, or where
    there is none, at the end, the last error."""
    seen: set[tuple[str, int]] = set()
    failed: dict[tuple[str, int], Reply] = {}
    for number, record in json_lines(path):
        reply = _reply(record, f"{path}, line {number}")
        key = (reply.prompt_id, reply.sample)
        if reply.finish_reason == "error":
            failed[key] = reply
        elif key not in seen:
            seen.add(key)
            yield reply
    yield from (reply for key, reply in failed.items() if key not in seen)


class ReplyLog:
    """An open reply log: what it holds already, and a place to append. Use as a context manager.

    `done` are the (prompt, sample) that are answered, by `models` when it was opened; `failed` those that this
    session could not sample: their errors are in the log, and another session tries them again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        _cut_partial_line(path)
        self.done: set[tuple[str, int]] = set()
        self.models: set[str] = set()
        for reply in read_replies(path):
            self.models.update([reply.model] if reply.model else [])
            if reply.finish_reason != "error":
                self.done.add((reply.prompt_id, reply.sample))
        self.failed: dict[tuple[str, int], str] = {}
        self._stream = path.open("a", encoding="utf-8")

    @property
    def tried(self) -> set[tuple[str, int]]:
        """What need not be asked for again in this session."""
        return self.done | self.failed.keys()

    def __enter__(self) -> ReplyLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def append(self, reply: Reply) -> bool:
        """Append a reply unless its (prompt, sample) was tried; return whether it was."""
        key = (reply.prompt_id, reply.sample)
        if key in self.done or key in self.failed:
            return False
        self._stream.write(json.dumps(asdict(reply)) + "\n")
        self._stream.flush()
        if reply.finish_reason == "error":
            self.failed[key] = reply.error
        else:
            self.done.add(key)
        return True


def _cut_partial_line(path: Path) -> None:
    """Remove what follows the last line end: a line that a kill cut short."""
    with path.open("rb+") as stream:
        end = stream.seek(0, 2)
        keep = end
        while keep:
            start = max(0, keep - 65536)
            stream.seek(start)
            newline = stream.read(keep - start).rfind(b"\n")
            if newline >= 0:
                keep = start + newline + 1
                break
            keep = start
        if keep < end:
            stream.truncate(keep)


def _message(record: Any, where: str) -> Message:
    if not isinstance(record, dict):
        raise InversionError(f"{where}: a message is no object; expected role and content")
    return Message(field(record, "role", str, where), field(record, "content", str, where))


def _reply(record: dict[str, Any], where: str) -> Reply:
    optional = {n: record[n] for n in ("tokens", "prompt_tokens") if type(record.get(n)) is int}
    return Reply(
        field(record, "prompt_id", str, where),
        field(record, "sample", int, where),
        field(record, "text", str, where),
        field(record, "finish_reason", str, where, ""),
        model=field(record, "model", str, where, ""),
        error=field(record, "error", str, where, ""),
        **optional,
    )
