"""The endpoint sampler against a scripted server on the loopback interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ktray.errors import ConfigError
from ktray.samplers.endpoint import EndpointSampler, EndpointSettings, Pace
from ktray.samplers.ports import Reply, SampleRequest, SamplingSettings
from ktray.testing.endpoint import Failure, ScriptedEndpoint

KEY = "sk-scripted-0123456789"
SOON = {"Retry-After": "0.01"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def request(key: str = "a", samples: range = range(4), stop: tuple[str, ...] = ()) -> SampleRequest:
    return SampleRequest(key, "system", f"prompt {key}", samples, 100, 32, stop)


def ask(server: ScriptedEndpoint, *requests: SampleRequest, **settings: object) -> list[Reply]:
    endpoint = EndpointSettings(model="m", base_url=server.url, **settings)  # type: ignore[arg-type]
    sampler = EndpointSampler(endpoint, SamplingSettings(temperature=0.5))
    return sorted(sampler.sample(requests), key=lambda r: (r.key, r.index))


def echo(prompt: str, seed: int) -> str:
    return f"{prompt.splitlines()[-1]} {seed}"


@pytest.fixture
def server() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(echo, key=KEY) as running:
        yield running


def test_every_sample_has_its_own_seed(server: ScriptedEndpoint) -> None:
    replies = ask(server, request("a"), request("b", range(2)))
    assert [r.text for r in replies] == [f"prompt a {100 + i}" for i in range(4)] + [
        "prompt b 100",
        "prompt b 101",
    ]
    assert all(r.finish == "stop" and r.tokens == 3 and r.prompt_tokens == 3 for r in replies)
    assert {r["temperature"] for r in server.requests} == {0.5}


def test_extending_gives_the_samples_that_asking_at_once_gives(server: ScriptedEndpoint) -> None:
    together = ask(server, request(samples=range(32)))
    assert ask(server, request(samples=range(8))) + ask(server, request(samples=range(8, 32))) == together


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_request_is_tried_again(status: int) -> None:
    with ScriptedEndpoint(echo, [Failure(status, SOON)] * 3) as server:
        replies = ask(server, request(samples=range(2)), retries=5)
        assert [r.error for r in replies] == ["", ""]
        assert len(server.requests) == 5


def test_a_request_that_never_succeeds_is_a_reply_with_an_error() -> None:
    with ScriptedEndpoint(echo, [Failure(500, SOON)] * 2) as server:
        first, second = ask(server, request(samples=range(2)), retries=1, concurrency=1)
    assert first.finish == "error"
    assert "500" in first.error
    assert first.text == ""
    assert second.finish == "stop"


def test_a_request_that_the_server_calls_bad_is_not_tried_again() -> None:
    with ScriptedEndpoint(echo, [Failure(400)]) as server:
        (reply,) = ask(server, request(samples=range(1)))
        assert reply.finish == "error"
        assert len(server.requests) == 1


def test_an_endpoint_that_answers_nothing_is_the_users_to_mend() -> None:
    with ScriptedEndpoint(echo, [Failure(503, SOON)] * 4) as server:
        with pytest.raises(ConfigError, match="answered none of 4 requests"):
            ask(server, request(), retries=0)
        assert len(ask(server, request(), retries=0)) == 4


def test_an_answer_without_choices_is_a_reply_with_an_error() -> None:
    with ScriptedEndpoint(echo, [Failure(200)]) as server:
        first, second = ask(server, request(samples=range(2)), concurrency=1)
    assert (first.finish, second.finish) == ("error", "stop")
    assert "no choices" in first.error
    assert "scripted failure" in first.error


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_would_fail_for_every_request_is_the_users_to_mend(status: int) -> None:
    with ScriptedEndpoint(echo, [Failure(status)] * 4) as server, pytest.raises(ConfigError, match="check"):
        ask(server, request())


def test_a_refusal_does_not_tell_the_key(server: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-the-right-one")
    with pytest.raises(ConfigError) as caught:
        ask(server, request())
    assert "sk-not" not in str(caught.value)
    assert "[key]" in str(caught.value)


def test_no_more_requests_at_once_than_allowed() -> None:
    with ScriptedEndpoint(echo) as server:
        assert len(ask(server, request(samples=range(60)), concurrency=3)) == 60
        assert server.most_at_once <= 3


def test_key_and_url_come_from_the_env_file(
    server: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\nOPENAI_BASE_URL={server.url}\n")
    sampler = EndpointSampler(EndpointSettings(model="m"), SamplingSettings())
    assert len(list(sampler.sample([request()]))) == 4


def test_without_a_key_the_public_endpoint_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        EndpointSampler(EndpointSettings(model="m"), SamplingSettings())


def test_plain_completions_and_log_probabilities() -> None:
    with ScriptedEndpoint(echo) as server:
        (plain,) = ask(server, request(samples=range(1)), chat=False)
        assert plain.text == "prompt a 100"
        (chat,) = ask(server, request(samples=range(1)), logprobs=True)
        assert chat.logprob == pytest.approx(-1.5)


def test_the_prompts_stop_gives_way_to_the_settings(server: ScriptedEndpoint) -> None:
    ask(server, request(samples=range(1), stop=("###",)))
    assert server.requests[-1]["stop"] == ["###"]
    endpoint = EndpointSettings(model="m", base_url=server.url)
    list(EndpointSampler(endpoint, SamplingSettings(stop=("END",))).sample([request(stop=("###",))]))
    assert server.requests[-1]["stop"] == ["END"]


def test_a_pace_spaces_requests_evenly() -> None:
    now, slept = 10.0, list[float]()
    pace = Pace(120, lambda: now, slept.append)
    for _ in range(4):
        pace.wait()
    assert slept == [0.5, 1.0, 1.5]
    now = 20.0
    pace.wait()
    assert len(slept) == 3


@pytest.mark.parametrize("bad", [{"concurrency": 0}, {"retries": -1}, {"timeout": 0}, {"input_price": -1}])
def test_impossible_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="endpoint"):
        EndpointSettings(model="m", **bad)  # type: ignore[arg-type]


def test_cost_is_by_the_million() -> None:
    settings = EndpointSettings(model="m", input_price=2.0, output_price=10.0)
    assert settings.cost(1_000_000, 100_000) == pytest.approx(3.0)
