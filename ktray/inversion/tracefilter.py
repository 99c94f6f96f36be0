"""Which traces are worth telling: right, complete, not idle, and each path through a program once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ktray.inversion.traces import Trace
from ktray.sequences import content_hash


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Which traces to keep: right ones, complete ones of at most `max_steps`, of which at most `idle_share`
    change nothing, and (`distinct_paths`) no two of one program that execute the same lines in order."""

    max_steps: int = 2000
    idle_share: float = 0.9
    distinct_paths: bool = True


@dataclass(frozen=True, slots=True)
class Filtered:
    """What a filter kept, and how many it dropped for which reason."""

    kept: tuple[Trace, ...]
    dropped: dict[str, int]


def filter_traces(traces: Iterable[Trace], rules: TraceFilter) -> Filtered:
    """Return the traces that pass, in order; each dropped one is counted under its first reason."""
    kept: list[Trace] = []
    dropped = {"wrong": 0, "too_long": 0, "idle": 0, "same_path": 0}
    paths: set[tuple[str, bool, int, str]] = set()
    for trace in traces:
        key = (trace.algorithm, trace.encoder, trace.blinding, path_hash(trace))
        reason = _reason_to_drop(trace, rules) or ("same_path" if key in paths else "")
        if reason:
            dropped[reason] += 1
            continue
        kept.append(trace)
        if rules.distinct_paths:
            paths.add(key)
    return Filtered(tuple(kept), dropped)


def path_hash(trace: Trace) -> str:
    """Return a hash of the lines executed, in order."""
    return content_hash(",".join(str(s.line) for s in trace.steps).encode())


def _reason_to_drop(trace: Trace, rules: TraceFilter) -> str:
    if not trace.correct:
        return "wrong"
    if trace.dropped or len(trace.steps) > rules.max_steps:
        return "too_long"
    idle = sum(not s.changes for s in trace.steps)
    return "idle" if idle > rules.idle_share * len(trace.steps) else ""
