"""Training on Ray Train: a team of processes, each with a Trainer, on CPUs (gloo) or GPUs (NCCL).

The first process writes checkpoints, curves and the model to a folder that all can reach; a team that died
starts again from there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray.train
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from actors.runtime import cause
from ktray.errors import PipelineError
from ktray.seqcoder.curves import read_curves
from ktray.seqcoder.settings import TrainSettings
from ktray.seqcoder.sources import Sources


@dataclass(frozen=True, slots=True)
class Place:
    """Where a team trains: its processes, whether each has a GPU, and the CPUs of each."""

    processes: int
    gpus: bool
    cpus: int = 1
    failures: int = 0


def train_on_ray(settings: TrainSettings, out: Path, sources: Sources, place: Place) -> dict[str, Any]:
    """Train to the end and return the last row of the curve (empty where nothing was left to do)."""
    trainer = TorchTrainer(
        _train_one,
        train_loop_config={
            "settings": settings,
            "out": str(out.resolve()),
            "sources": sources,
            "cpus": place.cpus,
        },
        torch_config=TorchConfig(backend="nccl" if place.gpus else "gloo", timeout_s=12 * 3600),
        scaling_config=ScalingConfig(
            num_workers=place.processes, use_gpu=place.gpus, resources_per_worker=_resources(place)
        ),
        run_config=RunConfig(
            name="ray",
            storage_path=str(out.resolve()),
            failure_config=FailureConfig(max_failures=place.failures),
        ),
    )
    try:
        trainer.fit()
    except Exception as error:  # Ray wraps what a worker raised in errors of its own
        found = cause(error)
        raise found if found is not error else PipelineError(f"training failed: {error}") from error
    return (read_curves(out) or [{}])[-1]


def _resources(place: Place) -> dict[str, float]:
    return {"CPU": place.cpus, "GPU": 1} if place.gpus else {"CPU": place.cpus}


def _train_one(config: dict[str, Any]) -> None:
    """Train as one worker of the team that Ray has made."""
    import torch

    from ktray.seqcoder.loop import Trainer
    from ktray.seqcoder.team import joined

    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    torch.set_num_threads(config["cpus"])
    context = ray.train.get_context()
    device = str(ray.train.torch.get_device())
    team = joined("", context.get_world_rank(), context.get_world_size(), device=device)
    trainer = Trainer(config["settings"], Path(config["out"]), team, config["sources"], device)
    trainer.run(lambda row: ray.train.report(row))
    trainer.export()
    team.wait()
