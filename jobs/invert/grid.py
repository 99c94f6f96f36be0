"""The whole grid in one command: algorithms x tasks x blinding x models x temperatures, resumable.

    python -m jobs.invert grid --config configs/invert/smoke.yaml
    python -m jobs.invert grid --config configs/invert/published.yaml --models Qwen/Qwen3-32B

Each model and temperature has a folder in the run directory with its reply log and metrics. The same
command continues a run that was stopped; a larger n adds what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from actors.runtime import running
from jobs.invert.score import summary_table
from jobs.invert.shared import (
    AskingConfig,
    SamplerConfig,
    complete,
    limited_items,
    required,
    samplers,
    some_words,
)
from ktray.config import option, to_yaml
from ktray.errors import ConfigError
from ktray.inversion.datasets.generate import DatasetSpec, generate
from ktray.inversion.records import read_replies, write_prompts
from ktray.inversion.reports import as_csv, as_markdown, table_rows, write_text
from ktray.inversion.scoring import score_replies
from ktray.inversion.summary import as_json, summarize
from ktray.inversion.tasks import Item, Prompt
from ktray.job import console, launch
from ktray.rundir import RunDirectory, write_json
from ktray.sequences import content_hash
from ktray.studies.bootstrap import Bootstrap


@dataclass(frozen=True)
class Config(AskingConfig):
    """The grid's axes, its inputs (drawn where no file is given), and how replies are sampled."""

    run: Path | None = option(None, "run directory")
    source: str = option("mixed", "source of drawn inputs")
    count: int = option(50, "inputs to draw, those that become examples included")
    least: int = option(8, "shortest drawn input in characters")
    greatest: int = option(300, "longest drawn input in characters")
    models: str = option("oracle", "comma-separated models: oracle, or hub names and folders for the sampler")
    temperatures: str | float = option("0.2", "comma-separated temperatures")
    n: int = option(5, "samples a prompt")
    published: bool = option(False, "also report the published rules")
    sampler: SamplerConfig = option(SamplerConfig(), "the sampler of models other than oracle")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Run every cell and return their summaries."""
    path = required(config.run, "run", "run directory")
    if config.n < 1:
        raise ConfigError(f"--n is {config.n}, expected 1 or more")
    plan = _plan(config)
    prompts = config.prompts(_items(config))
    directory = RunDirectory(path, _fingerprint(config, prompts))
    directory.save_config(to_yaml(config), config.seed)
    write_prompts(path / "prompts.jsonl", prompts)
    cells = {}
    with running() if config.sampler.workers > 0 else nullcontext():
        for name, (model, temperature) in plan.items():
            cells[name] = _cell(config, model, temperature, prompts, path / name)
            console.print(f"{name}:", summary_table(cells[name]))
    rows = table_rows(cells)
    write_text(path / "report.md", as_markdown(rows))
    write_text(path / "report.csv", as_csv(rows))
    metrics = {"prompts": len(prompts), "n": config.n, "cells": cells, "run": str(path)}
    directory.save_metrics(metrics)
    return metrics


def _plan(config: Config) -> dict[str, tuple[str, float]]:
    """Return the model and temperature of every cell, by the name of its folder."""
    plan: dict[str, tuple[str, float]] = {}
    for model in some_words(config.models, "models"):
        for temperature in _temperatures(config):
            name = f"{Path(model).name}-t{temperature:g}"
            if name in plan:
                raise ConfigError(
                    f"two cells of the grid are named {name}; run them apart, each with its --run"
                )
            plan[name] = model, temperature
    return plan


def _items(config: Config) -> list[Item]:
    if config.inputs:
        return limited_items(config.inputs, config.limit)
    spec = DatasetSpec(
        config.source,
        count=config.count,
        least=config.least,
        greatest=config.greatest,
        seed=config.seed,
    )
    return generate(spec)[: config.limit]


def _temperatures(config: Config) -> list[float]:
    try:
        return [float(word) for word in some_words(config.temperatures, "temperatures")]
    except ValueError:
        raise ConfigError(f"--temperatures is {config.temperatures!r}; expected numbers") from None


def _fingerprint(config: Config, prompts: Sequence[Prompt]) -> dict[str, Any]:
    sampling = asdict(config.sampler.settings())
    del sampling["temperature"]
    return {"prompts": content_hash("".join(p.id for p in prompts).encode()), "sampling": sampling}


def _cell(
    config: Config, model: str, temperature: float, prompts: Sequence[Prompt], folder: Path
) -> dict[str, Any]:
    """Complete one cell's reply log and return its summary."""
    chosen = replace(config.sampler, temperature=temperature)
    if model == "oracle":
        chosen = replace(chosen, name="oracle")
    else:
        name = "vllm" if chosen.name == "oracle" else chosen.name
        engine, endpoint = replace(chosen.engine, model=model), replace(chosen.endpoint, model=model)
        chosen = replace(chosen, name=name, engine=engine, endpoint=endpoint)
    with samplers(chosen) as found:
        complete(prompts, config.n, found, chosen, folder / "replies.jsonl", folder.name)
    wanted = (r for r in read_replies(folder / "replies.jsonl") if r.sample < config.n)
    scores = score_replies(prompts, wanted)
    metrics = as_json(summarize(scores, Bootstrap(seed=config.seed), config.published))
    write_json(folder / "metrics.json", metrics)
    return metrics


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert grid", description=__doc__ or "", argv=argv)
