"""Put inputs as questions: algorithms x tasks x blinding levels x formats.

    python -m jobs.invert prompts --inputs items.jsonl --out prompts.jsonl --algorithms lzw,rle --blinding 0,3

A format that cannot hold an algorithm's code is left out for that algorithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.invert.shared import AskingConfig, limited_items, required
from ktray.config import option
from ktray.inversion.records import write_prompts
from ktray.job import console, launch


@dataclass(frozen=True)
class Config(AskingConfig):
    """Which questions to ask about which inputs, and where they go."""

    out: Path | None = option(None, "prompts file to write (JSON lines)")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Write the prompts and return how many."""
    out = required(config.out, "out", "prompts file")
    prompts = config.prompts(limited_items(required(config.inputs, "inputs", "inputs file"), config.limit))
    count, inputs = write_prompts(out, prompts), len({p.input for p in prompts})
    console.print(f"{count} prompts on {inputs} inputs in {out}")
    return {"prompts": count, "inputs": inputs, "out": str(out)}


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert prompts", description=__doc__ or "", argv=argv)
