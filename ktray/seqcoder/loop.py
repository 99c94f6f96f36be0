"""The training loop: one process of a team. Steps depend on settings and step numbers alone.

torchrun --nproc-per-node 2 -m ktray.seqcoder.loop settings.yaml out
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ktray.config import parse
from ktray.seqcoder.checkpoint import Progress, load_checkpoint, save_checkpoint
from ktray.seqcoder.curves import write_curves
from ktray.seqcoder.exclusion import load_hashes
from ktray.seqcoder.forms import form_called
from ktray.seqcoder.model import build, save
from ktray.seqcoder.scoring import Score, score
from ktray.seqcoder.settings import OptimiserSettings, TrainSettings
from ktray.seqcoder.stream import Batch, Example, PairStream, batch_of
from ktray.seqcoder.team import Team, joined

#: Called by the first process with each new row of the curve.
Report = Callable[[dict[str, float]], None]


class Trainer:
    """One process's model, optimiser and place in the run."""

    def __init__(
        self,
        settings: TrainSettings,
        out: Path,
        team: Team,
        excluded: NDArray[np.uint64],
        device: str = "cpu",
    ) -> None:
        import torch

        self.settings, self.out, self.team, self.device = settings, out, team, device
        self.form, self.vocabulary = form_called(settings.model.form), settings.model.vocabulary()
        self.stream = PairStream(settings.data, self.form, self.vocabulary, settings.model.context, excluded)
        self.model = build(settings.model, settings.seed).to(device).train()
        self.optimiser = torch.optim.AdamW(_groups(self.model, settings.optimiser), lr=1.0, betas=(0.9, 0.98))
        self.progress = load_checkpoint(out, settings, self.model, self.optimiser)
        self._held_out: list[Example] = []
        self._saved = time.monotonic()

    def run(self, report: Report = lambda row: None, stop: Callable[[], bool] = lambda: False) -> Progress:
        """Train until the last step, or until `stop` tells any process to end; then keep a checkpoint."""
        while self.progress.step < self.settings.optimiser.steps and not self._any(stop()):
            began = time.monotonic()
            self.step()
            self.progress.seconds += time.monotonic() - began
            if self._is_due(self.settings.evaluate_every):
                self._note(report, self.evaluate())
            self._keep(self.settings.checkpoint_minutes)
        self._keep(0.0)
        return self.progress

    def step(self) -> None:
        """Take one step."""
        import torch

        step = self.progress.step
        optimiser = self.settings.optimiser
        batches = self.stream.step(step)
        trained = sum(int(batch.in_reply.sum()) for batch in batches)
        prompted = sum(int(batch.in_prompt.sum()) for batch in batches)
        sums = torch.zeros(2)
        self.optimiser.zero_grad(set_to_none=False)
        for batch in self.team.share(f"step-{step}", batches):
            reply, prompt = self._losses(batch)
            (reply / trained + optimiser.prompt_loss * prompt / max(1, prompted)).backward()
            sums += torch.stack((reply.detach(), prompt.detach())).cpu()
        self._sum_gradients()
        self.team.sum(sums)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), optimiser.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = optimiser.rate_at(step)
        self.optimiser.step()
        self.team.forget(f"step-{step - 1}")
        noted = (float(sums[0]), trained, float(sums[1]), prompted)
        self.progress.recent = [a + b for a, b in zip(self.progress.recent, noted, strict=True)]
        self.progress.step += 1
        self.progress.pairs += sum(len(batch.ids) for batch in batches)
        self.progress.tokens += trained

    def _losses(self, batch: Batch) -> tuple[Any, Any]:
        """Return the summed loss (nats) on replies and on prompts."""
        import torch

        ids = torch.from_numpy(batch.ids).to(self.device)
        wanted = batch.in_reply | batch.in_prompt if self.settings.optimiser.prompt_loss else batch.in_reply
        rows = torch.from_numpy(wanted).to(self.device)
        with self._autocast():
            hidden = self.model.base_model(ids).last_hidden_state
            logits = self.model.get_output_embeddings()(hidden[rows])
        targets = torch.from_numpy(batch.targets).to(self.device)[rows]
        losses = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
        replied = torch.from_numpy(batch.in_reply).to(self.device)[rows]
        return losses[replied].sum(), losses[~replied].sum()

    def _autocast(self) -> Any:
        import torch

        if self.settings.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16)

    def _sum_gradients(self) -> None:
        if self.team.size == 1:
            return
        import torch

        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        self.team.sum(flat)
        at = 0
        for gradient in gradients:
            gradient.copy_(flat[at : at + gradient.numel()].view_as(gradient))
            at += gradient.numel()

    def evaluate(self) -> dict[str, float]:
        """Return loss (nats a token), accuracy and CompressionRate on held-out pairs, greedily."""
        import torch

        self._held_out = self._held_out or self.stream.held_out(self.settings.held_out)
        ordered = sorted(self._held_out, key=len, reverse=True)
        parts = [ordered[i : i + 32] for i in range(0, len(ordered), 32)]
        total, loss, tokens = Score(), 0.0, 0
        label = f"evaluate-{self.progress.step}"
        for part in self.team.share(label, parts):
            batch = batch_of(part)
            with torch.no_grad():
                loss += float(self._losses(batch)[0])
            tokens += int(batch.in_reply.sum())
            total += score(self.model, self.form, self.vocabulary, part, self.settings.model.context)
        counts = torch.tensor([loss, tokens, *asdict(total).values()], dtype=torch.float64)
        self.team.sum(counts)
        loss, tokens, *fields = counts.tolist()
        return {"held_out_loss": loss / tokens, **Score(*fields).metrics()}

    def _note(self, report: Report, scores: dict[str, float]) -> None:
        p, (reply, trained, prompt, prompted) = self.progress, self.progress.recent
        row = {
            "step": p.step,
            "pairs": p.pairs,
            "tokens": p.tokens,
            "seconds": p.seconds,
            "rate": self.settings.optimiser.rate_at(p.step - 1),
            "loss": reply / max(1.0, trained),
            "prompt_loss": prompt / max(1.0, prompted),
            **scores,
        }
        p.curve.append({name: float(value) for name, value in row.items()})
        p.recent = [0.0] * 4
        if self.team.rank == 0:
            self.out.mkdir(parents=True, exist_ok=True)
            write_curves(self.out, p.curve)
            report(p.curve[-1])

    def _is_due(self, every: int) -> bool:
        step = self.progress.step
        return every > 0 and (step % every == 0 or step == self.settings.optimiser.steps)

    def _keep(self, minutes: float) -> None:
        """Write a checkpoint where one is due; one process does."""
        if self.team.rank == 0 and time.monotonic() - self._saved >= 60 * minutes:
            save_checkpoint(self.out, self.settings, self.model, self.optimiser, self.progress)
            self._saved = time.monotonic()

    def _any(self, flag: bool) -> bool:
        """Return whether any process says so."""
        if self.team.size == 1:
            return flag
        import torch

        return bool(self.team.sum(torch.tensor([float(flag)])).item())

    def export(self) -> Path:
        """Write the model as a folder that vLLM loads, and return it."""
        folder = self.out / "model"
        if self.team.rank == 0:
            save(self.model, self.settings.model, folder)
        return folder


