"""The proposer that asks a model: sequences become prompts, replies become candidates.

It does not know which sampler it has: vLLM in this process, or an endpoint far away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ktray.programs import Candidate, CandidateKey, Language, Program
from ktray.proposers.extract import extract_program
from ktray.proposers.prompting import load_template
from ktray.proposers.replay import detect_language
from ktray.samplers.ports import Reply, SampleRequest, TextSampler, request_seed
from ktray.sequences import KtSequence


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """Which prompt, and how long a reply may be: `tokens` plus `tokens_per_element` for each element."""

    prompt: str = "python"
    prompt_file: str = ""
    language: str = ""
    tokens: int = 256
    tokens_per_element: float = 4.0
    seed: int = 0


class ModelProposer:
    """Proposes what a model samples for each sequence; `name` is the sampler's ("vllm", "openai")."""

    def __init__(
        self,
        name: str,
        sampler: TextSampler,
        prompt: PromptSettings,
        settings: dict[str, object],
        sampling_hash: str,
    ) -> None:
        self.name = name
        self._sampler, self._prompt = sampler, prompt
        self._settings, self._sampling_hash = settings, sampling_hash
        language = Language(prompt.language) if prompt.language else None
        file = Path(prompt.prompt_file) if prompt.prompt_file else None
        self._template = load_template(prompt.prompt, file, language)

    def settings(self) -> dict[str, object]:
        """Return what the candidates depend on."""
        return {**self._settings, "prompt_hash": self._template.hash}

    def propose(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]:
        """Yield one candidate for each sequence and sample index; a failed sample carries its error."""
        requests = [self._request(sequence, samples) for sequence in sequences]
        for reply in self._sampler.sample(requests):
            yield self._candidate(reply)

    def _request(self, sequence: KtSequence, samples: range) -> SampleRequest:
        system, user = self._template.fill(sequence.values)
        limit = self._prompt.tokens + int(self._prompt.tokens_per_element * len(sequence))
        seed = request_seed(self._prompt.seed, sequence.id)
        return SampleRequest(sequence.id, system, user, samples, seed, limit)

    def _candidate(self, reply: Reply) -> Candidate:
        key = CandidateKey(
            reply.key,
            self.name,
            self._sampler.model,
            self._template.hash,
            self._sampling_hash,
            self._prompt.seed,
            reply.index,
        )
        text = extract_program(reply.text)
        program = Program(self._template.language or detect_language(text), text) if text else None
        return Candidate(key, program, reply.text, reply.tokens, reply.logprob, reply.error)
