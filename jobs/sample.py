"""Sample programs from language models and verify every one; nothing is reduced.

    python -m jobs.sample --corpus text --input enwik.xml --engine.model Qwen/Qwen2.5-Coder-7B --n 16
    python -m jobs.sample --run runs/sample-text-1a2b3c4d --extend 64
    python -m jobs.sample --config configs/sample/smoke.yaml

Models, prompts and temperatures are crossed, each combination in its own folder of the candidate log.
The same command continues a run that was stopped; --extend draws the missing samples alone.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from actors.encode import logged_samples, shard_log_paths
from actors.pipeline import Progress, Task, run_tasks, verify
from actors.rows import SPENT
from actors.runtime import running
from jobs.reading import CorpusConfig
from ktray.candidatelog import Shard, log_path, read_place, shards_of
from ktray.config import nearest, option, parse, to_yaml
from ktray.corpora.blocks import Corpus
from ktray.errors import ConfigError
from ktray.job import console, launch
from ktray.models import DEFAULT_MODEL
from ktray.programs import EXECUTABLE, Outcome
from ktray.progress import progress
from ktray.proposers.model import PromptSettings
from ktray.proposers.prompting import REFINING
from ktray.proposers.spec import MODELS, ProposerSpec, settings_hash
from ktray.report.summaries import sample_summary
from ktray.rundir import RunDirectory, write_json
from ktray.samplers.endpoint import EndpointSettings
from ktray.samplers.engine import EngineSettings
from ktray.samplers.ports import SamplingSettings
from ktray.sandbox import SandboxLimits, check_isolation


@dataclass(frozen=True)
class Config(CorpusConfig):
    """What to sample, from which models, how, and how much."""

    run: Path | None = option(None, "run directory (default: runs/sample-CORPUS-FINGERPRINT)")
    proposer: str = option("vllm", "what samples: vllm (a model in this cluster) or openai (an endpoint)")
    models: str = option("", "comma-separated models (default: engine.model or endpoint.model)")
    prompts: str = option("", "comma-separated prompts (default: prompt.prompt)")
    temperatures: str = option("", "comma-separated temperatures (default: sampling.temperature)")
    n: int = option(8, "samples a sequence")
    extend: int = option(
        0, "raise n of an existing run to this; with --run alone, its config is used (0: no)"
    )
    refine: int = option(0, "rounds in which programs that failed are shown to the model to be repaired")
    generate_only: bool = option(False, "sample, and leave verifying to a later call")
    verify_only: bool = option(False, "verify what was only sampled; no model is loaded")
    workers: int = option(0, "CPUs to work on (0: all of the cluster)")
    engine: EngineSettings = option(EngineSettings(DEFAULT_MODEL), "the model of the vllm proposer")
    endpoint: EndpointSettings = option(EndpointSettings(), "the model of the openai proposer")
    sampling: SamplingSettings = option(SamplingSettings(), "how models sample")
    prompt: PromptSettings = option(PromptSettings(), "what models are asked")
    sandbox: SandboxLimits = option(SandboxLimits(), "limits of Python programs")
    json: bool = option(False, "print metrics.json's content as the last line of standard output")


@dataclass(frozen=True, slots=True)
class Series:
    """One combination of model, prompt and temperature: its spec, its log folder, and its refining round."""

    spec: ProposerSpec
    folder: str
    round: int = 0


def run(config: Config) -> dict[str, Any]:
    """Sample and verify what is missing, and return the metrics (also written to the run directory)."""
    started = time.monotonic()
    config = _extended(config)
    _check(config)
    series = [_series(spec) for spec in sampling_specs(config)]
    corpus = config.open()
    fingerprint = config.fingerprint(corpus)
    study = Study(config, RunDirectory(_run_path(config, fingerprint), fingerprint), corpus)
    study.claim(series)
    with running(config.workers) as cpus:
        workers = config.workers or cpus
        rounds = [r for group in _by_engine(series) for r in study.sample(group, workers)]
    metrics = study.metrics(rounds) | {"seconds": time.monotonic() - started}
    study.directory.save_metrics(metrics)
    if not config.json:
        console.print(sample_summary(metrics))
    return metrics


def _extended(config: Config) -> Config:
    """Return the config with n raised to `extend`; without a corpus, the run's own config is the base."""
    if not config.extend:
        return config
    if config.corpus:
        return replace(config, n=config.extend)
    if config.run is None:
        raise ConfigError("--extend needs the run to extend; name its directory with --run")
    saved = config.run / "config.yaml"
    if not saved.exists():
        raise ConfigError(f"--run {config.run} holds no run of jobs.sample to extend (no config.yaml)")
    base = parse(Config, ["--config", str(saved)], prog="jobs.sample", description="")
    kept = ("run", "extend", "workers", "generate_only", "verify_only", "json")
    rest = [field.name for field in fields(Config) if field.name not in kept]
    given = [name for name in rest if getattr(config, name) != getattr(Config(), name)]
    if given:
        raise ConfigError(
            f"--extend with --run alone goes on with the run's own settings; leave out {', '.join(given)}, "
            "or give the whole command again with --extend"
        )
    return replace(base, n=config.extend, **{name: getattr(config, name) for name in kept})


