"""How a proposer is named in a config and built where it runs: a spec is small, frozen and picklable.

`settings` tells what its candidates depend on and loads nothing; `build` does the heavy part (loading a
model, compiling kernels) and is called by the actor that hosts it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ktray.dsl.grammar import grammar
from ktray.errors import ConfigError
from ktray.models import own_form, shipped
from ktray.ports import Proposer
from ktray.proposers.dsl2 import Dsl2Proposer
from ktray.proposers.model import ModelProposer, PromptSettings
from ktray.proposers.replay import ReplayProposer
from ktray.proposers.search import SearchProposer, SearchSettings
from ktray.samplers.endpoint import EndpointSampler, EndpointSettings
from ktray.samplers.engine import EngineSettings, VllmSampler
from ktray.samplers.feedback import FeedbackSampler
from ktray.samplers.ports import SamplingSettings, TextSampler

#: Proposers that ask a language model.
MODELS = ("vllm", "openai")


@dataclass(frozen=True, slots=True)
class Resources:
    """What one replica of a proposer takes, and how many there may be at once."""

    cpus: float
    gpus: float
    replicas: int


@dataclass(frozen=True, slots=True)
class ProposerSpec:
    """One proposer of a run; `samples` is how many samples a sequence it is asked for, and `refines` the
    settings of the candidates that it repairs, where it repairs any."""

    name: str
    samples: int
    search: SearchSettings = field(default_factory=SearchSettings)
    replay: str = ""
    engine: EngineSettings = field(default_factory=EngineSettings)
    endpoint: EndpointSettings = field(default_factory=EndpointSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    prompt: PromptSettings = field(default_factory=PromptSettings)
    refines: str = ""

    def placed(self) -> ProposerSpec:
        """Return the spec with the paths of local files and folders made absolute: an actor of a cluster that was
        joined stands in a folder of its own."""
        engine = replace(
            self.engine, model=_absolute(self.engine.model), adapter=_absolute(self.engine.adapter)
        )
        prompt = replace(self.prompt, prompt_file=_absolute(self.prompt.prompt_file))
        return replace(self, replay=_absolute(self.replay), engine=engine, prompt=prompt)

    @property
    def asked(self) -> PromptSettings:
        """What the model is asked: where nothing is chosen, a model of our own is asked in its own form."""
        form = own_form(self.engine.model) if self.name == "vllm" else ""
        chosen = self.prompt.prompt or self.prompt.prompt_file
        return replace(self.prompt, prompt=form) if form and not chosen else self.prompt

    def settings(self) -> dict[str, object]:
        """Return what the candidates depend on. Raises InputError where the proposer cannot be built."""
        if self.name == "search":
            return SearchProposer(self.search).settings()
        if self.name == "dsl2":
            return Dsl2Proposer().settings()
        if self.name == "replay":
            return self._replay().settings()
        self._check_model()
        source = self.engine.identity() if self.name == "vllm" else self.endpoint.identity()
        refines = {"refines": self.refines} if self.refines else {}
        return {**source, **_plain(asdict(self.sampling)), **self.asked.identity(), **refines}

    def build(self) -> Proposer:
        """Return the proposer itself."""
        if self.name == "search":
            return SearchProposer(self.search)
        if self.name == "dsl2":
            return Dsl2Proposer()
        if self.name == "replay":
            return self._replay()
        return self.build_model()

    def build_model(self, engine: TextSampler | None = None) -> ModelProposer:
        """Return the proposer that asks a model, which is loaded or connected here unless `engine` has it."""
        settings = self.settings()
        drawing = {k: v for k, v in settings.items() if k not in ("model", "prompt", "prompt_hash", "seed")}
        seed = self.sampling.seed
        sampler: TextSampler = self._sampler(engine)
        if self.asked.execute:
            sampler = FeedbackSampler(sampler, "" if self.asked.template().form else "\n")
        return ModelProposer(self.name, sampler, self.asked, seed, settings, settings_hash(drawing))

    def resources(self, workers: int, cluster_gpus: int) -> Resources:
        """Return what replicas take on a cluster with so many workers (CPUs) and GPUs."""
        if self.name == "openai":
            return Resources(0.1, 0.0, 1)  # it waits; what bounds it is its own concurrency
        if self.name != "vllm":
            return Resources(1.0, 0.0, workers)
        gpus = self._gpus(cluster_gpus)
        fitting = (
            int(cluster_gpus // self._spanned(gpus)) if cluster_gpus else int(workers // self.engine.cpus)
        )
        return Resources(self.engine.cpus, gpus, self.engine.replicas or max(1, fitting))

    def _gpus(self, cluster_gpus: int) -> float:
        if self.engine.gpus >= 0:
            return self.engine.gpus
        if not cluster_gpus or self.engine.executor == "ray":
            return 0.0  # vLLM's Ray executor makes a placement group for its own workers
        return float(self.engine.tensor_parallel * self.engine.pipeline_parallel)

    def _spanned(self, gpus: float) -> float:
        return gpus or float(self.engine.tensor_parallel * self.engine.pipeline_parallel)

    def shares_engine(self, other: ProposerSpec) -> bool:
        """Return whether one loaded model or connection serves both."""
        mine, its = (self.name, self.engine, self.endpoint), (other.name, other.engine, other.endpoint)
        return self.name in MODELS and mine == its

    def _sampler(self, engine: TextSampler | None) -> TextSampler:
        if self.name == "openai":
            return EndpointSampler(self.endpoint, self.sampling)
        held_to = grammar() if self.asked.grammar else None
        if isinstance(engine, VllmSampler):
            return engine.drawing(self.sampling, held_to)
        return VllmSampler(self.engine, self.sampling, held_to)

    def _check_model(self) -> None:
        if self.name not in MODELS:
            raise ConfigError(f"proposer {self.name!r} cannot be built from a spec")
        self.asked.check_language()
        if self.asked.grammar and self.name != "vllm":
            raise ConfigError(
                "prompt.grammar needs the vllm proposer; an endpoint cannot be held to a grammar"
            )

    def _replay(self) -> ReplayProposer:
        if not self.replay:
            raise ConfigError("proposer 'replay' needs a file of candidates; give it with --replay FILE")
        return ReplayProposer(Path(self.replay))


def build_all(specs: Sequence[ProposerSpec]) -> list[Proposer]:
    """Return the proposers of specs; those that share an engine load it once."""
    first = specs[0].build()
    if not isinstance(first, ModelProposer):
        return [first, *(spec.build() for spec in specs[1:])]
    engine = first.sampler.inner if isinstance(first.sampler, FeedbackSampler) else first.sampler
    shared = [engine if spec.shares_engine(specs[0]) else None for spec in specs[1:]]
    return [first, *(spec.build_model(engine) for spec, engine in zip(specs[1:], shared, strict=True))]


def _absolute(path: str) -> str:
    """Return the absolute path of what exists here, anything else (the name of a model) as it is."""
    here = path and path not in shipped() and Path(path).exists()
    return str(Path(path).resolve()) if here else path


def settings_hash(settings: dict[str, object]) -> str:
    """Return 8 hex digits that tell a proposer's generation settings apart."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _plain(settings: dict[str, object]) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}
