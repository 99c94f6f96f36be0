"""The endpoint sampler: any server that speaks OpenAI's protocol. The only module that imports `openai`.

The key is read from the environment (or `.env`) where the requests are made and is kept in the client
alone: no setting, message, log or run directory ever holds it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ktray.config import option
from ktray.errors import ConfigError
from ktray.extras import missing
from ktray.samplers.ports import Reply, SampleRequest, SamplingSettings

_KEY, _URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"
_PUBLIC = "https://api.openai.com/v1"
#: Variables that hold the key of a known service, before the general one.
_KEYS_OF = {"openrouter.ai": "OPENROUTER_API_KEY"}
#: Errors of the `openai` package that say nothing of a request: where all end in them, the endpoint is down.
_OUTAGES = {"APIConnectionError", "APITimeoutError", "InternalServerError", "RateLimitError"}


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """A served model, and how politely it is asked. The key comes from OPENAI_API_KEY (OPENROUTER_API_KEY
    for openrouter.ai), in the environment or in `.env`."""

    model: str = option("", "name of the model at the endpoint")
    base_url: str = option(
        "", "URL of the endpoint (default: OPENAI_BASE_URL, also from .env; else OpenAI's)"
    )
    chat: bool = option(True, "ask through /chat/completions; with --no-endpoint.chat through /completions")
    concurrency: int = option(8, "requests under way at once")
    retries: int = option(6, "times a request is tried again after 408, 409, 429, 5xx or a broken connection")
    timeout: float = option(300.0, "seconds that one request may take")
    requests_per_minute: float = option(0.0, "most requests begun a minute (0: no limit of ours)")
    logprobs: bool = option(False, "ask for log-probabilities (not every endpoint gives them)")
    input_price: float = option(0.0, "price of a million prompt tokens, in any currency")
    output_price: float = option(0.0, "price of a million generated tokens, in the same currency")

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.retries < 0 or self.timeout <= 0:
            raise ConfigError(
                f"endpoint: concurrency {self.concurrency}, retries {self.retries}, timeout {self.timeout}; "
                "expected concurrency 1 or more, retries 0 or more, timeout above 0"
            )
        if min(self.requests_per_minute, self.input_price, self.output_price) < 0:
            raise ConfigError("endpoint: requests_per_minute, input_price and output_price are 0 or more")

    def identity(self) -> dict[str, object]:
        """Return what a reply depends on beside prompt and sampling. Raises ConfigError without a model.

        The URL is no part of it: where a model is served does not change what it says.
        """
        if not self.model:
            raise ConfigError("no model given; name the endpoint's model with --endpoint.model")
        return {"model": self.model, "chat": self.chat}

    def cost(self, prompt_tokens: int, tokens: int) -> float:
        """Return the price of that many tokens."""
        return (prompt_tokens * self.input_price + tokens * self.output_price) / 1e6


def from_environment(name: str) -> str:
    """Return a variable of the environment, or of `.env` in the working directory, or an empty text."""
    from dotenv import dotenv_values

    return os.environ.get(name) or dotenv_values(".env").get(name) or ""


class EndpointSampler:
    """Asks an endpoint, one request a sample, so that each sample has its own seed.

    A request that still fails after its retries is a reply with an error. Raises ConfigError where every
    request would fail (no or a wrong key, no such model) or all of several found the endpoint down.
    """

    def __init__(
        self,
        endpoint: EndpointSettings,
        sampling: SamplingSettings,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            import openai
        except ModuleNotFoundError as error:
            raise missing(error) from None
        self.model = str(endpoint.identity()["model"])
        self._endpoint, self._sampling = endpoint, sampling
        url = endpoint.base_url or from_environment(_URL) or _PUBLIC
        self._key = _key(url)
        self._client = openai.OpenAI(
            api_key=self._key, base_url=url, max_retries=endpoint.retries, timeout=endpoint.timeout
        )
        self._pace = Pace(endpoint.requests_per_minute, clock, sleep)

    def sample(self, requests: Sequence[SampleRequest]) -> Iterator[Reply]:
        """Yield every sample of every request as it comes in."""
        pairs = [(request, index) for request in requests for index in request.samples]
        down = 0
        with ThreadPoolExecutor(self._endpoint.concurrency) as pool:
            futures = [pool.submit(self._ask, request, index) for request, index in pairs]
            try:
                for future in as_completed(futures):
                    reply = future.result()
                    down += reply.error.partition(":")[0] in _OUTAGES
                    if 1 < down == len(pairs):
                        raise ConfigError(
                            f"the endpoint answered none of {down} requests ({reply.error}); check {_URL} and "
                            "--endpoint.base-url, then run the same command again to continue"
                        )
                    yield reply
            finally:
                for future in futures:
                    future.cancel()

    def _ask(self, request: SampleRequest, index: int) -> Reply:
        import openai

        self._pace.wait()
        try:
            if self._endpoint.chat:
                made = self._client.chat.completions.create(**self._chat(request, index))
            else:
                made = self._client.completions.create(**self._text(request, index))
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise ConfigError(
                f"the endpoint refuses model {self.model!r}: {self._redacted(error)}; "
                f"check --endpoint.model, {_URL} and {_KEY}"
            ) from None
        except openai.OpenAIError as error:
            return Reply(request.key, index, "", "error", error=self._redacted(error))
        if not getattr(made, "choices", None):  # a proxy's error under code 200, a page of a wrong URL
            said = getattr(made, "error", None) or made
            return Reply(request.key, index, "", "error", error=self._redacted(f"no choices: {said!r}"))
        return (_chat_reply if self._endpoint.chat else _text_reply)(request, index, made)

    def _chat(self, request: SampleRequest, index: int) -> dict[str, Any]:
        messages = [{"role": "user", "content": request.user}]
        if request.system:
            messages.insert(0, {"role": "system", "content": request.system})
        logprobs = {"logprobs": True} if self._endpoint.logprobs else {}
        return {"messages": messages, **logprobs, **self._common(request, index)}

    def _text(self, request: SampleRequest, index: int) -> dict[str, Any]:
        prompt = "\n\n".join(filter(None, (request.system, request.user)))
        logprobs = {"logprobs": 0} if self._endpoint.logprobs else {}
        return {"prompt": prompt, **logprobs, **self._common(request, index)}

    def _common(self, request: SampleRequest, index: int) -> dict[str, Any]:
        s = self._sampling
        # Beyond OpenAI's own parameters, but understood by most servers of open models.
        extra = {name: value for name, value in (("top_k", s.top_k), ("min_p", s.min_p)) if value}
        return {
            "model": self.model,
            "temperature": s.temperature,
            "top_p": s.top_p,
            "stop": list(s.stops(request)) or None,
            "max_tokens": request.max_tokens,
            "seed": request.seed + index,
            "extra_body": extra or None,
        }

    def _redacted(self, error: Exception | str) -> str:
        named = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        text = " ".join(named.split())
        return text.replace(self._key, "[key]")[:200]


class Pace:
    """Spaces the beginnings of requests evenly: at most so many a minute, by any number of threads."""

    def __init__(
        self,
        per_minute: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 60 / per_minute if per_minute else 0.0
        self._clock, self._sleep = clock, sleep
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when this request may begin."""
        if not self._gap:
            return
        with self._lock:
            now = self._clock()
            begin = max(now, self._next)
            self._next = begin + self._gap
        if begin > now:
            self._sleep(begin - now)


