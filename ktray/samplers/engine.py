"""The vLLM sampler: the same code on CPUs and GPUs. The only module that imports vLLM.

One engine lives in one process. On a CPU it runs in this very process with one thread, so that replicas
scale with cores; what a GPU needs beside is a matter of settings.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ktray.config import option
from ktray.errors import ConfigError, EngineDeadError
from ktray.extras import missing
from ktray.models import model_location, own_context
from ktray.samplers.identity import model_identity
from ktray.samplers.ports import Finish, Reply, SampleRequest, SamplingSettings

#: vLLM stalls on more samples than this in one request.
MAX_SAMPLES_A_REQUEST = 256


#: Tokens that one step of an engine may process; a CPU takes a prompt in one step.
_STEP_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """A model, how it is loaded, and what one replica of it takes."""

    model: str = option("", "hub name or local folder of the model, or one that ships: seqcoder-nano")
    revision: str = option("", "branch, tag or commit of a hub model (default: its main branch)")
    adapter: str = option("", "folder of a LoRA adapter")
    dtype: str = option("auto", "number format: auto, bfloat16, float16, float32")
    quantization: str = option("", "how weights are quantized, as vLLM names it: awq, gptq, fp8, ...")
    max_model_len: int = option(
        4096, "most tokens of prompt and reply together (models of ours: at most their own)"
    )
    chat: str = option("auto", "prompt through the model's chat template: auto (where it has one), yes, no")
    tensor_parallel: int = option(1, "GPUs that share every layer of a replica")
    pipeline_parallel: int = option(1, "groups of GPUs that share a replica's layers in turn")
    executor: str = option("auto", "who starts a replica's GPU workers: auto, mp (one node), ray (any nodes)")
    gpus: float = option(-1.0, "GPUs a replica takes (-1: as many as it spans, or none on a CPU cluster)")
    cpus: float = option(1.0, "CPUs a replica takes")
    replicas: int = option(0, "replicas at once (0: as many as the cluster has GPUs or CPUs for)")
    gpu_memory: float = option(0.9, "share of a GPU's memory that a replica may take, 0 to 1")
    kv_cache_gib: int = option(1, "memory for attention keys and values of a replica on a CPU, in GiB")
    max_num_seqs: int = option(0, "samples that are generated at once in a replica (0: vLLM's choice)")
    eager: bool = option(
        False, "run without compiled graphs: starts sooner, generates slower (CPUs always do)"
    )
    trust_remote_code: bool = option(False, "run code that a hub model brings along")
    offline: bool = option(False, "never ask the hub; the model must be in a folder or in the hub's cache")

    def __post_init__(self) -> None:
        for name, known in (("chat", ("auto", "yes", "no")), ("executor", ("auto", "mp", "ray"))):
            if getattr(self, name) not in known:
                raise ConfigError(f"engine.{name} is {getattr(self, name)!r}, expected {', '.join(known)}")
        for name in ("max_model_len", "tensor_parallel", "pipeline_parallel", "kv_cache_gib"):
            if getattr(self, name) < 1:
                raise ConfigError(f"engine.{name} is {getattr(self, name)}, expected 1 or more")
        if not 0 < self.gpu_memory <= 1 or self.cpus <= 0 or self.replicas < 0 or self.max_num_seqs < 0:
            raise ConfigError(
                f"engine: gpu_memory {self.gpu_memory}, cpus {self.cpus}, replicas {self.replicas}, "
                f"max_num_seqs {self.max_num_seqs}; expected 0 < gpu_memory <= 1, cpus above 0, the others "
                "0 or more"
            )

    @property
    def location(self) -> str:
        """Where the model lies: its folder where it ships with ktray, else `model`."""
        return model_location(self.model)

    def fitting(self) -> EngineSettings:
        """Return the settings with a context that the model has; ktray knows that of models of ours alone."""
        own = own_context(self.model)
        return replace(self, max_model_len=min(self.max_model_len, own or self.max_model_len))

    def identity(self) -> dict[str, object]:
        """Return what a reply depends on beside prompt and sampling; reads the model's folder, loads nothing.

        Raises ConfigError where there is no model.
        """
        if not self.model:
            raise ConfigError("no model given; name a hub model or a local folder with --engine.model")
        names = ("dtype", "quantization", "max_model_len", "chat")
        return {
            "model": model_identity(self.location, self.revision),
            "adapter": model_identity(self.adapter) if self.adapter else "",
            **{name: getattr(self, name) for name in names},
        }


class VllmSampler:
    """Hosts one vLLM engine. Raises ConfigError where the model cannot be loaded, EngineDeadError where
    the engine died: its process is then of no more use."""

    def __init__(
        self, engine: EngineSettings, sampling: SamplingSettings, grammar: str | None = None
    ) -> None:
        self.model = str(engine.identity()["model"])
        engine = engine.fitting()
        _set_environment(engine)
        self._engine, self._sampling, self._grammar = engine, sampling, grammar
        self._llm = _load(engine)
        self._tokenizer = self._llm.get_tokenizer()
        self._lora = _adapter(engine)

    def drawing(self, sampling: SamplingSettings, grammar: str | None = None) -> VllmSampler:
        """Return a sampler on the same engine that draws otherwise."""
        other = copy.copy(self)
        other._sampling, other._grammar = sampling, grammar
        return other

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
        try:
            outputs = self._llm.generate(*self._inputs(parts), use_tqdm=False, lora_request=self._lora)
        except ValueError:
            raise  # refused before it was begun; vLLM has withdrawn the call's other requests
        except Exception as error:
            # Requests that a failed step leaves behind would come out of the next call.
            raise EngineDeadError(f"the engine of {self.model} died: {error!r}"[:300]) from error
        for (request, tokens), output in zip(parts, outputs, strict=True):
            drawn = [_reply(request, len(tokens), made) for made in output.outputs]
            # Greedy samples are all the same, and vLLM draws one of them.
            yield from drawn if self._sampling.temperature else _repeated(drawn[0], request.samples)

    def log_probabilities(self, texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """Return the tokens of each text with their log-probabilities (nats), each given those before it.

        The first is given the model's first token (or, where it has none, its last). Raises ConfigError for a
        text that does not fit the context.
        """
        prompts = [self._opened(text) for text in texts]
        longest = max(map(len, prompts), default=0)
        if longest + 1 > self._engine.max_model_len:
            raise ConfigError(
                f"a sequence takes {longest} tokens, the context has {self._engine.max_model_len}; give a "
                "smaller --chunk or a larger --engine.max-model-len"
            )
        from vllm import SamplingParams

        given = [{"prompt_token_ids": tokens} for tokens in prompts]
        params = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0)
        outputs = self._llm.generate(given, params, use_tqdm=False, lora_request=self._lora)
        return [
            [
                (self._tokenizer.decode([token]), float(rated[token].logprob))
                for token, rated in zip(tokens[1:], output.prompt_logprobs[1:], strict=True)
            ]
            for tokens, output in zip(prompts, outputs, strict=True)
        ]

    def _opened(self, text: str) -> list[int]:
        """Return a text's tokens after one that any text may follow."""
        first = self._tokenizer.bos_token_id
        first = self._tokenizer.eos_token_id if first is None else first
        return [first, *self._tokenizer(text, add_special_tokens=False)["input_ids"]]

    def inputs(self, requests: Sequence[SampleRequest]) -> tuple[Any, list[dict[str, Any]], list[Any]]:
        """Return the engine itself, and the prompts and parameters it is given for requests: for benches."""
        parts = [part for request in requests for part in _split(request, self._tokens(request))]
        return self._llm, *self._inputs(parts)

    def _inputs(self, parts: list[tuple[SampleRequest, list[int]]]) -> tuple[list[dict[str, Any]], list[Any]]:
        prompts = [{"prompt_token_ids": tokens} for _, tokens in parts]
        return prompts, [self._params(request, len(tokens)) for request, tokens in parts]

    def _params(self, request: SampleRequest, prompt_tokens: int) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        s = self._sampling
        return SamplingParams(
            n=len(request.samples) if s.temperature else 1,
            seed=request.seed + request.samples.start,
            temperature=s.temperature,
            top_p=s.top_p,
            top_k=s.top_k or -1,
            min_p=s.min_p,
            stop=list(s.stops(request)) or None,
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
        yield replace(request, samples=samples), tokens


def _repeated(reply: Reply, samples: range) -> Iterator[Reply]:
    return (replace(reply, index=index) for index in samples)


def _too_long(request: SampleRequest, tokens: int, limit: int) -> Iterator[Reply]:
    error = f"the prompt has {tokens} tokens, the model's context {limit}"
    for index in request.samples:
        yield Reply(request.key, index, "", "error", prompt_tokens=tokens, error=error)


def _reply(request: SampleRequest, prompt_tokens: int, made: Any) -> Reply:
    index, reason = request.samples[made.index], made.finish_reason
    if reason not in ("stop", "length"):
        return Reply(request.key, index, "", "error", error=f"the engine ended the sample: {reason}")
    finish: Finish = reason
    return Reply(
        key=request.key,
        index=index,
        text=made.text,
        finish=finish,
        tokens=len(made.token_ids),
        prompt_tokens=prompt_tokens,
        logprob=made.cumulative_logprob,
    )


def on_gpu(engine: EngineSettings) -> bool:
    """Return whether an engine started by this process works on GPUs: those it sees, or, where Ray places the
    workers, those of other processes."""
    seen = Path("/dev/nvidiactl").exists() and os.environ.get("CUDA_VISIBLE_DEVICES", "all") != ""
    return seen or engine.executor == "ray"


def _set_environment(engine: EngineSettings) -> None:
    """Set what must be set before vLLM and torch are imported; what the user has set stays."""
    wanted = {
        "VLLM_LOGGING_LEVEL": "CRITICAL",  # what goes wrong is raised; a failed step else prints its inputs
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": str(engine.kv_cache_gib),
        "TOKENIZERS_PARALLELISM": "false",
    }
    if not on_gpu(engine):
        # One process and one thread a replica: several threads fight over a core, and compiling costs 18 s.
        wanted |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1", "TORCHDYNAMO_DISABLE": "1"}
    if engine.offline or Path(engine.location).is_dir():
        wanted |= {"HF_HUB_OFFLINE": "1"}
    for name, value in wanted.items():
        os.environ.setdefault(name, value)


def _load(engine: EngineSettings) -> Any:
    try:
        from vllm import LLM
    except ModuleNotFoundError as error:
        raise missing(error) from None
    _shield_llvmlite()
    try:
        return LLM(**llm_options(engine))
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(f"model {engine.model!r} cannot be loaded: {reason}") from error


def _shield_llvmlite() -> None:
    """Let vLLM look over numba's modules: on a CPU it asks every object in memory for its `__dict__`, and
    llvmlite's library (loaded by the searcher, say) takes that for the name of a C function."""
    ffi = sys.modules.get("llvmlite.binding.ffi")
    table = getattr(getattr(ffi, "lib", None), "_fntab", None)
    if isinstance(table, dict):
        table.setdefault("__dict__", {})


def llm_options(engine: EngineSettings) -> dict[str, Any]:
    """Return the arguments of `vllm.LLM` for these settings on this machine."""
    options: dict[str, Any] = {
        "model": engine.location,
        "revision": engine.revision or None,
        "dtype": engine.dtype,
        "max_model_len": engine.max_model_len,
        "tensor_parallel_size": engine.tensor_parallel,
        "pipeline_parallel_size": engine.pipeline_parallel,
        "gpu_memory_utilization": engine.gpu_memory,
        "quantization": engine.quantization or None,
        "enforce_eager": engine.eager or not on_gpu(engine),
        "enable_prefix_caching": True,
        "enable_lora": bool(engine.adapter),
        "trust_remote_code": engine.trust_remote_code,
        "disable_log_stats": True,
    }
    if engine.max_num_seqs:
        options["max_num_seqs"] = engine.max_num_seqs
    if engine.executor != "auto":
        options["distributed_executor_backend"] = engine.executor
    if not on_gpu(engine):
        # A prompt cut over two steps rewinds its sample's random generator, which a CPU's cannot do.
        options["enable_chunked_prefill"] = False
        options["max_num_batched_tokens"] = max(_STEP_TOKENS, engine.max_model_len)
    return options


def _adapter(engine: EngineSettings) -> Any:
    if not engine.adapter:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest(Path(engine.adapter).name, 1, engine.adapter)
