"""Conversations to train on, split by input so that no test input leaks.

    python -m jobs.invert sft --translations translations.jsonl --out runs/invert/sft --exclude lzw.jsonl

The same input is on the same side for every algorithm and task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.invert.shared import required
from ktray.config import option
from ktray.inversion.datasets.files import read_items
from ktray.inversion.sft import build_sft, write_sft
from ktray.inversion.templates import load_templates
from ktray.inversion.tokens import ModelTokenizer
from ktray.inversion.translation import read_translations
from ktray.job import console, launch


@dataclass(frozen=True)
class Config:
    """What to train on, and for which model."""

    translations: Path | None = option(None, "translations file")
    out: Path | None = option(None, "folder to write train.jsonl, test.jsonl and dataset_info.json to")
    test_share: float = option(0.1, "share of inputs held out, by their hash")
    exclude: Path | None = option(None, "inputs file (an evaluation set) none of whose texts may be used")
    thinking: bool = option(False, "put the reasoning into a thinking block, as reasoning models write it")
    model: str | None = option(None, "model whose chat template renders a `text` column")
    templates: Path | None = option(None, "folder of template files that replace ours")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Write the data and return its sizes."""
    out = required(config.out, "out", "output folder")
    translations = read_translations(required(config.translations, "translations", "translations file"))
    data = build_sft(
        translations,
        load_templates(config.templates),
        test_share=config.test_share,
        exclude={i.text for i in read_items(config.exclude)} if config.exclude else set(),
        thinking=config.thinking,
    )
    write_sft(out, data, ModelTokenizer(config.model) if config.model else None)
    console.print(f"{len(data.train)} conversations to train on, {len(data.test)} held out, in {out}")
    return {"train": len(data.train), "test": len(data.test), "out": str(out)}


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert sft", description=__doc__ or "", argv=argv)
