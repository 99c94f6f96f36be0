"""The vLLM sampler on a tiny random model, on the CPU. One engine in one process serves all tests."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ktray.dsl.grammar import grammar
from ktray.dsl.parser import parse
from ktray.errors import ConfigError, EngineDeadError, ProgramError
from ktray.proposers.model import whole_lines
from ktray.samplers.engine import EngineSettings, VllmSampler
from ktray.samplers.identity import model_identity
from ktray.samplers.lmic import lmic_bits
from ktray.samplers.ports import Reply, SampleRequest, SamplingSettings, request_seed
from ktray.testing.models import make_tiny_model

CONTEXT = 512

_sampler: VllmSampler


def _load(folder: str) -> None:
    """Make the model and load it, in the process that hosts it."""
    global _sampler
    importlib.import_module("numba")  # as in a process that searches, too; vLLM stumbled over it
    make_tiny_model(Path(folder))
    settings = EngineSettings(model=folder, dtype="float32", max_model_len=CONTEXT)
    _sampler = VllmSampler(settings, SamplingSettings(temperature=1.0, top_p=1.0))


def _draw(
    requests: list[SampleRequest], sampling: SamplingSettings | None, held_to: str | None
) -> list[Reply]:
    drawing = _sampler.drawing(sampling or SamplingSettings(temperature=1.0, top_p=1.0), held_to)
    return sorted(drawing.sample(requests), key=lambda r: (r.key, r.index))


def _price(sequences: list[list[int]], form: str) -> list[float]:
    return lmic_bits(_sampler, [np.array(values, np.uint8) for values in sequences], form)


def _price_by_transformers(texts: list[str], free: str) -> list[float]:
    """Return the bits of texts after the first token, by another engine, without tokens made of `free`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(_sampler._engine.location)
    model = AutoModelForCausalLM.from_pretrained(_sampler._engine.location)
    prices = []
    for text in texts:
        ids = [tokenizer.bos_token_id, *tokenizer(text, add_special_tokens=False)["input_ids"]]
        with torch.no_grad():
            rated = torch.log2(torch.softmax(model(torch.tensor([ids])).logits[0].double(), -1))
        counted = [i for i in range(1, len(ids)) if set(tokenizer.decode([ids[i]])) - set(free)]
        prices.append(-sum(float(rated[i - 1, ids[i]]) for i in counted))
    return prices


def _break(error: Exception) -> str:
    """Let the engine fail in the middle of a call, and return what comes out."""
    generate, _sampler._llm.generate = _sampler._llm.generate, _raising(error)
    try:
        list(_sampler.sample([request()]))
    except (EngineDeadError, ValueError) as raised:
        return type(raised).__name__
    finally:
        _sampler._llm.generate = generate
    return "nothing"


def _raising(error: Exception) -> Callable[..., Any]:
    def generate(*args: object, **kwargs: object) -> None:
        raise error

    return generate


class Engine:
    """The engine's process, as the tests see it."""

    def __init__(self, pool: ProcessPoolExecutor, folder: Path) -> None:
        self.pool, self.folder = pool, folder

    def draw(
        self, *requests: SampleRequest, sampling: SamplingSettings | None = None, held_to: str | None = None
    ) -> list[Reply]:
        return self.pool.submit(_draw, list(requests), sampling, held_to).result()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_load, initargs=(str(folder),)) as pool:
        pool.submit(int).result()  # the pool starts its process, and so makes the model, when first asked
        yield Engine(pool, folder)


def request(
    key: str = "a", samples: range = range(4), tokens: int = 24, user: str = "[1, 2, 3]"
) -> SampleRequest:
    return SampleRequest(key, "You write programs.", f"{user} {key}", samples, request_seed(0, key), tokens)


def test_a_samples_seed_is_its_sequence_and_index(engine: Engine) -> None:
    whole = engine.draw(request("a", range(32)), request("b", range(32)))
    first = engine.draw(request("b", range(8)), request("a", range(8)))
    rest = engine.draw(request("a", range(8, 32)), request("b", range(8, 32)))
    again = sorted(first + rest, key=lambda r: (r.key, r.index))
    assert [(r.key, r.index, r.text) for r in again] == [(r.key, r.index, r.text) for r in whole]
    assert len({r.text for r in whole}) == 64


def test_tokens_and_log_probabilities_are_kept(engine: Engine) -> None:
    for reply in engine.draw(request(tokens=10)):
        assert reply.tokens is not None
        assert 1 <= reply.tokens <= 10
        assert reply.finish == ("length" if reply.tokens == 10 else "stop")
        assert reply.logprob is not None
        assert reply.logprob < 0
        assert reply.prompt_tokens is not None
        assert reply.prompt_tokens > 10


def test_more_samples_than_a_request_takes_are_split(engine: Engine) -> None:
    replies = engine.draw(request(samples=range(3, 603), tokens=2))
    assert [r.index for r in replies] == list(range(3, 603))
    assert engine.draw(request(samples=range(259, 263), tokens=2)) == replies[256:260]


