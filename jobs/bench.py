"""Print the speeds of every part: language, priors, literals, searcher, sandbox, sampling.

    python -m jobs.bench
    python -m jobs.bench --only dsl,priors

Each bench is a module of its own that can be run alone. Speeds are in CPU time of one core where nothing else
is said; ratios are measured within one run, since machines are noisy.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ktray.config import nearest, option
from ktray.errors import ConfigError, PipelineError
from ktray.job import console, launch

_SAMPLE = "ktray/corpora/sample_data"

#: What is run for each name: a module and its arguments.
BENCHES: Mapping[str, tuple[str, ...]] = {
    "dsl": ("ktray.dsl.bench",),
    "priors": ("ktray.priors.bench",),
    "literals": ("ktray.literals.bench", f"{_SAMPLE}/text.xml"),
    "search": ("ktray.proposers.search.bench", "--input", f"{_SAMPLE}/synthetic.jsonl.gz", "--limit", "200"),
    "classics": ("ktray.proposers.dsl2_bench",),
    "sandbox": ("ktray.sandbox.bench",),
    "sampling": ("actors.bench",),
}


@dataclass(frozen=True)
class Config:
    """Which benches."""

    only: str = option("", f"comma-separated benches (default: all): {', '.join(BENCHES)}")
    json: bool = option(False, "print the exit codes as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Run the benches one after another; each prints its own lines."""
    names = [name.strip() for name in config.only.split(",") if name.strip()] or list(BENCHES)
    for name in names:
        if name not in BENCHES:
            raise ConfigError(f"unknown bench {name!r}{nearest(name, list(BENCHES))}")
    codes = {name: _bench(name) for name in names}
    failed = [name for name, code in codes.items() if code]
    if failed:
        raise PipelineError(f"bench {', '.join(failed)} failed; its message stands above")
    return {"exit_codes": codes}


def _bench(name: str) -> int:
    console.rule(name)
    return subprocess.run([sys.executable, "-m", *BENCHES[name]], check=False).returncode


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line and return its exit code."""
    return launch(Config, run, prog="python -m jobs.bench", description=__doc__ or "", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
