"""Study candidate logs: pass@k, bits@k, what the next doubling of samples buys, and why programs fail.

    python -m jobs.passk --runs runs/sample-text-1a2b3c4d --out study
    python -m jobs.passk --runs runs/a,runs/b --bands 32,64,128 --price adaptive
    python -m jobs.passk --config configs/passk/smoke.yaml

Writes curves.csv and .parquet (a row for each series, length band and k), prefixes.csv (how far outputs are
right), gold.csv with --gold, taxonomy.json, and plots of all of them. Everything is a function of the
logs; the seed is that of the intervals.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.table import Table

from ktray.config import nearest, option
from ktray.errors import ConfigError
from ktray.job import console, launch
from ktray.report.curves import Curve, plot_curves
from ktray.rundir import write_json
from ktray.studies.bitsk import BitsPoint, SavingCost, bits_curve, saving_costs
from ktray.studies.bootstrap import Bootstrap
from ktray.studies.gold import by_gold_lines, prefix_shares, read_gold_lines
from ktray.studies.logs import SampleSeries, read_series
from ktray.studies.passk import doubling_gains, pass_curve, powers_of_two
from ktray.studies.taxonomy import Taxonomy, taxonomy

PRICES = ("uniform", "adaptive", "gzip", "raw")


@dataclass(frozen=True)
class Config:
    """Which logs, how they are cut into groups, and where the results go."""

    runs: str = option("", "comma-separated run directories of jobs.sample or jobs.compress")
    out: Path = option(Path("study"), "folder for tables, plots and metrics.json")
    price: str = option("uniform", "prior whose fixed prices bits@k uses: uniform, adaptive, gzip, raw")
    bands: str = option("", "comma-separated lengths that cut sequences into bands, in elements: 32,64,128")
    ks: str = option("all", "numbers of samples to estimate: all, powers (of two), or a list: 1,10,100")
    resamples: int = option(1000, "bootstrap resamples over sequences (0: no intervals)")
    confidence: float = option(0.95, "confidence of the intervals, between 0 and 1")
    seed: int = option(0, "seed of the resamples")
    gold: Path | None = option(
        None, "JSONL of pairs (plain or .gz): also accuracy by the lines of a sequence's gold program"
    )
    plots: bool = option(True, "draw the curves")
    json: bool = option(False, "print metrics.json's content as the last line of standard output")


@dataclass(frozen=True, slots=True)
class Band:
    """Sequences whose length in elements is in [low, high); `high` None stands for no bound."""

    low: int
    high: int | None

    def __str__(self) -> str:
        if self.high is None:
            return "all" if self.low == 0 else f"{self.low}+"
        return f"{self.low}-{self.high - 1}"


@dataclass(frozen=True, slots=True)
class Group:
    """All estimates of one series within one band, a dictionary a k, and the taxonomy of its samples."""

    labels: dict[str, Any]
    rows: tuple[dict[str, Any], ...]
    taxonomy: Taxonomy


def run(config: Config) -> dict[str, Any]:
    """Estimate everything, write it, print a table, and return the metrics."""
    _check(config)
    series = read_series([Path(word) for word in _words(config.runs)])
    groups = [group for one in series for group in _groups(config, one)]
    config.out.mkdir(parents=True, exist_ok=True)
    rows = [row for group in groups for row in group.rows]
    _write_rows(config.out, rows)
    metrics = {"price": config.price, "groups": [_summary(group) for group in groups]}
    prefixes = [row for one in series for row in _prefixes(one)]
    write_csv(config.out / "prefixes.csv", prefixes)
    gold = read_gold_lines(config.gold) if config.gold else {}
    by_gold = [row for one in series for row in _by_gold(one, gold)] if gold else []
    write_csv(config.out / "gold.csv", by_gold)
    write_json(config.out / "taxonomy.json", [_taxonomy_json(group) for group in groups])
    write_json(config.out / "metrics.json", metrics)
    if config.plots:
        _plot(config.out, groups)
        _plot_shares(config.out / "prefixes.png", prefixes, "elements", "share", "right from the start")
        _plot_shares(config.out / "gold.png", by_gold, "lines", "accuracy", "by lines of the gold program")
    _print(groups)
    return metrics


def _check(config: Config) -> None:
    if not _words(config.runs):
        raise ConfigError("no runs given; name one or more run directories with --runs")
    if config.price not in PRICES:
        raise ConfigError(f"unknown price {config.price!r}{nearest(config.price, PRICES)}")
    if config.out.exists() and not config.out.is_dir():
        raise ConfigError(f"--out {config.out} is a file; give a folder")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _whole(text: str, name: str) -> list[int]:
    words = _words(text)
    if not all(word.isdigit() and int(word) > 0 for word in words):
        raise ConfigError(f"--{name} is {text!r}; expected whole numbers above 0, separated by commas")
    return sorted({int(word) for word in words})


def bands(text: str) -> list[Band]:
    """Return the band of all sequences, and those that the lengths in `text` cut."""
    edges: list[int | None] = [0, *_whole(text, "bands"), None]
    cut = [Band(low or 0, high) for low, high in itertools.pairwise(edges)]
    return [Band(0, None), *(cut if len(cut) > 1 else [])]


def _groups(config: Config, series: SampleSeries) -> Iterator[Group]:
    longest = 1 + max((len(values) for values in series.targets.values()), default=0)
    for band in bands(config.bands):
        part = series.within(band.low, longest if band.high is None else band.high)
        if part.samples:
            yield _group(config, part, band)


def _group(config: Config, series: SampleSeries, band: Band) -> Group:
    labels = {**series.labels, "band": str(band)}
    items, priced = series.items(), series.priced(config.price)
    ks = _ks(config.ks, min(len(item.correct) for item in items))
    bootstrap = Bootstrap(config.resamples, config.confidence, config.seed) if config.resamples else None
    passes = pass_curve(items, ks, bootstrap)
    bits = bits_curve(priced, ks, bootstrap) if priced else ()
    costs = saving_costs(bits, len(priced), series.tokens_per_sample(), series.seconds_per_sample())
    pass_gain = {g.k: g.gain for g in doubling_gains({p.k: p.value for p in passes})}
    bit_gain = {g.k: g.gain for g in doubling_gains({p.k: p.saved for p in bits})}
    rows = []
    for i, point in enumerate(passes):
        row: dict[str, Any] = {**labels, "k": point.k, "sequences": point.items, "samples": series.count}
        row |= _interval("pass", point.value, point.interval)
        row["pass_gain_of_doubling"] = pass_gain.get(point.k)
        row |= _bits_fields(bits[i], costs[i], bit_gain.get(point.k)) if bits else {}
        rows.append(row)
    return Group(labels, tuple(rows), taxonomy(series.judged()))


def _ks(text: str, most: int) -> tuple[int, ...]:
    """Return the ks to estimate, none above what every sequence has."""
    if text == "all":
        return tuple(range(1, most + 1))
    if text == "powers":
        return powers_of_two(most)
    return tuple(k for k in _whole(text, "ks") if k <= most) or (most,)


def _bits_fields(point: BitsPoint, cost: SavingCost, gain: float | None) -> dict[str, Any]:
    return {
        **_interval("bits_per_element", point.bits_per_element, point.interval),
        "bits_saved": point.saved,
        "bits_gain_of_doubling": gain,
        "tokens_per_bit_saved": _finite(cost.tokens_per_bit),
        "seconds_per_bit_saved": _finite(cost.seconds_per_bit),
    }


def _interval(name: str, value: float, interval: Any) -> dict[str, Any]:
    low, high = (interval.low, interval.high) if interval else (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _finite(value: float) -> float | None:
    return None if value == inf else value


def _write_rows(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(list(rows), _schema())
    pq.write_table(table, out / "curves.parquet")
    with (out / "curves.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, table.column_names)
        writer.writeheader()
        writer.writerows(table.to_pylist())


def _prefixes(series: SampleSeries) -> Iterator[dict[str, Any]]:
    for length, share in prefix_shares(series).items():
        yield {**series.labels, "elements": length, "share": share}


def _by_gold(series: SampleSeries, gold: dict[bytes, int]) -> Iterator[dict[str, Any]]:
    for lines, share in by_gold_lines(series, gold).items():
        counts = {"sequences": share.sequences, "samples": share.samples, "accuracy": share.accuracy}
        yield {**series.labels, "lines": lines, **counts}


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows with the same keys to a CSV file; where there are none, none stays from an earlier study."""
    if not rows:
        path.unlink(missing_ok=True)
        return
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


