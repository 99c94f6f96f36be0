"""Output formats compared: what a code costs in tokens and characters, and how often it comes out right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ktray.inversion import formats
from ktray.inversion.algorithms import algorithm
from ktray.inversion.answers import AnswerOutcome
from ktray.inversion.kinds import elements
from ktray.inversion.prompting import coded
from ktray.inversion.scoring import ScoredReply
from ktray.inversion.tasks import Item
from ktray.inversion.tokens import TokenCounter


@dataclass(frozen=True, slots=True)
class FormatTokens:
    """One algorithm's codes in one format under one tokenizer: means over items of characters and tokens,
    and tokens an element of the code."""

    algorithm: str
    format: str
    tokenizer: str
    items: int
    characters: float
    tokens: float
    tokens_per_element: float


@dataclass(frozen=True, slots=True)
class FormatAccuracy:
    """One algorithm's replies to tasks that ask for the code, in one format: how many, how many of each
    outcome matters here, and the mean tokens of a reply where the sampler counted them."""

    algorithm: str
    format: str
    n: int
    correct: int
    unparsable: int
    truncated: int
    reply_tokens: float | None

    @property
    def accuracy(self) -> float:
        """Share of replies that are right."""
        return self.correct / self.n


def format_tokens(
    items: Sequence[Item], names: Sequence[str], format_names: Sequence[str], counters: Sequence[TokenCounter]
) -> list[FormatTokens]:
    """Return the statistics of every algorithm, format that can hold its code, and tokenizer."""
    rows = []
    for name in names:
        kind = algorithm(name).kind
        codes = [coded(name, item.text).code for item in items]
        sizes = [max(1, len(elements(kind, code))) for code in codes]
        for format_name in (f for f in format_names if formats.supports(f, kind)):
            written = [str(formats.write(format_name, kind, code)) for code in codes]
            for counter in counters:
                counts = [counter.count(text) for text in written]
                per_element = fmean(c / s for c, s in zip(counts, sizes, strict=True))
                characters = fmean(map(len, written))
                rows.append(
                    FormatTokens(
                        name, format_name, counter.name, len(items), characters, fmean(counts), per_element
                    )
                )
    return rows


def format_accuracy(scores: Iterable[ScoredReply]) -> list[FormatAccuracy]:
    """Return how replies fared by algorithm and format, over the tasks whose answer is a code."""
    groups: dict[tuple[str, str], list[ScoredReply]] = {}
    for score in scores:
        if score.question.task.asks_code:
            groups.setdefault((score.question.algorithm, score.question.format), []).append(score)
    return [_accuracy(name, format_name, group) for (name, format_name), group in sorted(groups.items())]


def _accuracy(name: str, format_name: str, group: Sequence[ScoredReply]) -> FormatAccuracy:
    tokens = [s.tokens for s in group if s.tokens is not None]
    return FormatAccuracy(
        name,
        format_name,
        len(group),
        sum(s.correct for s in group),
        sum(s.outcome is AnswerOutcome.UNPARSABLE for s in group),
        sum(s.outcome is AnswerOutcome.TRUNCATED for s in group),
        fmean(tokens) if tokens else None,
    )
