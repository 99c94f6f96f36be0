"""Summaries of scores: outcome counts, pass@k with intervals, distances, consistency, round trips.

Pure functions: the same scores in any order give the same summary. Every share carries its n.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from ktray.inversion.answers import AnswerOutcome
from ktray.inversion.kinds import InversionError
from ktray.inversion.scoring import Question, ScoredReply
from ktray.inversion.tasks import Task
from ktray.studies.bootstrap import Bootstrap, Interval, ratio_intervals
from ktray.studies.passk import ItemSamples, PassPoint, any_of_first_k, pass_curve, powers_of_two

#: Upper ends (characters, excluded) of the bands of input length.
LENGTH_BANDS = (32, 64, 128, 256)
#: Up to this many samples every k is reported, beyond it powers of two.
_EVERY_K = 16
_DIRECTIONS = (
    (Task.FORWARD, Task.INVERSE),
    (Task.FORWARD_GIVEN_DECODER, Task.INVERSE_GIVEN_ENCODER),
)


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Inputs asked in both directions: how many there are, how many were right in both by some sample,
    and the mean chance that one sample of each direction is right."""

    inputs: int
    both_right: int
    expected: float


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """One group of replies.

    `parsed` counts typed answers; `consistent` those that pass through the true program (the right ones
    included), `consistent_wrong` those among them that are not the expected value. `mean_distance` and
    `mean_prefix` are over parsed answers, as shares of the right answer's length (distance can exceed 1).
    """

    n: int
    prompts: int
    outcomes: dict[str, int]
    accuracy: float
    pass_at_k: tuple[PassPoint, ...]
    parsed: int
    consistent: int
    consistent_wrong: int
    mean_distance: float | None
    mean_prefix: float | None
    mean_tokens: float | None