def _key(url: str) -> str:
    own = [name for host, name in _KEYS_OF.items() if urlsplit(url).hostname == host]
    key = next(filter(None, map(from_environment, [*own, _KEY])), "")
    if not key and url == _PUBLIC:
        raise ConfigError(f"no key for {url}; set {_KEY} in the environment or in .env, or give {_URL}")
    return key or "none"  # servers of one's own mostly want none, the package wants a text


def _chat_reply(request: SampleRequest, index: int, made: Any) -> Reply:
    choice = made.choices[0]
    logprob = None
    if choice.logprobs and choice.logprobs.content:
        logprob = sum(token.logprob for token in choice.logprobs.content)
    return _reply(request, index, choice.message.content or "", choice.finish_reason, made.usage, logprob)


def _text_reply(request: SampleRequest, index: int, made: Any) -> Reply:
    choice = made.choices[0]
    found = choice.logprobs.token_logprobs if choice.logprobs else None
    logprob = sum(value for value in found if value is not None) if found else None
    return _reply(request, index, choice.text or "", choice.finish_reason, made.usage, logprob)


def _reply(
    request: SampleRequest, index: int, text: str, reason: str | None, usage: Any, logprob: float | None
) -> Reply:
    return Reply(
        key=request.key,
        index=index,
        text=text,
        finish="length" if reason == "length" else "stop",
        tokens=usage.completion_tokens if usage else None,
        prompt_tokens=usage.prompt_tokens if usage else None,
        logprob=logprob,
    )
