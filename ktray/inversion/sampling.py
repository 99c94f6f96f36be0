"""The samplers of ktray behind the inversion benchmark's port, and the choice of one by name.

A sample is a function of model, prompt, settings and (seed, prompt, index): what a resumed run adds is what
the first run would have drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ktray.config import nearest, option
from ktray.errors import EngineDeadError
from ktray.inversion.answers import AnswerOutcome
from ktray.inversion.kinds import InversionError
from ktray.inversion.oracle import DEFAULT_RATES, OracleSampler
from ktray.inversion.ports import Sampler, SampleRequest, SamplerFailed, SamplerOutOfMemory, SamplingSettings
from ktray.inversion.tasks import Message, Reply
from ktray.samplers import ports as text_ports
from ktray.samplers.endpoint import EndpointSampler, EndpointSettings
from ktray.samplers.engine import EngineSettings, VllmSampler

NAMES = ("oracle", "vllm", "openai")


@dataclass(frozen=True)
class OracleRates:
    """Shares of replies that the oracle ends in each error; what is left of 1 is right."""

    wrong_value: float = option(DEFAULT_RATES[AnswerOutcome.WRONG_VALUE], "share of wrong values")
    wrong_type: float = option(DEFAULT_RATES[AnswerOutcome.WRONG_TYPE], "share of answers of a wrong type")
    unparsable: float = option(DEFAULT_RATES[AnswerOutcome.UNPARSABLE], "share of answers that are no JSON")
    no_answer: float = option(DEFAULT_RATES[AnswerOutcome.NO_ANSWER], "share of replies without answer")
    truncated: float = option(DEFAULT_RATES[AnswerOutcome.TRUNCATED], "share of replies cut off")

    def by_outcome(self) -> dict[AnswerOutcome, float]:
        """Return the rates by outcome class."""
        return {AnswerOutcome(name): getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class SamplerSpec:
    """Which sampler to make; picklable, so that it can be made in another process."""

    name: str
    sampling: SamplingSettings
    engine: EngineSettings = field(default_factory=EngineSettings)
    endpoint: EndpointSettings = field(default_factory=EndpointSettings)
    oracle: OracleRates = field(default_factory=OracleRates)

    @property
    def model(self) -> str:
        """The model's name ("" for the oracle)."""
        return {"vllm": self.engine.model, "openai": self.endpoint.model}.get(self.name, "")

    def answers_as(self) -> str:
        """What its replies name as their model. Raises ConfigError where it has no model and needs one."""
        named = {"vllm": self.engine.identity, "openai": self.endpoint.identity}
        return str(named[self.name]()["model"]) if self.name in named else self.name


def make_sampler(spec: SamplerSpec) -> Sampler:
    """Return the sampler of a spec. Raises InversionError for an unknown name, ConfigError for a model that
    cannot be loaded."""
    if spec.name == "oracle":
        return OracleSampler(spec.oracle.by_outcome())
    drawn = text_ports.SamplingSettings(
        temperature=spec.sampling.temperature, top_p=spec.sampling.top_p, stop=spec.sampling.stop
    )
    if spec.name == "vllm":
        return TextSamplerAdapter(VllmSampler(spec.engine, drawn))
    if spec.name == "openai":
        return TextSamplerAdapter(EndpointSampler(spec.endpoint, drawn))
    raise InversionError(f"unknown sampler {spec.name!r}{nearest(spec.name, NAMES)}")


class LazySampler:
    """A sampler that is made when it is first asked: a model is loaded only where samples are missing, and
    a fallback's only where it is needed. Raises InversionError for an unknown name at once."""

    def __init__(self, spec: SamplerSpec) -> None:
        if spec.name not in NAMES:
            raise InversionError(f"unknown sampler {spec.name!r}{nearest(spec.name, NAMES)}")
        self._spec = spec
        self._made: Sampler | None = None

    @property
    def name(self) -> str:
        """The sampler's name; once it is made, its own."""
        return self._made.name if self._made is not None else self._spec.name

    def sample(self, requests: Sequence[SampleRequest], settings: SamplingSettings) -> Iterator[Reply]:
        """Yield every requested sample."""
        if self._made is None:
            self._made = make_sampler(self._spec)
        yield from self._made.sample(requests, settings)


class TextSamplerAdapter:
    """A text sampler of ktray as a sampler of this benchmark."""

    def __init__(self, sampler: text_ports.TextSampler) -> None:
        self._sampler = sampler

    @property
    def name(self) -> str:
        """The model's name."""
        return self._sampler.model

    def sample(self, requests: Sequence[SampleRequest], settings: SamplingSettings) -> Iterator[Reply]:
        """Yield every requested sample; one that could not be drawn has finish reason "error"."""
        asked = [text_request(r, run, settings) for r in requests for run in runs_of(r.samples)]
        try:
            for reply in self._sampler.sample(asked):
                yield Reply(
                    reply.key,
                    reply.index,
                    reply.text,
                    reply.finish,
                    reply.tokens,
                    reply.prompt_tokens,
                    self.name,
                    reply.error,
                )
        except EngineDeadError as error:
            raise SamplerFailed(str(error)) from error
        except (MemoryError, RuntimeError) as error:
            # vLLM and torch report exhausted memory as a RuntimeError (or a subclass) whose text says so.
            if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
                raise SamplerOutOfMemory from error
            raise


def text_request(request: SampleRequest, run: range, settings: SamplingSettings) -> text_ports.SampleRequest:
    """Return a request for consecutive samples of a prompt."""
    system, user = flat_conversation(request.prompt.messages)
    seed = text_ports.request_seed(settings.seed, request.prompt.id)
    return text_ports.SampleRequest(request.prompt.id, system, user, run, seed, settings.max_tokens)


def runs_of(samples: Sequence[int]) -> list[range]:
    """Return the samples as ranges of consecutive indices, in order."""
    runs: list[range] = []
    for index in sorted(samples):
        if runs and runs[-1].stop == index:
            runs[-1] = range(runs[-1].start, index + 1)
        else:
            runs.append(range(index, index + 1))
    return runs


def flat_conversation(messages: Sequence[Message]) -> tuple[str, str]:
    """Return (system, user): a text sampler takes one turn, so earlier turns are quoted in it."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    turns = [m for m in messages if m.role != "system"]
    if len(turns) == 1:
        return system, turns[0].content
    quoted = [
        f"[{'You answered' if m.role == 'assistant' else 'You were asked'}]\n{m.content}" for m in turns[:-1]
    ]
    return system, "\n\n".join([*quoted, f"[Now]\n{turns[-1].content}"])
