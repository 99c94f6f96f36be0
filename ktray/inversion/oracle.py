"""A scripted sampler: it knows every answer and errs on purpose, by planted outcomes at planted rates.

Which outcome a sample gets is a function of seed, prompt and index alone (`plan`), so that what a score
must count is known beforehand, and resuming continues the same script.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ktray.inversion import formats
from ktray.inversion.answers import CLOSE, OPEN, AnswerOutcome
from ktray.inversion.kinds import InversionError, Kind, Value
from ktray.inversion.ports import SampleRequest, SamplingSettings
from ktray.inversion.prompting import truth
from ktray.inversion.tasks import Prompt, Reply

#: A modest mix in which every class occurs.
DEFAULT_RATES = {
    AnswerOutcome.CORRECT: 0.4,
    AnswerOutcome.WRONG_VALUE: 0.2,
    AnswerOutcome.WRONG_TYPE: 0.1,
    AnswerOutcome.UNPARSABLE: 0.1,
    AnswerOutcome.NO_ANSWER: 0.1,
    AnswerOutcome.TRUNCATED: 0.1,
}


@dataclass(frozen=True)
class OracleSampler:
    """Answers truly, but for the planted errors. `rates` sum to 1; what is missing of 1 is correct."""

    rates: Mapping[AnswerOutcome, float] = field(default_factory=lambda: dict(DEFAULT_RATES))
    name: str = "oracle"

    def __post_init__(self) -> None:
        if any(r < 0 for r in self.rates.values()) or sum(self.rates.values()) > 1 + 1e-9:
            raise InversionError(
                f"oracle rates {dict(self.rates)}; expected shares >= 0 that sum to at most 1"
            )

    def sample(self, requests: Sequence[SampleRequest], settings: SamplingSettings) -> Iterator[Reply]:
        """Yield the scripted reply of every requested sample."""
        for request in requests:
            for sample in request.samples:
                outcome = self.plan(request.prompt, sample, settings.seed)
                yield scripted_reply(request.prompt, sample, outcome, self.name)

    def plan(self, prompt: Prompt, sample: int, seed: int) -> AnswerOutcome:
        """Return the outcome planted for one sample."""
        digest = hashlib.blake2b(f"{seed}/{prompt.id}/{sample}".encode(), digest_size=8).digest()
        point = int.from_bytes(digest, "big") / 2**64
        for outcome, rate in self.rates.items():
            if point < rate:
                return outcome
            point -= rate
        return AnswerOutcome.CORRECT


def scripted_reply(prompt: Prompt, sample: int, outcome: AnswerOutcome, model: str) -> Reply:
    """Return a reply that ends in the outcome."""
    right = truth(prompt.algorithm, prompt.task, prompt.input)
    format_name = prompt.format if prompt.task.asks_code else "list"
    written = formats.write(format_name, right.kind, right.value)
    texts = {
        AnswerOutcome.CORRECT: lambda: _block(written),
        AnswerOutcome.WRONG_VALUE: lambda: _block(
            formats.write(format_name, right.kind, wrong_value(right.kind, right.value))
        ),
        AnswerOutcome.WRONG_TYPE: lambda: _block({"code": written}),
        AnswerOutcome.UNPARSABLE: lambda: f"{OPEN}the output is {written!r}{CLOSE}",
        AnswerOutcome.NO_ANSWER: lambda: f"The result is {written!r}.",
        AnswerOutcome.TRUNCATED: lambda: f"{OPEN}" + '{"output": [1, 2',
    }
    text = "I follow the program.\n" + texts[outcome]()
    reason = "length" if outcome is AnswerOutcome.TRUNCATED else "stop"
    return Reply(prompt.id, sample, text, reason, tokens=len(text.split()), model=model)


def wrong_value(kind: Kind, value: Value) -> Value:
    """Return another value of the same kind that formats can hold."""
    if kind is Kind.FLOAT:
        return value / 2 + 0.25 if value != 0.5 else 0.25
    if kind is Kind.TEXT:
        return value + "?"
    if kind is Kind.BITS:
        return value + "1"
    if kind is Kind.PAIRS:
        return [*value, ["?", 1]]
    if kind is Kind.TRIPLES:
        return [*value, [0, 0, "?"]]
    return [*value, 63]


def _block(written: Any) -> str:
    return f"{OPEN}{json.dumps({'output': written}, ensure_ascii=False)}{CLOSE}"
