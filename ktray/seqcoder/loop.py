"""The training loop: one process of a team. Steps depend on settings and step numbers alone.

torchrun --nproc-per-node 2 -m ktray.seqcoder.loop settings.yaml OUT [EXCLUDE]

The settings are a configuration of `jobs.train` without its own keys (out, exclude, processes, threads, failures);
EXCLUDE is a JSONL file of sequences that are never drawn.
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

from ktray.config import parse
from ktray.seqcoder.attention import attend_in_float32
from ktray.seqcoder.checkpoint import Progress, load_checkpoint, save_checkpoint
from ktray.seqcoder.curves import write_curves
from ktray.seqcoder.forms import form_called
from ktray.seqcoder.model import make, save, trunk
from ktray.seqcoder.scoring import Score, score
from ktray.seqcoder.settings import OptimiserSettings, TrainSettings
from ktray.seqcoder.sharding import spread, turns, whole_state
from ktray.seqcoder.shortcut import states_in_rows
from ktray.seqcoder.sources import Sources
from ktray.seqcoder.stream import Batch, Example, PairStream, batch_of
from ktray.seqcoder.team import Team, joined

#: Called by every process with each new row of the curve.
Report = Callable[[dict[str, float]], None]


class Trainer:
    """One process's model, optimiser and place in the run."""

    def __init__(
        self,
        settings: TrainSettings,
        out: Path,
        team: Team,
        sources: Sources,
        device: str = "cpu",
    ) -> None:
        import torch

        self.settings, self.out, self.team, self.device = settings, out, team, device
        self.form, self.speller = form_called(settings.model.form), settings.model.speller()
        self.stream = PairStream(settings.data, self.form, self.speller, settings.model.context, sources)
        self.model = self._placed(make(settings.model, settings.seed))
        self.optimiser = torch.optim.AdamW(
            _groups(self.model, settings.optimiser),
            lr=1.0,
            betas=(0.9, settings.optimiser.beta2),
            fused=not settings.sharded,
        )
        self.progress = load_checkpoint(out, settings, self.model, self.optimiser)
        self._held_out: list[Example] = []
        self._saved = time.monotonic()

    def _placed(self, model: Any) -> Any:
        """Return the model on its device, ready to be trained."""
        model = model.to(self.device).train()
        if self.device == "cpu" and self.settings.precision == "bfloat16":
            attend_in_float32(model)
        if self.settings.recompute:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        return spread(model) if self.settings.sharded else model

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
        for batch, weight in self._portion(f"step-{step}", batches):
            reply, prompt = self._losses(batch)
            loss = reply / trained + optimiser.prompt_loss * prompt / max(1, prompted)
            (loss * weight).backward()
            sums += torch.stack((reply.detach(), prompt.detach())).cpu() * (weight > 0)
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

    def _portion(self, label: str, batches: list[Batch]) -> Iterator[tuple[Batch, float]]:
        """Yield this process's batches, each with the weight of its loss in the gradients' sum."""
        if self.settings.sharded:  # gradients come as means over processes
            for batch in turns(self.team, batches):
                yield (batches[0], 0.0) if batch is None else (batch, float(self.team.size))
        else:
            for batch in self.team.share(label, batches):
                yield batch, 1.0

    def _losses(self, batch: Batch) -> tuple[Any, Any]:
        """Return the summed loss (nats) on replies and on prompts."""
        import torch

        ids = torch.from_numpy(batch.ids).to(self.device)
        places = (
            {}
            if batch.positions is None
            else {"position_ids": torch.from_numpy(batch.positions).to(self.device)}
        )
        wanted = batch.in_reply | batch.in_prompt if self.settings.optimiser.prompt_loss else batch.in_reply
        rows = torch.from_numpy(wanted).to(self.device)
        with self._autocast():
            logits = self._logits(ids, places, rows)
        targets = torch.from_numpy(batch.targets).to(self.device)[rows]
        losses = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
        replied = torch.from_numpy(batch.in_reply).to(self.device)[rows]
        return losses[replied].sum(), losses[~replied].sum()

    def _logits(self, ids: Any, places: dict[str, Any], rows: Any) -> Any:
        """Return the logits of the tokens in `rows` (bool, the shape of `ids`)."""
        if self.settings.sharded:  # its weights are gathered by the whole model's call alone
            return self.model(input_ids=ids, use_cache=False, **places).logits[rows]
        if self.model.config.model_type == "gpt2" and not places and not hasattr(self.model, "peft_config"):
            chosen = states_in_rows(self.model, ids, rows)
        else:
            chosen = trunk(self.model)(ids, use_cache=False, **places).last_hidden_state[rows]
        return self.model.get_output_embeddings()(chosen)

    def _autocast(self) -> Any:
        import torch

        if self.settings.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16)

    def _sum_gradients(self) -> None:
        if self.team.size == 1 or self.settings.sharded:
            return
        import torch

        gradients = []
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                if parameter.grad is None:  # this process was given nothing to do
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
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
        for part in self._parts(parts):
            batch = batch_of(part or parts[0])
            with torch.no_grad():
                summed = float(self._losses(batch)[0])
            scored = self._score(part or parts[0])
            if part is not None:
                loss, tokens, total = loss + summed, tokens + int(batch.in_reply.sum()), total + scored
        counts = torch.tensor([loss, tokens, *asdict(total).values()], dtype=torch.float64)
        self.team.sum(counts)
        loss, tokens, *fields = counts.tolist()
        return {"held_out_loss": loss / tokens, **Score(*fields).metrics()}

    def _parts(self, parts: list[list[Example]]) -> Iterator[list[Example] | None]:
        """Yield this process's parts; None to take part in another's pass for nothing."""
        if self.settings.sharded:
            yield from turns(self.team, parts)
        else:
            yield from self.team.share(f"evaluate-{self.progress.step}", parts)

    def _score(self, part: list[Example]) -> Score:
        context, together = self.settings.model.context, self.settings.sharded
        return score(self.model, self.form, self.speller, part, context, together=together)

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
        due = time.monotonic() - self._saved >= 60 * minutes
        if self.settings.sharded:  # gathering weights takes every process
            due = bool(self.team.sum(torch_flag(due and self.team.rank == 0)).item())
        if due and (self.team.rank == 0 or self.settings.sharded):
            save_checkpoint(
                self.out, self.settings, self.model, self.optimiser, self.progress, self.team.rank
            )
            self._saved = time.monotonic()

    def _any(self, flag: bool) -> bool:
        """Return whether any process says so."""
        return flag if self.team.size == 1 else bool(self.team.sum(torch_flag(flag)).item())

    def export(self) -> Path:
        """Write the model as a folder that vLLM loads, and return it."""
        folder = self.out / "model"
        if self.settings.sharded:
            states = whole_state(self.model, self.optimiser)
            if self.team.rank == 0:
                plain = make(self.settings.model, self.settings.seed)
                plain.load_state_dict(states[0])
                save(plain, self.settings.model, folder)
        elif self.team.rank == 0:
            save(self.model, self.settings.model, folder)
        return folder


def torch_flag(flag: bool) -> Any:
    """Return a flag as a tensor that can be summed."""
    import torch

    return torch.tensor([float(flag)])


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
    team = joined("gloo", rank, size)
    trainer = Trainer(settings, Path(out), team, Sources(exclude=hashes[0] if hashes else ""))
    with until_signalled() as stop:
        trainer.run(lambda row: print(_line(row), flush=True) if rank == 0 else None, stop)
    trainer.export()
    trainer.team.wait()
    return 0


def _line(row: dict[str, float]) -> str:
    return " ".join(f"{name}={value:.5g}" for name, value in row.items())


if __name__ == "__main__":
    sys.exit(main())
