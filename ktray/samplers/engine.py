"""The vLLM sampler: the same code on CPUs and GPUs. The only module that imports vLLM.

One engine lives in one process. On a CPU it runs in this very process with one thread, so that replicas
scale with cores; what a GPU needs beside is a matter of settings.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ktray.errors import ConfigError, EngineDeadError
from ktray.samplers.ports import Finish, Reply, SampleRequest, SamplingSettings

#: vLLM stalls on more samples than this in one request.
MAX_SAMPLES_A_REQUEST = 256


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """A model and how it is loaded. `model` is a hub name or a folder; sizes are in tokens and GiB.

    `chat` is auto (use the model's chat template where it has one), yes, or no. `adapter` is a LoRA
    folder. `kv_cache_gib` is read on CPUs, `gpu_memory` (a share of the card) on GPUs.
    """

    model: str = ""
    dtype: str = "auto"
    max_model_len: int = 2048
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    gpu_memory: float = 0.9
    kv_cache_gib: int = 1
    quantization: str = ""
    adapter: str = ""
    chat: str = "auto"
    eager: bool = True
    trust_remote_code: bool = False
    offline: bool = True

    def __post_init__(self) -> None:
        if self.chat not in {"auto", "yes", "no"}:
            raise ConfigError(f"chat is {self.chat!r}, expected auto, yes or no")


class VllmSampler:
    """Hosts one vLLM engine. Raises ConfigError where the model cannot be loaded, EngineDeadError where
    the engine died: its process is then of no more use."""

    def __init__(
        self, engine: EngineSettings, sampling: SamplingSettings, grammar: str | None = None
    ) -> None:
        if not engine.model:
            raise ConfigError("no model given; name a hub model or a local folder with --engine.model")
        _set_environment(engine)
        self.model = engine.model
        self._engine, self._sampling, self._grammar = engine, sampling, grammar
        self._llm = _load(engine)
        self._tokenizer = self._llm.get_tokenizer()
        self._lora = _adapter(engine)

    def sample(self, requests: Sequence[SampleRequest]) -> Iterator[Reply]:
        """Yield every sample of every request. A prompt that does not fit gives replies with an error."""
        prompts = [self._tokens(request) for request in requests]
        fitting = []
        for request, tokens in zip(requests, prompts, strict=True):
            if len(tokens) + 1 > self._engine.max_model_len:
                yield from _too_long(request, len(tokens), self._engine.max_model_len)
            else:
                fitting.append((request, tokens))
        yield from self._generate([part for pair in fitting for part in _split(*pair)])

    def _generate(self, parts: list[tuple[SampleRequest, list[int]]]) -> Iterator[Reply]:
        if not parts:
            return
        from vllm.v1.engine.exceptions import EngineDeadError as VllmDead

        prompts = [{"prompt_token_ids": tokens} for _, tokens in parts]
        params = [self._params(request, len(tokens)) for request, tokens in parts]
        try:
            outputs = self._llm.generate(prompts, params, use_tqdm=False, lora_request=self._lora)
        except VllmDead as error:
            raise EngineDeadError(f"the engine of {self.model} died: {error}") from error
        for (request, tokens), output in zip(parts, outputs, strict=True):
            yield from (_reply(request, i, len(tokens), made) for i, made in enumerate(output.outputs))

    def _params(self, request: SampleRequest, prompt_tokens: int) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        s = self._sampling
        return SamplingParams(
            n=len(request.samples),
            seed=request.seed + request.samples.start,
            temperature=s.temperature,
            top_p=s.top_p,
            top_k=s.top_k or -1,
            min_p=s.min_p,
            stop=list(s.stop) or None,
            max_tokens=min(request.max_tokens, self._engine.max_model_len - prompt_tokens),
            logprobs=0,
            structured_outputs=StructuredOutputsParams(grammar=self._grammar) if self._grammar else None,
        )

    def _tokens(self, request: SampleRequest) -> list[int]:
        """Return the prompt's tokens: through the chat template, or as plain text."""
        if self._chat():
            messages = [{"role": "user", "content": request.user}]
            if request.system:
                messages.insert(0, {"role": "system", "content": request.system})
            text = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
            return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        return list(self._tokenizer("\n\n".join(filter(None, (request.system, request.user))))["input_ids"])

    def _chat(self) -> bool:
        has_template = bool(getattr(self._tokenizer, "chat_template", None))
        return self._engine.chat == "yes" or (self._engine.chat == "auto" and has_template)


def _split(request: SampleRequest, tokens: list[int]) -> Iterator[tuple[SampleRequest, list[int]]]:
    for start in range(request.samples.start, request.samples.stop, MAX_SAMPLES_A_REQUEST):
        samples = range(start, min(start + MAX_SAMPLES_A_REQUEST, request.samples.stop))
        fields = (request.key, request.system, request.user, samples, request.seed, request.max_tokens)
        yield SampleRequest(*fields), tokens


def _too_long(request: SampleRequest, tokens: int, limit: int) -> Iterator[Reply]:
    error = f"the prompt has {tokens} tokens, the model's context {limit}"
    for index in request.samples:
        yield Reply(request.key, index, "", "error", prompt_tokens=tokens, error=error)


def _reply(request: SampleRequest, i: int, prompt_tokens: int, made: Any) -> Reply:
    finish: Finish = "length" if made.finish_reason == "length" else "stop"
    return Reply(
        key=request.key,
        index=request.samples[i],
        text=made.text,
        finish=finish,
        tokens=len(made.token_ids),
        prompt_tokens=prompt_tokens,
        logprob=made.cumulative_logprob,
    )


def _set_environment(engine: EngineSettings) -> None:
    """Set what must be set before vLLM and torch are imported; what the user has set stays."""
    wanted = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_CPU_KVCACHE_SPACE": str(engine.kv_cache_gib)}
    if not Path("/dev/nvidiactl").exists():
        # One process and one thread a replica: several threads fight over a core, and compiling costs 18 s.
        wanted |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1", "TORCHDYNAMO_DISABLE": "1"}
    if engine.offline:
        wanted |= {"HF_HUB_OFFLINE": "1"}
    for name, value in wanted.items():
        os.environ.setdefault(name, value)


def _load(engine: EngineSettings) -> Any:
    from vllm import LLM

    try:
        return LLM(
            model=engine.model,
            dtype=engine.dtype,
            max_model_len=engine.max_model_len,
            tensor_parallel_size=engine.tensor_parallel,
            pipeline_parallel_size=engine.pipeline_parallel,
            gpu_memory_utilization=engine.gpu_memory,
            quantization=engine.quantization or None,
            enforce_eager=engine.eager,
            enable_prefix_caching=True,
            enable_lora=bool(engine.adapter),
            trust_remote_code=engine.trust_remote_code,
            disable_log_stats=True,
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(f"model {engine.model!r} cannot be loaded: {reason}") from error


def _adapter(engine: EngineSettings) -> Any:
    if not engine.adapter:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest(Path(engine.adapter).name, 1, engine.adapter)