def _check(config: Config) -> None:
    if config.proposer not in MODELS:
        raise ConfigError(f"proposer {config.proposer!r} does not sample{nearest(config.proposer, MODELS)}")
    if config.generate_only and config.verify_only:
        raise ConfigError(
            "--generate-only and --verify-only exclude each other; give one, or neither for both"
        )
    if config.refine and (config.generate_only or config.verify_only):
        raise ConfigError(
            "--refine samples and verifies in turn; leave out --generate-only and --verify-only"
        )
    config.require(n=1, chunk=1, shard=1, workers=0, extend=0, refine=0)
    check_isolation(config.sandbox)


def sampling_specs(config: Config) -> list[ProposerSpec]:
    """Return a spec for each combination of model, prompt and temperature. Raises ConfigError."""
    own = config.engine.model if config.proposer == "vllm" else config.endpoint.model
    choices = itertools.product(
        _words(config.models) or [own],
        _words(config.prompts) or [config.prompt.prompt],
        _numbers(config.temperatures) or [config.sampling.temperature],
    )
    return [_spec(config, *choice) for choice in dict.fromkeys(choices)]


def _spec(config: Config, model: str, prompt: str, temperature: float) -> ProposerSpec:
    return ProposerSpec(
        name=config.proposer,
        samples=config.n,
        engine=replace(config.engine, model=model),
        endpoint=replace(config.endpoint, model=model),
        sampling=replace(config.sampling, temperature=temperature),
        prompt=replace(config.prompt, prompt=prompt),
    ).placed()


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in _words(text)]
    except ValueError:
        raise ConfigError(f"--temperatures is {text!r}; expected numbers, separated by commas") from None


def _series(spec: ProposerSpec, round_: int = 0) -> Series:
    return Series(spec, f"{spec.name}-{settings_hash(spec.settings())}", round_)


def _by_engine(series: Sequence[Series]) -> Iterator[list[Series]]:
    """Yield the series in groups that one loaded model serves."""
    for _, group in itertools.groupby(series, lambda s: (s.spec.engine, s.spec.endpoint)):
        yield list(group)


def _refining(base: Series) -> Series:
    """Return the series that repairs what `base` got wrong."""
    language = base.spec.asked.template().language
    if language is None:
        raise ConfigError(
            "--refine needs to know the language of the programs; give it with --prompt.language"
        )
    prompt = replace(base.spec.asked, prompt=REFINING[language], prompt_file="")
    return _series(replace(base.spec, prompt=prompt, refines=base.folder), base.round + 1)


def _run_path(config: Config, fingerprint: dict[str, Any]) -> Path:
    default = Path("runs") / f"sample-{config.corpus}-{settings_hash(fingerprint)}"
    path = config.run or default
    if config.extend and not (path / "fingerprint.json").exists():
        raise ConfigError(
            f"run directory {path} does not exist, so there is nothing to extend; leave --extend out"
        )
    return path


