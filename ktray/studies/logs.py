"""From run directories to the samples of a study: one series a model, prompt and temperature.

The same sample found in two runs counts once. What refines a series is joined to it, sample by sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ktray.blockstore import block_path, read_block, read_manifest
from ktray.candidatelog import read_log, read_place
from ktray.errors import RunDirectoryError
from ktray.priors import make_prior
from ktray.programs import Language, Outcome, Program
from ktray.sequences import Values
from ktray.studies.bitsk import PricedItem
from ktray.studies.passk import ItemSamples
from ktray.studies.taxonomy import JudgedSample

#: What telling a program from a literal costs, in both ledgers' simplest form.
FLAG_BITS = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One verified sample of a sequence."""

    index: int
    program: Program | None
    outcome: Outcome
    correct_prefix: int
    tokens: int | None


@dataclass(frozen=True)
class SampleSeries:
    """The samples of all sequences by one model, prompt and temperature, on one corpus.

    `samples[id]` are ordered by index, without gaps from 0; `targets[id]` are the values; `seconds` is what
    sampling took, as far as it was noted.
    """

    corpus: str
    element_bits: int
    settings: dict[str, Any]
    samples: dict[str, tuple[Sample, ...]]
    targets: dict[str, Values]
    seconds: float = 0.0

    @property
    def labels(self) -> dict[str, Any]:
        """What tells this series from others."""
        names = ("proposer", "model", "prompt", "temperature", "round")
        return {"corpus": self.corpus, **{name: self.settings.get(name) for name in names}}

    @cached_property
    def count(self) -> int:
        """All samples of all sequences."""
        return sum(map(len, self.samples.values()))

    def within(self, low: int, high: int) -> SampleSeries:
        """Return the series of the sequences whose length is in [low, high); it took its share of seconds."""
        ids = [i for i in self.samples if low <= len(self.targets[i]) < high]
        samples = {i: self.samples[i] for i in ids}
        share = sum(map(len, samples.values())) / max(1, self.count)
        return SampleSeries(
            self.corpus, self.element_bits, self.settings, samples, self.targets, self.seconds * share
        )

    def items(self) -> list[ItemSamples]:
        """Return what pass@k is estimated from."""
        return [
            ItemSamples(i, tuple(s.outcome is Outcome.CORRECT for s in samples))
            for i, samples in self.samples.items()
        ]

    def priced(self, prior: str) -> list[PricedItem]:
        """Return what bits@k is estimated from, under a prior's fixed prices."""
        price = prices(prior, (s.program for ss in self.samples.values() for s in ss if _right(s)))
        return [
            PricedItem(
                i,
                tuple(price[s.program] + FLAG_BITS if s.program and _right(s) else np.inf for s in samples),
                self.element_bits * len(self.targets[i]) + FLAG_BITS,
                len(self.targets[i]),
            )
            for i, samples in self.samples.items()
            if len(self.targets[i])
        ]

    def judged(self) -> Iterator[JudgedSample]:
        """Yield what the taxonomy counts."""
        for i, samples in self.samples.items():
            target = tuple(self.targets[i].tolist())
            for s in samples:
                text = s.program.text if s.program else ""
                yield JudgedSample(text, s.outcome, s.correct_prefix, target, s.tokens)

    def tokens_per_sample(self) -> float:
        """Return the mean tokens of a reply."""
        tokens = sum(s.tokens or 0 for samples in self.samples.values() for s in samples)
        return tokens / max(1, self.count)

    def seconds_per_sample(self) -> float:
        """Return the mean seconds of sampling, of the runs that noted them."""
        return self.seconds / max(1, self.count)


def _right(sample: Sample) -> bool:
    return sample.program is not None and sample.outcome is Outcome.CORRECT


def prices(prior: str, programs: Iterable[Program | None]) -> dict[Program, float]:
    """Return each program's fixed price (bits, without flag), `inf` where the prior cannot code it."""
    distinct = sorted({program for program in programs if program is not None})
    if not distinct:
        return {}
    bits: NDArray[np.float64] = make_prior(prior).prices(distinct)
    return dict(zip(distinct, bits.tolist(), strict=True))


def read_series(runs: Sequence[Path]) -> list[SampleSeries]:
    """Return every series that the run directories hold, refinements joined to what they refine.

    Raises RunDirectoryError where a path is no run directory with a candidate log.
    """
    found: dict[str, SampleSeries] = {}
    for run in runs:
        for folder, series in _run_series(run).items():
            key = json.dumps([series.corpus, folder])
            found[key] = _merged(found[key], series) if key in found else series
    whole = list(found.values())
    return [*(s for s in whole if not s.settings.get("refines")), *_chains(found)]


