"""Speeds of sampling on this machine: what the pipeline keeps of bare vLLM, and how replicas add up.

    python -m actors.bench
    python -m actors.bench --sequences 256 --n 16 --rounds 4 --engine.model Qwen/Qwen2.5-Coder-0.5B-Instruct

Bare `vllm.LLM.generate` and the pipeline take turns, each with an engine of its own that is loaded anew, on
the same prompts and parameters. Loading does not count, nor what one replica of several does alone. Rates a CPU
second bear a busy machine, rates a second do not: with other work on the cores, believe the former.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import ray

from actors.pipeline import Task, run_tasks
from actors.rows import shard_sequences
from actors.runtime import running
from ktray.blockstore import store_corpus
from ktray.candidatelog import Shard, shards_of
from ktray.config import option
from ktray.corpora import open_corpus
from ktray.corpora.selection import parse_limit
from ktray.job import console, launch
from ktray.proposers.model import PromptSettings
from ktray.proposers.spec import ProposerSpec
from ktray.samplers.engine import EngineSettings
from ktray.samplers.ports import SamplingSettings
from ktray.sandbox import SandboxLimits
from ktray.testing.models import make_tiny_model


@dataclass(frozen=True)
class Config:
    """How much to sample, and what from."""

    sequences: int = option(128, "sequences of the sample corpus")
    n: int = option(8, "samples a sequence")
    tokens: int = option(64, "tokens a sample")
    shard: int = option(16, "sequences a shard of the pipeline")
    rounds: int = option(2, "rounds; each measures every way once")
    replicas: int = option(2, "replicas of the larger pool (1: leave it out)")
    engine: EngineSettings = option(EngineSettings(), "the model (default: a random one of 5 M parameters)")
    json: bool = option(False, "print the rates as the last line of standard output")


@dataclass(frozen=True, slots=True)
class Speed:
    """Generated tokens a second of wall time, and a second of the replicas' CPU time."""

    per_second: float
    per_cpu_second: float


@dataclass(frozen=True, slots=True)
class Bench:
    """What all ways share: the spec, the folder of the run, and its shards."""

    spec: ProposerSpec
    folder: Path
    shards: tuple[Shard, ...]

    @property
    def blocks(self) -> str:
        return str(self.folder / "blocks")

    @property
    def todo(self) -> list[tuple[Shard, range]]:
        return [(shard, range(self.spec.samples)) for shard in self.shards]


def run(config: Config) -> dict[str, Any]:
    """Measure every way in turn, print the rates, and return them with the ratios."""
    with tempfile.TemporaryDirectory() as name, running() as cpus:
        bench = _prepared(config, Path(name))
        speeds: dict[str, list[Speed]] = {}
        for number in range(config.rounds):
            for way, speed in _round(bench, config, cpus, number):
                speeds.setdefault(way, []).append(speed)
                console.print(
                    f"{way:16} {speed.per_second:8,.0f} tokens/s {speed.per_cpu_second:8,.0f} /CPU-s"
                )
    return {"speeds": {way: [asdict(s) for s in found] for way, found in speeds.items()}, **_ratios(speeds)}


