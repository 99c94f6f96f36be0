"""Verify and price given programs without searching, or measure a baseline.

    python -m jobs.evaluate --input pairs.jsonl.gz --prior uniform          (gold programs: UPPER BOUND)
    python -m jobs.evaluate --input replies.jsonl --language python --prior raw,gzip --rows rows.jsonl
    python -m jobs.evaluate --corpus file --input text.bin --baseline gzip --chunk whole --published
    python -m jobs.evaluate --corpus file --input text.bin --baseline gzip,xz,zstd,brotli,ppmd,zpaq --chunk whole
    python -m jobs.evaluate --corpus file --input text.bin --baseline lmic --chunk 128 --sample 500 --engine.model M

A line of the input has `sequence` and `program` (text) or `reply` (a model's raw text).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from ktray.archive import ArchiveWriter, encode_block
from ktray.baselines import BASELINES, BaselineRate, baseline_rate, rate_of
from ktray.commit import committed, refuse_same
from ktray.config import nearest, option
from ktray.corpora import open_corpus
from ktray.corpora.blocks import CorpusBlock
from ktray.errors import ConfigError
from ktray.job import console, launch
from ktray.ledger import (
    PaperTally,
    gzip_backoff_rate,
    gzip_bits,
    paper_metrics,
    precision_joint,
    tally_outcomes,
    tally_sequences,
)
from ktray.priors import make_prior
from ktray.programs import Language, Outcome, Program, Verdict
from ktray.progress import progress
from ktray.proposers.replay import given_program, read_lines, sequence_values
from ktray.samplers.engine import EngineSettings, VllmSampler
from ktray.samplers.lmic import LmicSettings, lmic_bits
from ktray.samplers.ports import SamplingSettings
from ktray.sandbox import SandboxLimits, Verifier, check_isolation
from ktray.sequences import Values

_BATCH = 512
#: Sequences that a language model is asked about at once.
_ASKED = 64
_BLOCK = 16_000_000


@dataclass(frozen=True)
class Config:
    """What to evaluate, under which priors, and where rows and archive go."""

    input: Path | None = option(None, "JSONL (plain or .gz) of programs, or a baseline's corpus file")
    language: str | None = option(
        None, "language of the programs: dsl or python (default: detected line by line)"
    )
    prior: str = option("uniform", "comma-separated priors to price under: raw, gzip, uniform, adaptive")
    element_bits: int | None = option(
        None, "bits an element counts for (default: the corpus's own; 8, dna 3)"
    )
    backoff: str = option("raw", "what an unsolved sequence costs: raw, or gzip (all of them jointly)")
    rows: Path | None = option(None, "write a JSON line per input line, in order, with outcome and bits")
    out: Path | None = option(None, "also write the archive (first prior)")
    baseline: str | None = option(
        None,
        "measure baselines instead: comma-separated, of repeat, lmic, gzip, xz, zstd, brotli, ppmd, zpaq",
    )
    corpus: str = option("sequences", "the corpus of a baseline")
    chunk: str = option("128", "a baseline's sequence length in elements, or whole")
    sample: int | None = option(None, "only so many of a baseline's sequences, drawn with --seed")
    seed: int = option(0, "seed of the drawing")
    engine: EngineSettings = option(EngineSettings(), "the model of lmic")
    lmic: LmicSettings = option(LmicSettings(), "how that model is shown a sequence")
    published: bool = option(False, "the published recipe of the GZIP baseline, which inflates")
    sandbox: SandboxLimits = option(SandboxLimits(), "limits of Python programs")
    json: bool = option(False, "print the metrics as the last line of standard output")


@dataclass(frozen=True, slots=True)
class Given:
    """One input line: a sequence, the program given for it, and what became of it."""

    values: Values
    program: Program | None
    verdict: Verdict

    @property
    def correct(self) -> bool:
        return self.verdict.outcome is Outcome.CORRECT


def run(config: Config) -> dict[str, Any]:
    """Evaluate, print a table, and return the metrics."""
    if config.input is None and not config.baseline:
        raise ConfigError("no input given; name a JSONL file with --input")
    if config.backoff not in {"raw", "gzip"}:
        raise ConfigError(f"unknown --backoff {config.backoff!r}{nearest(config.backoff, ['raw', 'gzip'])}")
    if config.sample is not None and not config.baseline:
        raise ConfigError("--sample draws a baseline's sequences; programs are all evaluated, leave it out")
    if config.published and not config.baseline:
        raise ConfigError("--published is a recipe of the GZIP baseline; give --baseline gzip with it")
    if config.baseline and (config.rows or config.out):
        raise ConfigError("--rows and --out are of given programs; a baseline has none, leave them out")
    check_isolation(config.sandbox)
    return run_baseline(config) if config.baseline else run_programs(config)


def run_baseline(config: Config) -> dict[str, Any]:
    """Measure baselines over a corpus cut into chunks."""
    names = [name.strip() for name in str(config.baseline).split(",") if name.strip()]
    _check_baseline(config, names)
    rates = {name: _baseline(config, name) for name in names}
    papers: dict[str, dict[str, float | None]] = {
        name: {"compression_rate": rate.compression_rate, "compression_rate_mean": rate.compression_rate_mean}
        for name, rate in rates.items()
    }
    _print_rates(f"{config.input or config.corpus}, length {config.chunk}", papers)
    n, input_bits = rates[names[0]].n, rates[names[0]].input_bits
    first = {"baseline": names[0], "paper": papers[names[0]]}
    return {"n": n, "input_bits": input_bits, **first, "baselines": papers}


def _check_baseline(config: Config, names: Sequence[str]) -> None:
    if not names:
        raise ConfigError(f"--baseline names nothing, expected some of {', '.join(BASELINES)}")
    for name in names:
        if name not in BASELINES:
            raise ConfigError(f"unknown baseline {name!r}{nearest(name, BASELINES)}")
        if config.published and name != "gzip":
            raise ConfigError(f"--published is a recipe of gzip; {name} has none")
    if config.chunk != "whole" and (not config.chunk.isdigit() or int(config.chunk) < 1):
        raise ConfigError(f"--chunk is {config.chunk!r}, expected a length such as 128, or whole")
    if config.chunk == "whole" and ("lmic" in names or config.sample):
        raise ConfigError("--chunk whole is one sequence: lmic and --sample need a length such as 128")


def _baseline(config: Config, name: str) -> BaselineRate:
    whole = config.chunk == "whole"
    corpus = open_corpus(
        config.corpus,
        config.input,
        element_bits=config.element_bits,
        sample=config.sample,
        seed=config.seed,
    )
    pieces = _pieces(corpus.blocks(_BATCH if whole else int(config.chunk), _BLOCK), whole)
    if name != "lmic":
        return baseline_rate(name, pieces, corpus.element_bits, published=config.published, whole=whole)
    return _language_model_rate(config, list(pieces), corpus.element_bits)


def _language_model_rate(config: Config, sequences: list[Values], element_bits: int) -> BaselineRate:
    """Return the rate of LMIC; the engine runs in this process."""
    sampler = VllmSampler(config.engine, SamplingSettings())
    coded: list[tuple[int, float]] = []
    with progress(console, "asking the model", len(sequences), "sequences") as advance:
        for start in range(0, len(sequences), _ASKED):
            batch = sequences[start : start + _ASKED]
            bits = lmic_bits(sampler, batch, config.lmic.form)
            coded.extend((len(v) * element_bits, spent) for v, spent in zip(batch, bits, strict=True))
            advance(len(batch), "")
    return rate_of(coded)


def _pieces(blocks: Iterator[CorpusBlock], whole: bool) -> Iterator[Values]:
    if whole:
        parts = [block.values for block in blocks]
        yield np.concatenate(parts) if parts else np.zeros(0, np.uint8)
        return
    for block in blocks:
        yield from np.split(block.values, np.cumsum(block.lengths)[:-1])


def run_programs(config: Config) -> dict[str, Any]:
    """Verify every line's program, price it under every prior, and write rows and archive where asked."""
    names = [name.strip() for name in config.prior.split(",") if name.strip()]
    if not names:
        raise ConfigError("--prior names nothing, expected some of raw, gzip, uniform, adaptive")
    for name in names:
        make_prior(name)
    if config.out and config.input:
        refuse_same(config.out, config.input, "the input")
    given = verify_lines(config)
    element_bits = config.element_bits or 8
    priced = {name: price_lines(given, name) for name in names}
    papers = {name: _paper(config, given, bits, element_bits) for name, bits in priced.items()}
    archive_bytes = write_archive(config, given, names[0])
    if config.rows:
        write_rows(config.rows, given, priced)
    input_bits = sum(len(g.values) for g in given) * element_bits
    _print_rates(f"{len(given):,} programs", papers)
    first = papers[names[0]]
    return {
        "n": len(given),
        "executable": first["executable"],
        "accuracy": first["accuracy"],
        "paper": first,
        "archive_bytes": archive_bytes,
        "archive_rate": 8 * archive_bytes / input_bits if input_bits else None,
        "outcomes": dict(Counter(g.verdict.outcome.value for g in given).most_common()),
        "priors": papers,
    }


