"""What a training run is: data, model and optimisation. The trained weights are a function of these alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ktray.config import option
from ktray.errors import ConfigError
from ktray.seqcoder.model import ModelSettings
from ktray.seqcoder.stream import StreamSettings

SCHEDULES = ("cosine", "wsd")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class OptimiserSettings:
    """AdamW and its learning rate."""

    rate: float = option(1e-3, "highest learning rate")
    schedule: str = option(
        "cosine", "after warm-up: cosine, or wsd (flat, then straight down over the last decay_steps)"
    )
    warmup: int = option(200, "steps in which the rate rises")
    steps: int = option(10_000, "steps of the whole run")
    decay_steps: int = option(1_000, "steps of the decline of wsd")
    least: float = option(0.05, "the last rate, as a share of the highest")
    weight_decay: float = option(0.05, "weight decay of matrices")
    beta2: float = option(0.98, "AdamW's second beta")
    clip: float = option(1.0, "largest norm of a gradient")
    prompt_loss: float = option(
        0.0, "weight of the loss on a prompt's values, beside that on programs (0: programs only)"
    )

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ConfigError(f"optimiser.schedule is {self.schedule!r}, expected {' or '.join(SCHEDULES)}")
        if self.rate <= 0 or self.steps < 1 or self.warmup < 0 or self.decay_steps < 0 or self.clip <= 0:
            raise ConfigError(
                f"optimiser: rate {self.rate}, steps {self.steps}, warmup {self.warmup}, decay_steps "
                f"{self.decay_steps}, clip {self.clip}; expected rate and clip above 0, steps 1 or more, "
                "the others 0 or more"
            )

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step (from 0)."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        if self.schedule == "cosine":
            done = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
            share = 0.5 * (1 + math.cos(math.pi * done))
        else:
            share = min(1.0, max(0, self.steps - step) / max(1, self.decay_steps))
        return self.rate * (self.least + (1 - self.least) * share)


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """A training run."""

    model: ModelSettings = option(ModelSettings(), "the model")
    data: StreamSettings = option(StreamSettings(), "the pairs")
    optimiser: OptimiserSettings = option(OptimiserSettings(), "how weights move")
    precision: str = option("float32", "arithmetic of passes: float32, bfloat16 (weights stay float32)")
    recompute: bool = option(False, "keep no activations but compute them again: less memory, slower")
    sharded: bool = option(False, "spread weights over the processes (FSDP), for models too large for one")
    seed: int = option(0, "seed of the first weights")
    checkpoint_minutes: float = option(10.0, "minutes between checkpoints")
    evaluate_every: int = option(500, "steps between evaluations (0: never)")
    held_out: int = option(256, "held-out pairs of an evaluation")

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision is {self.precision!r}, expected {' or '.join(PRECISIONS)}")
        if self.checkpoint_minutes <= 0 or self.evaluate_every < 0 or self.held_out < 1:
            raise ConfigError(
                "checkpoint_minutes above 0, evaluate_every 0 or more, held_out 1 or more expected"
            )