def _prepared(config: Config, folder: Path) -> Bench:
    engine = config.engine
    if not engine.model:
        model = make_tiny_model(folder / "model", hidden=256, layers=6)
        engine = replace(engine, model=str(model), dtype="bfloat16", max_model_len=2048)
    corpus = open_corpus("sample", limit=f"{config.sequences}seq")
    size = parse_limit("16MB").bits or 0
    manifest = store_corpus(corpus, folder / "blocks", 128, size // 8, lambda n: None)
    spec = ProposerSpec(
        "vllm",
        samples=config.n,
        engine=engine,
        sampling=SamplingSettings(temperature=1.0, top_p=1.0, stop=("\u0000",)),
        prompt=PromptSettings(tokens=config.tokens, tokens_per_element=0.0),
    )
    shards = tuple(s for b, n in enumerate(manifest.sequences) for s in shards_of(b, n, config.shard))
    return Bench(spec, folder, shards)


def _round(bench: Bench, config: Config, cpus: int, number: int) -> Any:
    yield "bare", _bare(bench)
    yield "one replica", _pipeline(bench, 1, cpus, f"one-{number}", verifying=False)
    if config.replicas > 1:
        yield "more replicas", _pipeline(bench, config.replicas, cpus, f"more-{number}", verifying=False)
        yield "with verifying", _pipeline(bench, config.replicas, cpus, f"full-{number}", verifying=True)


def _bare(bench: Bench) -> Speed:
    actor = ray.remote(num_cpus=1)(BareEngine).remote(bench.spec)
    sequences = [s for shard in bench.shards for s in shard_sequences(bench.blocks, shard)]
    try:
        speed: Speed = ray.get(actor.generate.remote(sequences))
    finally:
        ray.kill(actor)
    return speed


class BareEngine:
    """vLLM as it is, in a process of its own."""

    def __init__(self, spec: ProposerSpec) -> None:
        self._proposer, self._samples = spec.build_model(), spec.samples

    def generate(self, sequences: Sequence[Any]) -> Speed:
        """Return the speed of one call of `LLM.generate` for all sequences."""
        requests = self._proposer.requests(sequences, range(self._samples))
        llm, prompts, params = self._proposer.sampler.inputs(requests)  # type: ignore[attr-defined]
        began, cpu = time.time(), time.process_time()
        outputs = llm.generate(prompts, params, use_tqdm=False)
        wall, used = time.time() - began, time.process_time() - cpu
        tokens = sum(len(made.token_ids) for output in outputs for made in output.outputs)
        return Speed(tokens / wall, tokens / used)


def _pipeline(bench: Bench, replicas: int, cpus: int, folder: str, *, verifying: bool) -> Speed:
    rows: list[dict[str, Any]] = []
    spec = replace(bench.spec, engine=replace(bench.spec.engine, replicas=replicas))
    run_tasks(
        [Task(spec, folder, bench.todo)],
        blocks=bench.blocks,
        log=bench.folder / "log",
        limits=SandboxLimits(),
        workers=cpus,
        progress=rows.append,
        verifying=verifying,
    )
    used = sum(row["cpu_seconds"] for row in rows)
    return Speed(steady_rate(rows, replicas), sum(row["tokens"] for row in rows) / used)


def steady_rate(rows: Sequence[dict[str, Any]], replicas: int) -> float:
    """Return the tokens a second that `replicas` make together, from the moment the last of them has begun to
    the moment the first is left without work: what one does while another loads its model is its own rate.

    A row has `tokens`, and `began` and `ended` in seconds; its tokens are spread evenly between. Raises
    ValueError where the replicas never worked at the same time.
    """
    begin: float = sorted(row["began"] for row in rows)[min(replicas, len(rows)) - 1]
    end: float = sorted(row["ended"] for row in rows)[-min(replicas, len(rows))]
    if end <= begin:
        raise ValueError(f"{replicas} replicas never worked at the same time; give them more shards")

    def within(row: dict[str, Any]) -> float:
        shared = max(0.0, min(end, row["ended"]) - max(begin, row["began"]))
        tokens: float = row["tokens"] * shared / (row["ended"] - row["began"])
        return tokens

    return sum(map(within, rows)) / (end - begin)


def _ratios(speeds: dict[str, list[Speed]]) -> dict[str, float]:
    """Return efficiency against bare vLLM, gain of replicas, and what is kept while verifying."""

    def wall(way: str) -> float:
        return fmean(s.per_second for s in speeds[way])

    def cpu(way: str) -> float:
        return fmean(s.per_cpu_second for s in speeds[way])

    ratios = {
        "sampling_efficiency": wall("one replica") / wall("bare"),
        "sampling_efficiency_cpu": cpu("one replica") / cpu("bare"),
    }
    if "more replicas" in speeds:
        ratios["replica_gain"] = wall("more replicas") / wall("one replica")
        ratios["kept_while_verifying"] = wall("with verifying") / wall("more replicas")
        ratios["kept_while_verifying_cpu"] = cpu("with verifying") / cpu("more replicas")
    for name, value in ratios.items():
        console.print(f"{name:26} {value:.3f}")
    return ratios


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bench from the command line and return its exit code."""
    return launch(Config, run, prog="python -m actors.bench", description=__doc__ or "", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