def verify_lines(config: Config) -> list[Given]:
    """Return every line with its verdict. Raises CorpusError for a line that is not as expected."""
    language = _language(config.language)
    path = config.input or Path()
    values, programs = [], []
    for number, row in read_lines(path):
        where = f"{path} line {number}"
        values.append(sequence_values(row, where))
        programs.append(given_program(row, where, language).program)
    verdicts: list[Verdict] = []
    with (
        progress(console, "verifying", len(values), "programs") as advance,
        Verifier(config.sandbox) as verifier,
    ):
        for start in range(0, len(values), _BATCH):
            pairs = list(zip(programs[start : start + _BATCH], values[start : start + _BATCH], strict=True))
            verdicts.extend(verifier.verify(pairs))
            advance(len(pairs), "")
    return [Given(*line) for line in zip(values, programs, verdicts, strict=True)]


def _language(name: str | None) -> Language | None:
    if name is None:
        return None
    if name not in set(Language):
        raise ConfigError(f"unknown language {name!r}{nearest(name, [str(item) for item in Language])}")
    return Language(name)


def price_lines(given: Sequence[Given], prior: str) -> NDArray[np.float64]:
    """Return the published bits of each line's program where it is correct, else NaN; shape (lines,)."""
    bits = np.full(len(given), np.nan)
    correct = [i for i, line in enumerate(given) if line.correct]
    programs = [program for i in correct if (program := given[i].program) is not None]
    bits[correct] = make_prior(prior).published_bits(programs)
    bits[np.isinf(bits)] = np.nan
    return bits


