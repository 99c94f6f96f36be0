"""Do models execute and invert compression programs? One command a step, or the whole grid at once.

    python -m jobs.invert grid --config configs/invert/smoke.yaml
    python -m jobs.invert score --replies replies.jsonl --json

    generate   draw inputs                          infer    sample replies, with resume
    prompts    put them as questions                score    outcome classes, pass@k, breakdowns
    trace      execute references line by line      reflect  let a model look at its answers again
    translate  traces to reasoning in words         ablate   output formats: tokens and accuracy
    sft        conversations to train on            report   tables, plots, two runs compared
    check      published outputs, decoding, blinding and formats, counted
    grid       prompts, infer and score over algorithms x tasks x blinding x models x temperatures

Each command tells its options with --help.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from ktray.config import nearest

COMMANDS = (
    "generate", "prompts", "trace", "translate", "sft", "infer",
    "score", "reflect", "ablate", "report", "grid", "check",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in {"-h", "--help"}:
        print(__doc__.strip())
        return 0
    if not words or words[0] not in COMMANDS:
        seen = f"unknown command {words[0]!r}{nearest(words[0], COMMANDS)}" if words else "no command given"
        print(f"error: {seen}; one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    code: int = import_module(f"jobs.invert.{words[0]}").main(words[1:])
    return code


if __name__ == "__main__":
    sys.exit(main())
