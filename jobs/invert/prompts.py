"""Put inputs as questions: algorithms x tasks x blinding levels x formats.

    python -m jobs.invert prompts --inputs items.jsonl --out prompts.jsonl --algorithms lzw,rle --blinding 0,3

A format that cannot hold an algorithm's code is left out for that algorithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.invert.shared import (
    ALGORITHMS,
    TASKS,
    algorithm_names,
    limited_items,
    numbers,
    questions,
    required,
    split_examples,
    words,
)
from ktray.config import option
from ktray.inversion.prompting import build_prompts
from ktray.inversion.records import write_prompts
from ktray.inversion.templates import load_templates
from ktray.job import console, launch


@dataclass(frozen=True)
class Config:
    """Which questions to ask about which inputs."""

    inputs: Path | None = option(None, "inputs file: ours, or a published one")
    out: Path | None = option(None, "prompts file to write (JSON lines)")
    algorithms: str = option(ALGORITHMS, "comma-separated algorithms")
    tasks: str = option(TASKS, "comma-separated tasks")
    blinding: str | int = option("0", "comma-separated blinding levels, 0 to 3")
    formats: str = option("list", "comma-separated output formats")
    shots: int = option(0, "solved examples in a prompt, taken out of the inputs")
    templates: Path | None = option(None, "folder of template files that replace ours")
    limit: int | None = option(None, "only the first so many inputs")
    seed: int = option(0, "seed of the examples")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Write the prompts and return how many."""
    out = required(config.out, "out", "prompts file")
    items = limited_items(required(config.inputs, "inputs", "inputs file"), config.limit)
    examples, asked = split_examples(items, config.shots, config.seed)
    ways = questions(
        algorithm_names(config.algorithms),
        words(config.tasks),
        numbers(config.blinding, "blinding"),
        words(config.formats),
        examples,
    )
    count = write_prompts(out, build_prompts(asked, ways, load_templates(config.templates)))
    console.print(f"{count} prompts on {len(asked)} inputs in {out}")
    return {"prompts": count, "inputs": len(asked), "questions": len(ways), "out": str(out)}


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert prompts", description=__doc__ or "", argv=argv)
