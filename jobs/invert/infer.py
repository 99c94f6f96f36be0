"""Sample replies to prompts. The same command continues a log: only missing samples are drawn.

    python -m jobs.invert infer --prompts prompts.jsonl --replies replies.jsonl --n 5 \\
        --sampler.name vllm --sampler.engine.model HuggingFaceTB/SmolLM2-135M-Instruct --sampler.workers 2
    python -m jobs.invert infer --prompts prompts.jsonl --replies replies.jsonl --sampler.name oracle
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.invert.shared import SamplerConfig, complete, prompts_of, required, samplers
from ktray.config import option
from ktray.errors import ConfigError
from ktray.job import console, launch


@dataclass(frozen=True)
class Config:
    """What to sample."""

    prompts: Path | None = option(None, "prompts file")
    replies: Path | None = option(None, "reply log to complete (JSON lines, append-only)")
    n: int = option(5, "samples a prompt")
    sampler: SamplerConfig = option(SamplerConfig(), "the sampler")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Complete the log and return how much was added."""
    if config.n < 1:
        raise ConfigError(f"--n is {config.n}, expected 1 or more")
    asked = prompts_of(required(config.prompts, "prompts", "prompts file"))
    path = required(config.replies, "replies", "reply log")
    with samplers(config.sampler) as found:
        done = complete(asked, config.n, found, config.sampler, path)
    console.print(f"{done.added} replies added to the {done.present} in {path}")
    return {
        "prompts": len(asked),
        "present": done.present,
        "added": done.added,
        "by_sampler": done.by_sampler,
        "failed": done.failed,
        "replies": str(path),
    }


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert infer", description=__doc__ or "", argv=argv)
