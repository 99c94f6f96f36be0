"""The proposer that asks a model: sequences become prompts, replies become candidates.

It does not know which sampler it has: vLLM in this process, or an endpoint far away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ktray.config import option
from ktray.errors import ConfigError, ProgramError
from ktray.programs import Candidate, CandidateKey, Language, Program, Verdict
from ktray.proposers.extract import extract_program
from ktray.proposers.prompting import Template, load_template
from ktray.proposers.replay import detect_language
from ktray.samplers.ports import Reply, SampleRequest, TextSampler, request_seed
from ktray.sequences import KtSequence, Values

if TYPE_CHECKING:
    from ktray.seqcoder.forms import Form


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """Which prompt, and how long a reply may be."""

    prompt: str = option(
        "",
        "prompt: python, python_cot, dsl, dsl_few_shot (default: python); models of jobs.train: sketch, "
        "program, feedback (default: their own)",
    )
    prompt_file: str = option(
        "",
        "a template of one's own, with {sequence} or #SEQ# where the sequence goes",
        short="prompt_file",
    )
    language: str = option(
        "", "language of the replies: python, dsl (default: the prompt's own, or detected)"
    )
    grammar: bool = option(False, "let a vLLM model write nothing but programs of the DSL")
    execute: bool = option(
        False, "run each line of the DSL as it is written, and show the model its list before the next"
    )
    tokens: int = option(256, "most tokens of a reply, beside those for the sequence's length")
    tokens_per_element: float = option(4.0, "further tokens of a reply for each element of the sequence")

    def __post_init__(self) -> None:
        if self.language and self.language not in set(Language):
            raise ConfigError(f"prompt.language is {self.language!r}, expected python or dsl")
        if self.tokens < 1 or self.tokens_per_element < 0:
            raise ConfigError(
                f"prompt.tokens is {self.tokens}, tokens_per_element {self.tokens_per_element}; "
                "expected tokens 1 or more, tokens_per_element 0 or more"
            )
        if self.prompt or self.prompt_file:  # else a model of our own may be asked in its own form
            self.check_language()

    def check_language(self) -> None:
        """Raise ConfigError where the prompt asks for another language than what is wanted of it needs."""
        if self.execute and self.template().language is not Language.DSL:
            raise ConfigError("prompt.execute is for the DSL; choose --prompt.prompt feedback or dsl")
        if self.grammar and self.template().language is not Language.DSL:
            raise ConfigError(
                "prompt.grammar is for the DSL; choose --prompt.prompt dsl or --prompt.language dsl"
            )

    def template(self) -> Template:
        """Return the template. Raises ConfigError where there is none of that name, or no such file."""
        language = Language(self.language) if self.language else None
        return load_template(
            self.prompt or "python", Path(self.prompt_file) if self.prompt_file else None, language
        )

    def identity(self) -> dict[str, object]:
        """Return what a reply depends on: the template's content, not where it lies."""
        template = self.template()
        return {
            "prompt": Path(self.prompt_file).name if self.prompt_file else self.prompt or "python",
            "prompt_hash": template.hash,
            "language": template.language.value if template.language else "",
            "grammar": self.grammar,
            **({"execute": True} if self.execute else {}),
            "tokens": self.tokens,
            "tokens_per_element": self.tokens_per_element,
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A candidate that was not correct, its verdict, and its output where it gave one."""

    candidate: Candidate
    verdict: Verdict
    output: Values | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What sampling took: tokens of the replies, and of their prompts counted once a reply."""

    samples: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    errors: int = 0


class ModelProposer:
    """Proposes what a model samples for each sequence; `name` is the sampler's ("vllm", "openai").

    `settings` is what the candidates depend on, and `sampling_hash` the part of it that is not the prompt.
    """

    def __init__(
        self,
        name: str,
        sampler: TextSampler,
        prompt: PromptSettings,
        seed: int,
        settings: dict[str, object],
        sampling_hash: str,
    ) -> None:
        self.name = name
        self._sampler, self._prompt, self._seed = sampler, prompt, seed
        self._settings, self._sampling_hash = settings, sampling_hash
        self._template = prompt.template()
        self._usage = Usage()
        self._asked: dict[str, Values] = {}

    def settings(self) -> dict[str, object]:
        """Return what the candidates depend on."""
        return self._settings

    @property
    def sampler(self) -> TextSampler:
        """The sampler that is asked."""
        return self._sampler

    def take_usage(self) -> Usage:
        """Return what was used since the last call."""
        usage, self._usage = self._usage, Usage()
        return usage

    def propose(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]:
        """Yield one candidate for each sequence and sample index; a failed sample carries its error."""
        return self._sample(self.requests(sequences, samples))

    def requests(self, sequences: Sequence[KtSequence], samples: range) -> list[SampleRequest]:
        """Return what the sampler is asked for."""
        self._asked = {sequence.id: sequence.values for sequence in sequences}
        return [self._request(sequence, samples) for sequence in sequences]

    def refine(self, failures: Iterable[tuple[KtSequence, Failure]]) -> Iterator[Candidate]:
        """Yield one candidate for each failure, with the same sequence and sample index."""
        failures = list(failures)
        self._asked = {sequence.id: sequence.values for sequence, _ in failures}
        return self._sample([self._repair(sequence, failure) for sequence, failure in failures])

    def failed(self, sequence: KtSequence, samples: range, error: str) -> Iterator[Candidate]:
        """Yield the candidates of a sequence that could not be sampled at all."""
        for index in samples:
            self._usage = replace(self._usage, errors=self._usage.errors + 1)
            yield self._candidate(Reply(sequence.id, index, "", "error", error=error[:200]))

    def _sample(self, requests: list[SampleRequest]) -> Iterator[Candidate]:
        for reply in self._sampler.sample(requests):
            self._count(reply)
            yield self._candidate(reply)

    def _count(self, reply: Reply) -> None:
        u = self._usage
        self._usage = Usage(
            u.samples + 1,
            u.tokens + (reply.tokens or 0),
            u.prompt_tokens + (reply.prompt_tokens or 0),
            u.errors + bool(reply.error),
        )

    def _request(self, sequence: KtSequence, samples: range, **extra: object) -> SampleRequest:
        if self._template.form:
            extra["sequence"] = _form(self._template.form).prompt(sequence.values)
        system, user = self._template.fill(sequence.values, **extra)
        limit = self._prompt.tokens + int(self._prompt.tokens_per_element * len(sequence))
        seed = request_seed(self._seed, f"{sequence.id}:{self._template.hash}")
        return SampleRequest(sequence.id, system, user, samples, seed, limit, self._template.stop)

    def _repair(self, sequence: KtSequence, failure: Failure) -> SampleRequest:
        program, output = failure.candidate.program, failure.output
        index = failure.candidate.key.sample_index
        return self._request(
            sequence,
            range(index, index + 1),
            program=program.text if program else failure.candidate.reply.strip() or "(no program)",
            outcome=_told(failure.verdict),
            prefix=failure.verdict.correct_prefix,
            output="(none)" if output is None else "[" + ", ".join(map(str, output.tolist())) + "]",
        )

    def _candidate(self, reply: Reply) -> Candidate:
        key = CandidateKey(
            reply.key,
            self.name,
            self._sampler.model,
            self._template.hash,
            self._sampling_hash,
            self._seed,
            reply.index,
        )
        text = self._program_text(reply)
        program = Program(self._template.language or detect_language(text), text) if text else None
        return Candidate(key, program, _storable(reply.text), reply.tokens, reply.logprob, reply.error)

    def _program_text(self, reply: Reply) -> str | None:
        """Return the text of the program in a reply, or None where there is none."""
        if self._template.form:
            return _formed(self._template.form, reply.text, self._asked.get(reply.key))
        cut_off = self._prompt.grammar and reply.finish == "length"
        return whole_lines(reply.text) if cut_off else extract_program(_storable(reply.text))


def _formed(name: str, reply: str, values: Values | None) -> str | None:
    """Return the DSL text of a reply in a form of our own models, or None where it is none."""
    if values is None or not reply:
        return None
    try:
        return _form(name).program_text(reply, values.tolist())
    except ProgramError:
        return None


def _form(name: str) -> Form:
    from ktray.seqcoder.forms import form_called  # with its tables; other prompts need none of them

    return form_called(name)


def whole_lines(text: str) -> str:
    """Return a program of the DSL that was cut off, without its cut line and with its last name as output.

    Empty where not one line is whole.
    """
    calls = text.split("\n")[:-1]
    return "\n".join([*calls, f"output = sequence_{len(calls)}"]) if calls else ""


def _told(verdict: Verdict) -> str:
    what = verdict.outcome.value.replace("_", " ")
    return f"{what}: {verdict.detail}" if verdict.detail else what


def _storable(text: str) -> str:
    """Return text without lone surrogates, which no program and no Parquet file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