class Study:
    """A run directory of `jobs.sample`: its block store, its log, and what was only generated."""

    def __init__(self, config: Config, directory: RunDirectory, corpus: Corpus) -> None:
        self.config, self.directory = config, directory
        path = directory.path.resolve()
        self.blocks, self.log, self.generated = path / "blocks", path / "log", path / "generated"
        self.manifest = config.store(corpus, self.blocks)
        counts = enumerate(self.manifest.sequences)
        self.shards = [s for block, count in counts for s in shards_of(block, count, config.shard)]
        self.began = self.ended = 0.0
        self.new: Counter[str] = Counter()

    def claim(self, series: Sequence[Series]) -> None:
        """Note the config and every series with its settings."""
        self.directory.claim({"sandbox": asdict(self.config.sandbox)})
        self.directory.save_config(to_yaml(replace(self.config, extend=0)), self.config.seed)
        for one in series:
            self._claim(one)

    def _claim(self, series: Series) -> None:
        settings = {"proposer": series.spec.name, "round": series.round, **series.spec.settings()}
        write_json(self.log / series.folder / "settings.json", settings)

    def sample(self, group: Sequence[Series], workers: int) -> Iterator[Series]:
        """Do what is missing of series on one engine and of the rounds that refine them; yield each, with
        its rounds."""
        if not self.config.verify_only:
            self._run([Task(s.spec, s.folder, self._missing(s)) for s in group], group, workers)
        if not self.config.generate_only:
            for series in group:
                self._verify(series, workers)
        yield from group
        if self.config.generate_only or self.config.verify_only or group[0].round >= self.config.refine:
            return
        refining = [_refining(series) for series in group]
        for series in refining:
            self._claim(series)
        tasks = [
            Task(new.spec, new.folder, self._unrefined(old, new), old.folder)
            for old, new in zip(group, refining, strict=True)
        ]
        self._run(tasks, refining, workers)
        yield from self.sample(refining, workers)

    def _missing(self, series: Series) -> list[tuple[Shard, range]]:
        """Return the shards that lack samples, generated or verified, with the range that each lacks."""
        if series.round:
            return []
        roots = (self.log, self.generated)
        have = ((s, max(logged_samples(r, series.folder, s) for r in roots)) for s in self.shards)
        return [(shard, range(n, series.spec.samples)) for shard, n in have if n < series.spec.samples]

    def _run(self, tasks: Sequence[Task], group: Sequence[Series], workers: int) -> None:
        todo = [pair for task in tasks for pair in task.todo]
        with self._progress(group, todo) as note:
            run_tasks(
                tasks,
                blocks=str(self.blocks),
                log=self.generated if self.config.generate_only else self.log,
                limits=self.config.sandbox,
                workers=workers,
                progress=note,
                verifying=not self.config.generate_only,
            )

    def _verify(self, series: Series, workers: int) -> None:
        """Verify what was only generated, and drop it once the log has it."""
        ranges = [(s, r) for s in self.shards for r in _ranges(self.generated, series.folder, s)]
        todo = [(s, r) for s, r in ranges if not log_path(self.log, series.folder, s, r).exists()]
        with self._progress([series], todo) as note:
            verify(
                series.folder,
                todo,
                blocks=str(self.blocks),
                generated=self.generated,
                log=self.log,
                limits=self.config.sandbox,
                workers=workers,
                progress=note,
            )
        for shard, samples in ranges:
            log_path(self.generated, series.folder, shard, samples).unlink(missing_ok=True)

    def _unrefined(self, base: Series, refining: Series) -> list[tuple[Shard, range]]:
        ranges = ((s, r) for s in self.shards for r in _ranges(self.log, base.folder, s))
        return [(s, r) for s, r in ranges if not log_path(self.log, refining.folder, s, r).exists()]

    @contextlib.contextmanager
    def _progress(self, group: Sequence[Series], todo: Sequence[tuple[Shard, range]]) -> Iterator[Progress]:
        total = sum(len(shard) for shard, _ in todo)
        seen: Counter[str] = Counter()
        with progress(console, _title(group), total, "sequences") as advance:

            def note(row: dict[str, Any]) -> None:
                seen.update({name: row[name] for name in ("candidates", "correct")})
                self._spent(group[row["series"]], row)
                advance(row["sequences"], f"{seen['correct'] / max(1, seen['candidates']):.2%} correct")

            yield note

    def _spent(self, series: Series, row: dict[str, Any]) -> None:
        """Note what sampling a shard took, in memory and in the run directory."""
        if "tokens" not in row:
            return
        self.new.update({name: row[name] for name in ("samples", "tokens", "prompt_tokens", "errors")})
        self.began = min(self.began or row["began"], row["began"])
        self.ended = max(self.ended, row["ended"])
        names = ("block", "first", "last", "start", "stop", *SPENT)
        line = json.dumps({"folder": series.folder, **{name: row[name] for name in names}})
        with (self.directory.path / "usage.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    def metrics(self, series: Sequence[Series]) -> dict[str, Any]:
        """Return the metrics of all series: totals are those of first rounds, `new` those of this call."""
        each = [self._series_metrics(one) for one in series]
        firsts = [one for one in each if one["round"] == 0]
        seconds = self.ended - self.began
        spent = self.config.endpoint.cost(self.new["prompt_tokens"], self.new["tokens"])
        return {
            "run": str(self.directory.path),
            "corpus": self.config.corpus,
            "sequences": sum(self.manifest.sequences),
            "elements": self.manifest.elements,
            "n": self.config.n,
            **_totals(firsts),
            "new": {
                **{name: self.new[name] for name in ("samples", "tokens", "prompt_tokens", "errors")},
                "sampling_seconds": seconds,
                "tokens_per_second": self.new["tokens"] / seconds if seconds else 0.0,
                "samples_per_second": self.new["samples"] / seconds if seconds else 0.0,
                "cost": spent if self.config.proposer == "openai" else 0.0,
            },
            "series": each,
        }

    def _series_metrics(self, series: Series) -> dict[str, Any]:
        settings = series.spec.settings()
        outcomes: Counter[str] = Counter()
        samples = tokens = errors = waiting = 0
        solved: set[str] = set()
        for path in self._files(series):
            table = pq.read_table(path, columns=["sequence_id", "sample_index", "tokens", "error", "outcome"])
            for row in table.to_pylist():
                if row["sample_index"] >= self.config.n:
                    continue
                samples += 1
                tokens += row["tokens"] or 0
                errors += bool(row["error"])
                waiting += row["outcome"] is None
                outcomes.update([row["outcome"]] if row["outcome"] else [])
                if row["outcome"] == Outcome.CORRECT.value:
                    solved.add(row["sequence_id"])
        names = ("model", "prompt", "temperature")
        return {
            "folder": series.folder,
            "proposer": series.spec.name,
            "round": series.round,
            **{name: settings[name] for name in names},
            **_shares(outcomes, samples, tokens, errors, waiting),
            "solved_sequences": len(solved),
        }

    def _files(self, series: Series) -> Iterator[Path]:
        for shard in self.shards:
            for root in (self.log, self.generated):
                yield from shard_log_paths(root, series.folder, shard)


def _title(group: Sequence[Series]) -> str:
    """Return a few words for a progress line."""
    settings = group[0].spec.settings()
    only = f"{settings['prompt']} t={settings['temperature']}"
    return f"{settings['model']} {only if len(group) == 1 else f'{len(group)} series'}"


def _ranges(root: Path, folder: str, shard: Shard) -> Iterator[range]:
    for path in shard_log_paths(root, folder, shard):
        yield read_place(path).samples


def _shares(outcomes: Counter[str], samples: int, tokens: int, errors: int, waiting: int) -> dict[str, Any]:
    correct = outcomes[Outcome.CORRECT.value]
    executable = sum(outcomes[outcome.value] for outcome in EXECUTABLE)
    verified = samples - waiting
    return {
        "samples": samples,
        "tokens": tokens,
        "errors": errors,
        "unverified": waiting,
        "outcomes": {outcome.value: outcomes[outcome.value] for outcome in Outcome},
        "accuracy": correct / verified if verified else None,
        "executable": executable / verified if verified else None,
        "executable_accuracy": correct / executable if executable else None,
    }


def _totals(series: Sequence[dict[str, Any]]) -> dict[str, Any]:
    outcomes: Counter[str] = Counter()
    for one in series:
        outcomes.update(one["outcomes"])
    sums = [sum(one[name] for one in series) for name in ("samples", "tokens", "errors", "unverified")]
    return _shares(outcomes, *sums)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line and return its exit code."""
    return launch(Config, run, prog="python -m jobs.sample", description=__doc__ or "", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
