"""Draw inputs, and check that every algorithm gives each of them back.

    python -m jobs.invert generate --source mixed --count 250 --out runs/invert/data
    python -m jobs.invert generate --corpus sample --count 200 --out runs/invert/data

Writes items.jsonl, and ALGORITHM.jsonl with codes and side information for each algorithm.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from jobs.invert.shared import ALGORITHMS, algorithm_names, required, words
from ktray.commit import committed
from ktray.config import option
from ktray.corpora import open_corpus
from ktray.errors import ConfigError
from ktray.inversion.algorithms import algorithm
from ktray.inversion.datasets.files import items_of_sequences, read_items, write_items
from ktray.inversion.datasets.generate import DatasetSpec, generate
from ktray.inversion.tasks import Item
from ktray.job import console, launch


@dataclass(frozen=True)
class Config:
    """What to draw."""

    out: Path | None = option(None, "folder to write to")
    source: str = option("mixed", "comma-separated: string, log, yaml, tabular, dna, unicode; or mixed")
    categories: str = option("", "comma-separated categories of the sources (default: all)")
    count: int = option(250, "texts to draw")
    least: int = option(8, "shortest text in characters")
    greatest: int = option(300, "longest text in characters")
    seed: int = option(0, "seed of the draw")
    exclude: Path | None = option(None, "inputs file none of whose texts may be drawn")
    corpus: str = option("", "take texts from this ktray corpus instead: sample, text, file, ...")
    input: Path | None = option(None, "the corpus's file or folder")
    chunk: int = option(128, "length in bytes of a corpus's texts")
    algorithms: str = option(ALGORITHMS, "comma-separated algorithms to code the texts with")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Write the data set and return what is in it."""
    folder = required(config.out, "out", "output folder")
    names = algorithm_names(config.algorithms)
    items = _corpus_items(config) if config.corpus else _drawn_items(config)
    write_items(folder / "items.jsonl", items)
    for name in names:
        _write_coded(folder / f"{name}.jsonl", name, items)
    counts = Counter(i.source if not config.corpus else config.corpus for i in items)
    console.print(f"{len(items)} inputs in {folder}, each decoded back by {', '.join(names)}")
    return {
        "items": len(items),
        "sources": dict(sorted(counts.items())),
        "algorithms": names,
        "out": str(folder),
    }


def _drawn_items(config: Config) -> list[Item]:
    spec = DatasetSpec(
        config.source,
        tuple(words(config.categories)),
        config.count,
        config.least,
        config.greatest,
        config.seed,
    )
    return generate(spec, {i.text for i in read_items(config.exclude)} if config.exclude else ())


def _corpus_items(config: Config) -> list[Item]:
    corpus = open_corpus(config.corpus, config.input, seed=config.seed)
    sequences = (s for block in corpus.blocks(config.chunk, 1 << 20) for s in block.sequences())
    excluded = {i.text for i in read_items(config.exclude)} if config.exclude else set()
    distinct: dict[str, Item] = {}
    for item in items_of_sequences(islice(sequences, 20 * config.count), config.corpus):
        if item.text not in excluded and config.least <= len(item.text) <= config.greatest:
            distinct.setdefault(item.text, item)
        if len(distinct) == config.count:
            return list(distinct.values())
    raise ConfigError(
        f"corpus {config.corpus}: only {len(distinct)} distinct texts of {config.least} to {config.greatest} "
        f"characters among the first {20 * config.count} sequences; lower --count or widen the range"
    )


def _write_coded(path: Path, name: str, items: Sequence[Item]) -> None:
    """Write one input a line with its code and side, every one verified by decoding."""
    known = algorithm(name)
    with committed(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for item in items:
            coded = known.verified(item.text)
            row = {"algorithm": name, "input": item.text, "output": coded.code, "side": coded.side}
            row["category"] = item.category
            stream.write(json.dumps(row) + "\n")


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert generate", description=__doc__ or "", argv=argv)
