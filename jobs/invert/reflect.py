"""Let a model look at its own answers again, for some rounds; report what that gains and what it breaks.

    python -m jobs.invert reflect --prompts p.jsonl --replies r.jsonl --run runs/invert/reflect --rounds 2
    ... --tell-outcome --forward-check

Every round has its own reply log in the run directory, so the same command continues.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from jobs.invert.shared import SamplerConfig, complete, prompts_of, required, samplers
from ktray.config import option, to_yaml
from ktray.errors import ConfigError
from ktray.inversion.ports import Sampler
from ktray.inversion.records import read_replies
from ktray.inversion.reflection import Ask, ReflectionSettings, RoundResult, begin, reflect
from ktray.inversion.tasks import Prompt, Reply
from ktray.inversion.templates import load_templates
from ktray.job import console, launch
from ktray.rundir import RunDirectory


@dataclass(frozen=True)
class Config:
    """Which answers, how many rounds, and what the model is told."""

    prompts: Path | None = option(None, "prompts file")
    replies: Path | None = option(None, "reply log of the first answers")
    run: Path | None = option(None, "run directory")
    rounds: int = option(1, "rounds of looking again")
    tell_outcome: bool = option(
        False, "tell the verifier's outcome (then only wrong answers are asked about)"
    )
    forward_check: bool = option(False, "show what the true program makes of the answer")
    templates: Path | None = option(None, "folder of template files that replace ours")
    sampler: SamplerConfig = option(SamplerConfig(), "the sampler")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Run the rounds and return what each changed."""
    if config.rounds < 1:
        raise ConfigError(f"--rounds is {config.rounds}, expected 1 or more")
    path = required(config.run, "run", "run directory")
    prompts = prompts_of(required(config.prompts, "prompts", "prompts file"))
    opened = begin(prompts, read_replies(required(config.replies, "replies", "reply log")))
    if not opened:
        raise ConfigError(f"{config.replies} has no reply to a prompt of {config.prompts}")
    settings = ReflectionSettings(config.rounds, config.tell_outcome, config.forward_check)
    directory = RunDirectory(path, _fingerprint(config))
    directory.save_config(to_yaml(config), config.sampler.seed)
    with samplers(config.sampler) as found:
        ask = _asker(found, config, path)
        rounds = reflect(opened, settings, load_templates(config.templates), ask)
    metrics = _metrics(sum(c.last.correct for c in opened), len(opened), rounds)
    directory.save_metrics(metrics)
    console.print(_table(metrics))
    return metrics


def _fingerprint(config: Config) -> dict[str, Any]:
    return {
        "replies": str(config.replies),
        "tell_outcome": config.tell_outcome,
        "forward_check": config.forward_check,
        "sampling": asdict(config.sampler.settings()),
    }


def _asker(found: Sequence[Sampler], config: Config, folder: Path) -> Ask:
    def ask(prompts: Sequence[Prompt], number: int) -> dict[str, Reply]:
        path = folder / f"round-{number}.jsonl"
        complete(prompts, 1, found, config.sampler, path, f"round {number}")
        return {r.prompt_id: r for r in read_replies(path)}

    return ask


def _metrics(before: int, samples: int, rounds: Sequence[RoundResult]) -> dict[str, Any]:
    return {"samples": samples, "correct_before": before, "rounds": [asdict(r) for r in rounds]}


def _table(metrics: dict[str, Any]) -> Table:
    table = Table("round", "asked again", "became right", "became wrong", "right", "of")
    table.add_row("0", "", "", "", str(metrics["correct_before"]), str(metrics["samples"]))
    for r in metrics["rounds"]:
        table.add_row(*(str(r[k]) for k in ("round", "asked", "gained", "lost", "correct", "samples")))
    return table


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert reflect", description=__doc__ or "", argv=argv)