def _run_series(run: Path) -> dict[str, SampleSeries]:
    try:
        fingerprint = json.loads((run / "fingerprint.json").read_text(encoding="utf-8"))
        ids, targets, bits = _targets(run / "blocks")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunDirectoryError(
            f"{run} is no run directory ({reason}); give one of jobs.sample or compress"
        ) from None
    corpus = str(fingerprint["corpus"])
    seconds = _seconds(run / "usage.jsonl")
    series = {}
    for file in sorted((run / "log").glob("*/settings.json")):
        settings = json.loads(file.read_text(encoding="utf-8"))
        samples = _samples(file.parent, ids)
        if samples:
            name = file.parent.name
            series[name] = SampleSeries(corpus, bits, settings, samples, targets, seconds.get(name, 0.0))
    if not series:
        raise RunDirectoryError(
            f"{run} has no verified samples; run jobs.sample (or its --verify-only) first"
        )
    return series


def _targets(folder: Path) -> tuple[list[list[str]], dict[str, Values], int]:
    """Return the ids of each block's sequences, every sequence's values, and the bits an element counts for."""
    count = len(read_manifest(folder).sequences)
    blocks = [read_block(block_path(folder, number)) for number in range(count)]
    sequences = [list(block.sequences()) for block in blocks]
    ids = [[s.id for s in block] for block in sequences]
    values = {s.id: s.values for block in sequences for s in block}
    return ids, values, blocks[0].element_bits if blocks else 8


def _samples(folder: Path, ids: Sequence[Sequence[str]]) -> dict[str, tuple[Sample, ...]]:
    """Return the verified samples of a log. A proposer that logs only what it found (the searcher, replay)
    has nothing of the other sequences: those count as samples without a program."""
    rows: dict[str, dict[int, Sample]] = {}
    for path in sorted(folder.glob("*.parquet")):
        log, place = read_log(path), read_place(path)
        for row in log.table.to_pylist():
            if row["outcome"] is not None:
                rows.setdefault(row["sequence_id"], {})[row["sample_index"]] = _sample(row)
        if "refines" in json.loads((folder / "settings.json").read_text(encoding="utf-8")):
            continue
        logged = set(log.table["sequence_id"].to_pylist())
        for sequence_id in ids[place.block][place.first : place.first + log.sequences]:
            if sequence_id not in logged:
                none = {k: Sample(k, None, Outcome.NO_PROGRAM, 0, None) for k in place.samples}
                rows.setdefault(sequence_id, {}).update(none)
    return {i: tuple(found[k] for k in sorted(found)) for i, found in rows.items()}


def _sample(row: dict[str, Any]) -> Sample:
    program = Program(Language(row["language"]), row["program"]) if row["program"] is not None else None
    return Sample(row["sample_index"], program, Outcome(row["outcome"]), row["correct_prefix"], row["tokens"])


def _seconds(usage: Path) -> dict[str, float]:
    """Return the seconds of all replicas together, by log folder."""
    seconds: dict[str, float] = {}
    lines = usage.read_text(encoding="utf-8").splitlines() if usage.exists() else []
    for line in lines:
        row = json.loads(line)
        seconds[row["folder"]] = seconds.get(row["folder"], 0.0) + row["ended"] - row["began"]
    return seconds


def _merged(one: SampleSeries, other: SampleSeries) -> SampleSeries:
    samples = dict(one.samples)
    for i, found in other.samples.items():
        by_index = {s.index: s for s in (*samples.get(i, ()), *found)}
        samples[i] = tuple(by_index[k] for k in sorted(by_index))
    return SampleSeries(
        one.corpus,
        one.element_bits,
        one.settings,
        samples,
        one.targets | other.targets,
        one.seconds + other.seconds,
    )


def _chains(found: dict[str, SampleSeries]) -> Iterator[SampleSeries]:
    """Yield, for every refinement, the series it refines with each sample replaced by its last repair."""
    for series in found.values():
        if not series.settings.get("refines"):
            continue
        links, key = [series], series
        while key.settings.get("refines"):
            key = found[json.dumps([series.corpus, key.settings["refines"]])]
            links.append(key)
        base = links.pop()
        chain = base
        for link in reversed(links):
            chain = _repaired(chain, link)
        yield SampleSeries(
            base.corpus,
            base.element_bits,
            {**base.settings, "round": series.settings["round"]},
            chain.samples,
            base.targets,
            chain.seconds,
        )


def _repaired(base: SampleSeries, repairs: SampleSeries) -> SampleSeries:
    samples = {}
    for i, before in base.samples.items():
        better = {s.index: s for s in repairs.samples.get(i, ())}
        samples[i] = tuple(
            _spending(s, better[s.index]) if s.index in better and not _right(s) else s for s in before
        )
    return SampleSeries(
        base.corpus, base.element_bits, base.settings, samples, base.targets, base.seconds + repairs.seconds
    )


def _spending(before: Sample, after: Sample) -> Sample:
    """Return the repaired sample with the tokens of both."""
    tokens = (before.tokens or 0) + (after.tokens or 0)
    return Sample(after.index, after.program, after.outcome, after.correct_prefix, tokens)