def _paper(
    config: Config, given: Sequence[Given], bits: NDArray[np.float64], element_bits: int
) -> dict[str, float | None]:
    lengths = np.array([len(line.values) for line in given], np.int64)
    gzipped = np.array([gzip_bits(g.values.tobytes()) if g.correct else np.nan for g in given], np.float64)
    tally = tally_sequences(lengths, bits, element_bits, gzipped)
    tally += tally_outcomes(line.verdict.outcome for line in given)
    solutions = [(g.program.text, g.values.tobytes()) for g in given if g.correct and g.program]
    metrics = paper_metrics(tally, precision_joint(solutions))
    if config.backoff == "gzip":
        metrics["compression_rate"] = _gzip_backoff(tally, given, element_bits)
    return metrics


def _gzip_backoff(tally: PaperTally, given: Sequence[Given], element_bits: int) -> float | None:
    return gzip_backoff_rate(tally, [line.values for line in given if not line.correct], element_bits)


def write_archive(config: Config, given: Sequence[Given], prior_name: str) -> int:
    """Write the archive of the correct programs (to --out, or to a temporary file) and return its bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = config.out or Path(folder) / "evaluate.kt"
        prior = make_prior(prior_name)
        corpus = open_corpus("sequences", config.input, element_bits=config.element_bits)
        lines = iter(given)
        with ArchiveWriter(path, {"corpus": "sequences", "prior": prior_name}) as writer:
            for block in corpus.blocks(_BATCH, _BLOCK):
                own = [next(lines) for _ in range(len(block.lengths))]
                writer.add_block(encode_block(block, worth_coding(own, prior, block.element_bits), prior))
        return path.stat().st_size


def worth_coding(given: Sequence[Given], prior: Any, element_bits: int) -> list[Program | None]:
    """Return each line's program where it is correct and cheaper than the literal, else None."""
    programs = [line.program if line.correct else None for line in given]
    present = [program for program in programs if program is not None]
    price = iter(prior.prices(present).tolist())
    return [
        program if program is not None and next(price) < len(line.values) * element_bits else None
        for program, line in zip(programs, given, strict=True)
    ]


def write_rows(path: Path, given: Sequence[Given], priced: dict[str, NDArray[np.float64]]) -> None:
    """Write a JSON line per input line: its outcome, and the bits of its program under each prior."""
    with committed(path) as temporary, temporary.open("w", encoding="utf-8") as out:
        for i, line in enumerate(given):
            bits = {
                name: None if np.isnan(values[i]) else float(values[i]) for name, values in priced.items()
            }
            row = {
                "outcome": line.verdict.outcome.value,
                "bits": next(iter(bits.values())),
                "bits_by_prior": bits,
                "correct_prefix": line.verdict.correct_prefix,
                "seconds": line.verdict.seconds,
                "detail": line.verdict.detail,
            }
            out.write(json.dumps(row) + "\n")


def _print_rates(title: str, papers: dict[str, dict[str, float | None]]) -> None:
    table = Table(title=title)
    table.add_column("paper ledger")
    for prior in papers:
        table.add_column(prior, justify="right")
    for metric in next(iter(papers.values())):
        values = [paper[metric] for paper in papers.values()]
        table.add_row(metric, *("-" if value is None else f"{value:.5f}" for value in values))
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line and return its exit code."""
    return launch(Config, run, prog="python -m jobs.evaluate", description=__doc__ or "", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
