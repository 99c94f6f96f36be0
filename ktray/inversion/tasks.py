"""Tasks and the records that travel: items (inputs), prompts, replies. Each is one JSON object a line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ktray.config import nearest
from ktray.inversion.kinds import InversionError, Value
from ktray.sequences import content_hash


class Task(StrEnum):
    """What is asked: the code of a text or the text of a code, given the encoder or the decoder."""

    FORWARD = "forward"
    INVERSE = "inverse"
    FORWARD_GIVEN_DECODER = "forward_given_decoder"
    INVERSE_GIVEN_ENCODER = "inverse_given_encoder"

    @property
    def asks_code(self) -> bool:
        """Whether the answer is the code (else the text)."""
        return self in (Task.FORWARD, Task.FORWARD_GIVEN_DECODER)

    @property
    def shows_encoder(self) -> bool:
        """Whether the prompt shows the encoder (else the decoder)."""
        return self in (Task.FORWARD, Task.INVERSE_GIVEN_ENCODER)


def task(name: str) -> Task:
    """Return the task of that name. Raises InversionError, naming the nearest."""
    try:
        return Task(name)
    except ValueError:
        raise InversionError(f"unknown task {name[:40]!r}{nearest(name, [t.value for t in Task])}") from None


@dataclass(frozen=True, slots=True)
class Item:
    """One input text, where it came from, and (in published data) the output that was published and the
    lower-case name of the algorithm that gave it."""

    text: str
    category: str = ""
    source: str = ""
    published: Value = None
    published_by: str = ""

    @property
    def id(self) -> str:
        """16 hex digits of the text's hash."""
        return content_hash(self.text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation: role (system, user, assistant) and content."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question: what was asked of which input, as the conversation that is sent.

    `id` is a function of everything that shapes the conversation, its text included.
    """

    id: str
    algorithm: str
    task: Task
    input: str
    category: str
    blinding: int
    format: str
    shots: int
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """One sample of a prompt: the text, why it ended ("stop", "length", "error"), its tokens where known."""

    prompt_id: str
    sample: int
    text: str
    finish_reason: str = "stop"
    tokens: int | None = None
    prompt_tokens: int | None = None
    model: str = ""
    error: str = ""