_TEXTS = ("corpus", "proposer", "model", "prompt", "band")
_COUNTS = ("round", "k", "sequences", "samples")
_NUMBERS = (
    "temperature",
    *("pass", "pass_low", "pass_high", "pass_gain_of_doubling"),
    *("bits_per_element", "bits_per_element_low", "bits_per_element_high"),
    *("bits_saved", "bits_gain_of_doubling", "tokens_per_bit_saved", "seconds_per_bit_saved"),
)


def _schema() -> pa.Schema:
    kinds = ((_TEXTS, pa.string()), (_COUNTS, pa.int64()), (_NUMBERS, pa.float64()))
    return pa.schema([pa.field(name, kind) for names, kind in kinds for name in names])


def _summary(group: Group) -> dict[str, Any]:
    """Return a group's first and last row: one sample, and all of them."""
    return {**group.labels, "first": _numbers(group, 0), "last": _numbers(group, -1)}


def _numbers(group: Group, at: int) -> dict[str, Any]:
    return {name: value for name, value in group.rows[at].items() if name not in group.labels}


def _taxonomy_json(group: Group) -> dict[str, Any]:
    data = dataclasses.asdict(group.taxonomy)
    named = {name: {k.value: n for k, n in data[name].items()} for name in ("outcomes", "errors")}
    return {**group.labels, **data, **named}


