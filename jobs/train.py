"""Train a model that writes programs, on pairs drawn as it goes, from scratch or from one that is there.

    python -m jobs.train --config configs/train/nano.yaml --out runs/nano
    python -m jobs.train --config configs/train/8b.yaml --processes 32
    python -m jobs.train --config configs/train/nano.yaml --from-logs runs/sample-a --model.start runs/nano/model
    python -m jobs.train --config configs/train/smoke.yaml

The same command goes on where a run was stopped. OUT/model is a folder that vLLM serves (prompt `sketch`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actors.runtime import cluster_gpus, running
from ktray.config import option, to_yaml
from ktray.errors import ConfigError
from ktray.job import console, launch
from ktray.rundir import RunDirectory
from ktray.seqcoder.curves import plot_training, read_curves
from ktray.seqcoder.settings import TrainSettings
from ktray.seqcoder.sources import Sources, load_hashes


@dataclass(frozen=True)
class Config(TrainSettings):
    """A training run: what, on what, how, and where."""

    out: Path = option(Path("runs/train"), "run directory: checkpoint, curves, model")
    exclude: Path | None = option(None, "JSONL (plain or .gz) whose sequences are never trained on")
    from_logs: str = option(
        "", "comma-separated runs of jobs.sample or jobs.compress whose programs are trained on too"
    )
    hindsight: bool = option(True, "of those logs, also wrong programs, for what they make")
    own_share: float = option(0.5, "share of pairs from those logs, 0 to 1; the others are drawn")
    processes: int = option(0, "processes that train together (0: one a GPU, or one a CPU)")
    threads: int = option(1, "CPU threads of a process")
    failures: int = option(3, "times that a team which lost a process starts again from its checkpoint")
    json: bool = option(False, "print metrics.json's content as the last line of standard output")

    def settings(self) -> TrainSettings:
        """Return what the weights depend on."""
        return TrainSettings(**{name: getattr(self, name) for name in TrainSettings.__dataclass_fields__})


def run(config: Config) -> dict[str, Any]:
    """Train what is left to train, and return the metrics."""
    from actors.train import Place, train_on_ray  # loads Ray Train, which `--help` can do without

    started = time.monotonic()
    _check(config)
    settings = config.settings()
    directory = RunDirectory(
        config.out, {"job": "train", "model": asdict(settings.model), "seed": config.seed}
    )
    directory.save_config(to_yaml(config), config.seed)
    sources, mined = _sources(config)
    with running(config.processes * config.threads) as cpus:
        gpus = cluster_gpus()
        processes = config.processes or gpus or max(1, cpus // config.threads)
        console.print(f"training on {processes} {'GPUs' if gpus else 'CPU processes'} into {config.out}")
        last = train_on_ray(
            settings, config.out, sources, Place(processes, gpus > 0, config.threads, config.failures)
        )
    plot_training(config.out / "curves.png", {"run": read_curves(config.out)})
    metrics = {
        "model": str(config.out / "model"),
        **last,
        "mined": mined,
        "wall_seconds": time.monotonic() - started,
    }
    directory.save_metrics(metrics)
    told = f", held-out accuracy {metrics['accuracy']:.3f}" if "accuracy" in metrics else ""
    console.print(f"model in {metrics['model']}{told}; curves beside it")
    return metrics


def _check(config: Config) -> None:
    for name, least in (("processes", 0), ("failures", 0), ("threads", 1)):
        if getattr(config, name) < least:
            raise ConfigError(f"--{name} is {getattr(config, name)}, expected {least} or more")
    if not 0 <= config.own_share <= 1:
        raise ConfigError(f"--own-share is {config.own_share}, expected 0 to 1")


def _sources(config: Config) -> tuple[Sources, dict[str, int]]:
    """Return the files to train from; the logs' programs become a file of pairs in the run directory."""
    load_hashes(config.exclude)  # what is wrong with the file is told before anything is started
    exclude = str(config.exclude.resolve()) if config.exclude else ""
    if not config.from_logs:
        return Sources(exclude), {}
    from ktray.seqcoder.mining import mine

    runs = [Path(word.strip()) for word in config.from_logs.split(",") if word.strip()]
    path = config.out.resolve() / "mined.parquet"
    found = mine(runs, path, hindsight=config.hindsight)
    return Sources(exclude, str(path), config.own_share), found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line and return its exit code."""
    return launch(Config, run, prog="python -m jobs.train", description=__doc__ or "", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