def test_the_price_of_a_sequence_is_what_the_model_predicts(engine: Engine) -> None:
    sequences = [[1, 2, 3, 250], [7] * 20, [65, 66, 10, 200]]
    numbers = engine.pool.submit(_price, sequences, "numbers").result()
    listed = ["[1,2,3,250]", "[" + ",".join(["7"] * 20) + "]", "[65,66,10,200]"]
    assert numbers == pytest.approx(
        engine.pool.submit(_price_by_transformers, listed, "[], ").result(), rel=1e-4
    )
    text = engine.pool.submit(_price, sequences[2:], "text").result()
    assert text == pytest.approx(
        engine.pool.submit(_price_by_transformers, ["AB\n\xc8"], "").result(), rel=1e-4
    )


def test_a_sequence_beyond_the_context_is_refused(engine: Engine) -> None:
    with pytest.raises(ConfigError, match=f"the context has {CONTEXT}"):
        engine.pool.submit(_price, [[250] * CONTEXT], "numbers").result()


def test_a_prompt_that_does_not_fit_is_a_reply_with_an_error(engine: Engine) -> None:
    long, short = engine.draw(request("a", range(1), user="word " * CONTEXT), request("b", range(1)))
    assert long.finish == "error"
    assert f"context {CONTEXT}" in long.error
    assert short.error == ""


def test_a_temperature_of_zero_is_greedy(engine: Engine) -> None:
    replies = engine.draw(request(samples=range(3)), sampling=SamplingSettings(temperature=0.0))
    assert [r.index for r in replies] == [0, 1, 2]
    assert len({r.text for r in replies}) == 1


def test_a_reply_ends_where_a_stop_text_would_come(engine: Engine) -> None:
    free = engine.draw(request(tokens=40))
    letter = next(c for c in free[0].text[5:] if c.isascii() and c.isalpha())
    sampling = SamplingSettings(temperature=1.0, top_p=1.0, stop=(letter,))
    cut = engine.draw(request(tokens=40), sampling=sampling)
    assert cut[0].text == free[0].text.split(letter, 1)[0]
    assert cut[0].finish == "stop"


def test_every_sample_held_to_the_grammar_parses(engine: Engine) -> None:
    requests = [request(key, range(6), 200) for key in "abcd"]
    replies = engine.draw(*requests, held_to=grammar(6))
    texts = [r.text if r.finish == "stop" else whole_lines(r.text) for r in replies]
    assert sum(r.finish == "stop" for r in replies) >= 4
    assert len(set(texts)) > 16
    for text in texts:
        parse(text)


def test_samples_that_are_free_do_not_parse(engine: Engine) -> None:
    with pytest.raises(ProgramError):
        parse(engine.draw(request())[0].text)


def test_a_failing_step_is_the_death_of_the_engine(engine: Engine) -> None:
    assert engine.pool.submit(_break, RuntimeError("a kernel failed")).result() == "EngineDeadError"
    assert engine.pool.submit(_break, ValueError("a request was refused")).result() == "ValueError"
    assert engine.draw(request())[0].error == ""


def test_a_models_identity_is_its_content(engine: Engine, tmp_path: Path) -> None:
    name, _, digest = model_identity(str(engine.folder)).partition("@")
    assert name == "tiny"
    moved = tmp_path / "tiny"
    moved.mkdir()
    for file in engine.folder.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    (moved / "README.md").write_text("what the model is good for")
    assert model_identity(str(moved)) == f"tiny@{digest}"
    weights = bytearray((moved / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (moved / "model.safetensors").write_bytes(weights)
    assert model_identity(str(moved)) != f"tiny@{digest}"
    assert model_identity("org/model", "v2") == "org/model@v2"


def test_a_folder_that_holds_no_model_is_the_users_to_mend(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be loaded"):
        engine.pool.submit(VllmSampler, EngineSettings(model=str(tmp_path)), SamplingSettings()).result()


@pytest.mark.parametrize("model", ["", "/nowhere/model", "./model"])
def test_a_model_that_is_not_there_is_the_users_to_mend(model: str) -> None:
    with pytest.raises(ConfigError, match=r"--engine.model|does not exist"):
        VllmSampler(EngineSettings(model=model), SamplingSettings())


@pytest.mark.parametrize(
    "bad",
    [
        {"chat": "maybe"},
        {"executor": "slurm"},
        {"tensor_parallel": 0},
        {"gpu_memory": 1.5},
        {"replicas": -1},
        {"cpus": 0.0},
    ],
)
def test_impossible_engine_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        EngineSettings(model="m", **bad)


@pytest.mark.parametrize("bad", [{"temperature": -1.0}, {"top_p": 0.0}, {"top_k": -1}, {"min_p": 2.0}])
def test_impossible_sampling_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        SamplingSettings(**bad)


def test_a_model_of_ours_is_given_the_context_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "seqcoder.json").write_text('{"form": "sketch", "context": 512}')
    assert EngineSettings(str(tmp_path)).fitting().max_model_len == 512
    assert EngineSettings(str(tmp_path), max_model_len=64).fitting().max_model_len == 64
    assert EngineSettings("someone/else").fitting().max_model_len == EngineSettings().max_model_len