def _groups(model: Any, settings: OptimiserSettings) -> list[dict[str, Any]]:
    """Return parameters with and without weight decay: vectors and embeddings have none."""
    decayed: list[Any] = []
    other: list[Any] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            matrix = parameter.ndim > 1 and not any(part in name for part in ("wte", "wpe", "embed"))
            (decayed if matrix else other).append(parameter)
    return [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": other, "weight_decay": 0.0},
    ]


@contextlib.contextmanager
def until_signalled() -> Iterator[Callable[[], bool]]:
    """Yield what tells whether SIGTERM or SIGINT has come; handlers are put back afterwards."""
    came: list[int] = []
    kept = {
        s: signal.signal(s, lambda number, frame: came.append(number))
        for s in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def main(argv: Sequence[str] | None = None) -> int:
    """Train with settings from a YAML file into a folder, as one of torchrun's processes."""
    settings_file, out, *hashes = sys.argv[1:] if argv is None else argv
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    settings = parse(TrainSettings, ["--config", settings_file], prog="ktray.seqcoder.loop", description="")
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    trainer = Trainer(
        settings, Path(out), joined("gloo", rank, size), load_hashes(hashes[0] if hashes else "")
    )
    with until_signalled() as stop:
        trainer.run(lambda row: print(_line(row), flush=True), stop)
    trainer.export()
    trainer.team.wait()
    return 0


def _line(row: dict[str, float]) -> str:
    return " ".join(f"{name}={value:.5g}" for name, value in row.items())


if __name__ == "__main__":
    sys.exit(main())
