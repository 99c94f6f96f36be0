"""Execute the reference programs line by line in the sandbox, and keep what each line changed.

    python -m jobs.invert trace --inputs items.jsonl --out traces.parquet --algorithms lzw

Without --filter every trace is kept, also one that is wrong or cut at the cap.
"""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.invert.shared import ALGORITHMS, algorithm_names, limited_items, numbers, required, words
from ktray.config import option
from ktray.errors import ConfigError
from ktray.inversion.tasks import Item
from ktray.inversion.tracefiles import write_traces
from ktray.inversion.tracefilter import TraceFilter, filter_traces
from ktray.inversion.traces import RunTracer, Trace, TraceLimits, trace_here, trace_in, trace_items
from ktray.job import console, launch
from ktray.progress import Advance, progress
from ktray.sandbox import Sandbox


@dataclass(frozen=True)
class Config:
    """What to trace and what to keep."""

    inputs: Path | None = option(None, "inputs file: ours, or a published one")
    out: Path | None = option(None, "Parquet file to write")
    algorithms: str = option(ALGORITHMS, "comma-separated algorithms")
    directions: str = option("encode,decode", "comma-separated: encode, decode")
    blinding: str | int = option("0", "comma-separated blinding levels of the traced programs")
    limit: int | None = option(None, "only the first so many inputs")
    steps: int = option(4000, "steps kept of a trace")
    text: int = option(160, "characters kept of a value")
    sandbox: bool = option(True, "run in the sandbox (no: in this process; reference programs only)")
    filter: bool = option(False, "keep only right, complete traces within the rules below")
    max_steps: int = option(2000, "filter: longest trace in steps")
    idle_share: float = option(0.9, "filter: largest share of steps that change nothing")
    distinct_paths: bool = option(True, "filter: of traces that execute the same lines, keep the first")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Write the traces and return how many were right, and how many were kept."""
    out = required(config.out, "out", "Parquet file")
    items = limited_items(required(config.inputs, "inputs", "inputs file"), config.limit)
    plan = _plan(config)
    counts: Counter[str] = Counter()
    gc.freeze()  # millions of steps come and go: the collector need not walk what is loaded each time
    with _tracer(config) as tracer, progress(console, "tracing", len(items) * len(plan), "traces") as advance:
        traces = _counted(_traces(items, plan, tracer, config), counts, advance)
        dropped: dict[str, int] = {}
        if config.filter:
            rules = TraceFilter(config.max_steps, config.idle_share, config.distinct_paths)
            found = filter_traces(traces, rules)
            kept, dropped = write_traces(out, found.kept), found.dropped
        else:
            kept = write_traces(out, traces)
    console.print(f"{counts['correct']} of {counts['traces']} traces end right; {kept} in {out}")
    names = ("traces", "correct", "capped", "steps")
    return {**{n: counts[n] for n in names}, "kept": kept, "dropped": dropped, "out": str(out)}


def _plan(config: Config) -> list[tuple[str, bool, int]]:
    directions = words(config.directions)
    for name in directions:
        if name not in ("encode", "decode"):
            raise ConfigError(f"--directions has {name!r}; expected encode, decode or both")
    return [
        (name, direction == "encode", blinding)
        for name in algorithm_names(config.algorithms)
        for direction in directions
        for blinding in numbers(config.blinding, "blinding")
    ]


@contextlib.contextmanager
def _tracer(config: Config) -> Iterator[RunTracer]:
    if not config.sandbox:
        yield trace_here
        return
    with Sandbox() as sandbox:
        yield trace_in(sandbox)


def _traces(
    items: Sequence[Item], plan: Sequence[tuple[str, bool, int]], tracer: RunTracer, config: Config
) -> Iterator[Trace]:
    limits = TraceLimits(config.steps, config.text)
    # One thread for all: the sandbox's processes end with the thread that started them.
    with ThreadPoolExecutor(1) as pool:
        for name, encoder, blinding in plan:
            yield from trace_items(items, name, encoder, blinding, tracer, limits, pool)


def _counted(traces: Iterator[Trace], counts: Counter[str], advance: Advance) -> Iterator[Trace]:
    for trace in traces:
        counts["traces"] += 1
        counts["correct"] += trace.correct
        counts["capped"] += trace.dropped > 0
        counts["steps"] += len(trace.steps) + trace.dropped
        advance(1, "")
        yield trace


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert trace", description=__doc__ or "", argv=argv)