def _name(group: Group) -> str:
    labels = group.labels
    parts = [str(labels["model"] or labels["proposer"]), str(labels["prompt"] or "")]
    if labels["temperature"] is not None:
        parts.append(f"t={labels['temperature']:g}")
    if labels["round"]:
        parts.append(f"{labels['round']} repairs")
    if labels["band"] != "all":
        parts.append(labels["band"])
    return " ".join(part for part in parts if part)


def _plot(out: Path, groups: Sequence[Group]) -> None:
    measures = {"pass": "pass@k", "bits_per_element": "bits an element"}
    for corpus in sorted({group.labels["corpus"] for group in groups}):
        for measure, unit in measures.items():
            chosen = [g for g in groups if g.labels["corpus"] == corpus and measure in g.rows[0]]
            for kind in ("all", "bands"):
                curves = [
                    _curve(g, measure) for g in chosen if (g.labels["band"] == "all") == (kind == "all")
                ]
                if curves:
                    suffix = "" if kind == "all" else "-by-length"
                    plot_curves(out / f"{measure}-{corpus}{suffix}.png", curves, f"{corpus}: {unit}", unit)


def _curve(group: Group, measure: str) -> Curve:
    def column(name: str) -> tuple[float, ...]:
        return tuple(row[name] for row in group.rows if row[name] is not None)

    ks = tuple(row["k"] for row in group.rows)
    return Curve(_name(group), ks, column(measure), column(f"{measure}_low"), column(f"{measure}_high"))


def _plot_shares(path: Path, rows: Sequence[dict[str, Any]], across: str, measure: str, title: str) -> None:
    """Draw a line a series: longest correct prefix (paper: Fig. 6), accuracy by lines of a program (Fig. 11)."""
    names = ("model", "proposer", "corpus", "prompt", "temperature", "round")
    curves = []
    for labels, part in itertools.groupby(rows, lambda row: tuple(row[name] for name in names)):
        mine = list(part)
        name = " ".join(str(label) for label in (labels[0] or labels[1], *labels[2:4]) if label)
        curves.append(Curve(name, *(tuple(row[column] for row in mine) for column in (across, measure))))
    path.unlink(missing_ok=True)
    if curves:
        plot_curves(path, curves, title, measure, across, log=across == "elements")


def _print(groups: Sequence[Group]) -> None:
    table = Table("corpus", "series", "n", "pass@1", "pass@n", "bits/element@1", "@n", "tokens/bit")
    for group in groups:
        first, last = group.rows[0], group.rows[-1]
        cells = [_cell(row.get(name)) for name in ("pass", "bits_per_element") for row in (first, last)]
        table.add_row(
            str(group.labels["corpus"]),
            _name(group),
            str(last["k"]),
            *cells,
            _cell(last.get("tokens_per_bit_saved")),
        )
    console.print(table)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line and return its exit code."""
    return launch(Config, run, prog="python -m jobs.passk", description=__doc__ or "", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