@dataclass(frozen=True, slots=True)
class PublishedRules:
    """The published evaluator's rules: floats within its tolerance count, "pass@k" is any of the first k."""

    accuracy: float
    any_of_first_k: tuple[PassPoint, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that `score` reports: all replies, round trips, and groups by each breakdown."""

    total: GroupSummary
    round_trips: dict[str, RoundTrip]
    breakdowns: dict[str, dict[str, GroupSummary]]
    published: PublishedRules | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Accuracy of two runs on the prompts both answered, and the paired difference (b - a) with its
    interval over those prompts."""

    prompts: int
    a: float
    b: float
    difference: float
    interval: Interval


def summarize(scores: Iterable[ScoredReply], bootstrap: Bootstrap, published: bool = False) -> Summary:
    """Return the summary of at least one score. Raises InversionError where there is none."""
    scored = list(scores)
    if not scored:
        raise InversionError("nothing to summarize: no replies were scored")
    keys = breakdown_keys()
    breakdowns = {
        name: {group: summarize_group(members, bootstrap) for group, members in _grouped(scored, key)}
        for name, key in keys.items()
    }
    return Summary(
        summarize_group(scored, bootstrap),
        {f"{a}+{b}": found for a, b in _DIRECTIONS if (found := round_trip(scored, a, b)).inputs},
        breakdowns,
        published_rules(scored, bootstrap) if published else None,
    )


def breakdown_keys() -> dict[str, Callable[[Question], str]]:
    """Return the breakdowns: a name, and the group of a question."""
    return {
        "algorithm": lambda q: q.algorithm,
        "task": lambda q: q.task.value,
        "algorithm_task": lambda q: f"{q.algorithm}/{q.task.value}",
        "blinding": lambda q: str(q.blinding),
        "format": lambda q: q.format,
        "category": lambda q: q.category or "unknown",
        "length": lambda q: length_band(len(q.input)),
    }


def length_band(length: int) -> str:
    """Return the band of an input's length in characters, both ends included."""
    low = 0
    for end in LENGTH_BANDS:
        if length < end:
            return f"{low}-{end - 1}"
        low = end
    return f"{low}+"


def summarize_group(scores: Sequence[ScoredReply], bootstrap: Bootstrap) -> GroupSummary:
    """Return the summary of one group; a prompt is one question, however it was put."""
    samples = _samples(scores, lambda s: s.correct)
    outcomes = Counter(s.outcome for s in scores)
    parsed = [s for s in scores if s.consistent is not None]
    tokens = [s.tokens for s in scores if s.tokens is not None]
    return GroupSummary(
        n=len(scores),
        prompts=len(samples),
        outcomes={o.value: outcomes[o] for o in AnswerOutcome},
        accuracy=outcomes[AnswerOutcome.CORRECT] / len(scores),
        pass_at_k=pass_curve(samples, _ks(samples), bootstrap),
        parsed=len(parsed),
        consistent=sum(bool(s.consistent) for s in parsed),
        consistent_wrong=sum(bool(s.consistent) and not s.correct for s in parsed),
        mean_distance=_mean([(s.distance or 0) / max(1, s.length) for s in parsed]),
        mean_prefix=_mean([(s.prefix or 0) / max(1, s.length) if s.length else 1.0 for s in parsed]),
        mean_tokens=_mean(tokens),
    )


def round_trip(scores: Iterable[ScoredReply], forward: Task, inverse: Task) -> RoundTrip:
    """Return how often the same input (algorithm, blinding and format alike) is right in both directions."""
    right: dict[tuple[str, int, str, str], dict[Task, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        q = score.question
        right[(q.algorithm, q.blinding, q.format, q.input)][q.task].append(score.correct)
    both = [(r[forward], r[inverse]) for r in right.values() if r[forward] and r[inverse]]
    if not both:
        return RoundTrip(0, 0, 0.0)
    return RoundTrip(
        len(both), sum(any(f) and any(i) for f, i in both), fmean(fmean(f) * fmean(i) for f, i in both)
    )


def published_rules(scores: Sequence[ScoredReply], bootstrap: Bootstrap) -> PublishedRules:
    """Return the numbers that the published evaluator would print."""
    samples = _samples(scores, lambda s: s.correct or s.within_tolerance)
    accuracy = sum(sum(i.correct) for i in samples) / len(scores)
    return PublishedRules(accuracy, any_of_first_k(samples, _ks(samples), bootstrap))


def compare(a: Iterable[ScoredReply], b: Iterable[ScoredReply], bootstrap: Bootstrap) -> Comparison:
    """Return the paired comparison of two runs over the questions that both answered.

    Raises InversionError where they share none.
    """
    return compare_groups(a, b, bootstrap)["all"]


def compare_groups(
    a: Iterable[ScoredReply], b: Iterable[ScoredReply], bootstrap: Bootstrap
) -> dict[str, Comparison]:
    """Return paired comparisons over the questions that both runs answered: `all`, then each algorithm and
    task. Raises InversionError where they share none."""
    shares_a, shares_b = _accuracies(a), _accuracies(b)
    common = [q for q in shares_a if q in shares_b]
    if not common:
        raise InversionError("the two runs share no prompt; compare runs over the same prompts")
    groups: dict[str, list[Question]] = {"all": common}
    for question in common:
        groups.setdefault(f"{question.algorithm}/{question.task}", []).append(question)
    return {
        name: _comparison([(shares_a[q], shares_b[q]) for q in members], bootstrap)
        for name, members in groups.items()
    }


def _comparison(pairs: Sequence[tuple[float, float]], bootstrap: Bootstrap) -> Comparison:
    rows = np.array([[b - a] for a, b in pairs])
    ones = np.ones(len(pairs))
    interval = ratio_intervals(rows, ones, ones.astype(np.int64), bootstrap)[0]
    return Comparison(
        len(pairs), fmean(a for a, _ in pairs), fmean(b for _, b in pairs), float(rows.mean()), interval
    )


def as_json(summary: Summary) -> dict[str, Any]:
    """Return a summary as JSON has it: the total's fields at the top, pass@k as {k: value}."""
    data = _group_json(summary.total)
    data["round_trip"] = {
        name: {"inputs": r.inputs, "both_right": r.both_right, "expected": r.expected}
        for name, r in summary.round_trips.items()
    }
    data["breakdowns"] = {
        name: {key: _group_json(group) for key, group in groups.items()}
        for name, groups in summary.breakdowns.items()
    }
    if summary.published is not None:
        data["published_rules"] = {
            "accuracy": summary.published.accuracy,
            "any_of_first_k": {str(p.k): p.value for p in summary.published.any_of_first_k},
        }
    return data


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON has it."""
    return {
        "prompts": comparison.prompts,
        "a": comparison.a,
        "b": comparison.b,
        "difference": comparison.difference,
        "interval": [comparison.interval.low, comparison.interval.high],
    }


def _group_json(group: GroupSummary) -> dict[str, Any]:
    points = group.pass_at_k
    return {
        "n": group.n,
        "prompts": group.prompts,
        "outcomes": group.outcomes,
        "accuracy": group.accuracy,
        "pass_at_k": {str(p.k): p.value for p in points},
        "pass_at_k_interval": {str(p.k): [p.interval.low, p.interval.high] for p in points if p.interval},
        "parsed": group.parsed,
        "consistent": group.consistent,
        "consistent_wrong": group.consistent_wrong,
        "mean_distance": group.mean_distance,
        "mean_prefix": group.mean_prefix,
        "mean_tokens": group.mean_tokens,
    }


def _grouped(
    scores: Iterable[ScoredReply], key: Callable[[Question], str]
) -> list[tuple[str, list[ScoredReply]]]:
    groups: dict[str, list[ScoredReply]] = defaultdict(list)
    for score in scores:
        groups[key(score.question)].append(score)
    return sorted(groups.items())


def _samples(scores: Iterable[ScoredReply], right: Callable[[ScoredReply], bool]) -> list[ItemSamples]:
    """Return each question's samples in the order of their index; questions in a fixed order."""
    by_question: dict[Question, list[tuple[int, bool]]] = defaultdict(list)
    for score in scores:
        by_question[score.question].append((score.sample, right(score)))
    return sorted(
        (ItemSamples(repr(q), tuple(c for _, c in sorted(s))) for q, s in by_question.items()),
        key=lambda item: item.item,
    )


def _ks(samples: Sequence[ItemSamples]) -> tuple[int, ...]:
    least = min(len(i.correct) for i in samples)
    return tuple(range(1, least + 1)) if least <= _EVERY_K else powers_of_two(least)


def _accuracies(scores: Iterable[ScoredReply]) -> dict[Question, float]:
    return {q: fmean(s.correct for s in group) for q, group in _by_question(scores).items()}


def _by_question(scores: Iterable[ScoredReply]) -> dict[Question, list[ScoredReply]]:
    found: dict[Question, list[ScoredReply]] = defaultdict(list)
    for score in scores:
        found[score.question].append(score)
    return dict(sorted(found.items(), key=lambda pair: repr(pair[0])))


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
