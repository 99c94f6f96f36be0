"""Checkpoints: all that a run needs to go on exactly as if it had not stopped. A file appears whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ktray.commit import committed
from ktray.errors import RunDirectoryError
from ktray.seqcoder.settings import TrainSettings
from ktray.seqcoder.sharding import load_whole, whole_state

_NAME = "checkpoint.pt"


@dataclass
class Progress:
    """Where a run is: steps done, and what they took."""

    step: int = 0
    pairs: int = 0
    tokens: int = 0
    seconds: float = 0.0
    recent: list[float] = field(default_factory=lambda: [0.0] * 4)  # sums since the last row of the curve
    curve: list[dict[str, float]] = field(default_factory=list)


def fingerprint(settings: TrainSettings) -> str:
    """Return what a checkpoint must agree with: the model and its pairs. Schedules may change."""
    kept = {"model": asdict(settings.model), "seed": settings.seed}
    return json.dumps(kept, sort_keys=True)


def save_checkpoint(
    folder: Path, settings: TrainSettings, model: Any, optimiser: Any, progress: Progress, rank: int = 0
) -> None:
    """Write the checkpoint of a run: the first process does; sharded, all must call."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    states = (model.state_dict(), optimiser.state_dict())
    if settings.sharded:
        states = whole_state(model, optimiser)
    if rank:
        return
    state = {
        "fingerprint": fingerprint(settings),
        "model": states[0],
        "optimiser": states[1],
        "progress": asdict(progress),
    }
    with committed(folder / _NAME) as temporary:
        torch.save(state, temporary)


def load_checkpoint(folder: Path, settings: TrainSettings, model: Any, optimiser: Any) -> Progress:
    """Load a run's checkpoint where there is one, and return where it is. Raises RunDirectoryError."""
    import torch

    path = folder / _NAME
    if not path.exists():
        return Progress()
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["fingerprint"] != fingerprint(settings):
        raise RunDirectoryError(
            f"{path} is of another model or seed ({state['fingerprint'][:200]}); train it on with its own "
            "settings, or name another --out"
        )
    if settings.sharded:
        load_whole(model, optimiser, (state["model"], state["optimiser"]))
    else:
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
    return Progress(**state["progress"])
