"""What several commands share: lists in options, questions, samplers, the files of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from actors.invert import PoolSettings, RaySampler
from actors.runtime import running
from ktray.config import option
from ktray.errors import ConfigError, RunDirectoryError
from ktray.inversion.algorithms import algorithm
from ktray.inversion.datasets.files import read_items
from ktray.inversion.formats import supports
from ktray.inversion.inference import InferenceResult, infer
from ktray.inversion.ports import Sampler, SamplingSettings
from ktray.inversion.prompting import Question, build_prompts
from ktray.inversion.records import ReplyLog, read_prompts, read_replies
from ktray.inversion.sampling import LazySampler, OracleRates, SamplerSpec
from ktray.inversion.scoring import ScoredReply, score_file, score_replies
from ktray.inversion.tasks import Item, Prompt, Task, task
from ktray.inversion.templates import load_templates
from ktray.job import console
from ktray.progress import progress
from ktray.samplers.endpoint import EndpointSettings
from ktray.samplers.engine import EngineSettings

#: The published way to ask: four algorithms, four tasks.
ALGORITHMS = "lzw,ae,rle,huffman"
TASKS = ",".join(Task)


@dataclass(frozen=True)
class AskingConfig:
    """Which questions to ask about which inputs: what `prompts` and `grid` share."""

    inputs: Path | None = option(None, "inputs file: ours, or a published one")
    limit: int | None = option(None, "only the first so many inputs")
    algorithms: str = option(ALGORITHMS, "comma-separated algorithms")
    tasks: str = option(TASKS, "comma-separated tasks")
    blinding: str | int = option("0", "comma-separated blinding levels, 0 to 3")
    formats: str = option("list", "comma-separated output formats")
    shots: int = option(0, "solved examples in a prompt, taken out of the inputs")
    templates: Path | None = option(None, "folder of template files that replace ours")
    seed: int = option(0, "seed of drawn inputs and examples (and of intervals)")

    def prompts(self, items: Sequence[Item]) -> list[Prompt]:
        """Return every question about every item that is not an example."""
        examples, asked = split_examples(items, self.shots, self.seed)
        ways = questions(
            algorithm_names(self.algorithms),
            some_words(self.tasks, "tasks"),
            numbers(self.blinding, "blinding"),
            some_words(self.formats, "formats"),
            examples,
        )
        return list(build_prompts(asked, ways, load_templates(self.templates)))


@dataclass(frozen=True)
class SamplerConfig:
    """Which sampler answers, how it draws, and on how many actors."""

    name: str = option("oracle", "sampler: oracle (scripted), vllm, openai (any compatible endpoint)")
    fallback: str | None = option(None, "sampler that takes over where the first one fails")
    temperature: float = option(0.2, "temperature (0: greedy)")
    top_p: float = option(0.95, "nucleus share")
    max_tokens: int = option(16_384, "longest reply in tokens")
    seed: int = option(42, "seed of all samples")
    stop: str | None = option("[/ANSWER]", "string that ends a reply (null: none)")
    workers: int = option(0, "Ray actors that sample (0: in this process, without Ray)")
    cpus: float = option(1.0, "CPUs of an actor")
    gpus: float = option(0.0, "GPUs of an actor")
    batch: int = option(64, "prompts given to the sampler at once")
    engine: EngineSettings = option(EngineSettings(), "the vLLM engine")
    endpoint: EndpointSettings = option(EndpointSettings(), "the endpoint; its key is OPENAI_API_KEY")
    oracle: OracleRates = option(OracleRates(), "the oracle's planted errors")

    def prompts_at_once(self, prompts: int) -> int:
        """Return how many prompts a sampler is given: actors get them all, and cut them into chunks."""
        return max(1, prompts if self.workers > 0 else self.batch)

    def settings(self) -> SamplingSettings:
        """Return how replies are drawn."""
        stop = (self.stop,) if self.stop else ()
        return SamplingSettings(self.temperature, self.top_p, self.max_tokens, self.seed, stop)

    def specs(self) -> list[SamplerSpec]:
        """Return the samplers to try in order."""
        names = [self.name, *([self.fallback] if self.fallback else [])]
        parts = (self.settings(), self.engine, self.endpoint, self.oracle)
        return [SamplerSpec(name, *parts) for name in names]


@contextlib.contextmanager
def samplers(config: SamplerConfig) -> Iterator[list[Sampler]]:
    """Yield the samplers to try in order, on Ray where workers are asked for."""
    specs = config.specs()
    here: list[Sampler] = [LazySampler(spec) for spec in specs]
    if config.workers < 1:
        yield here
        return
    with running():
        pool = PoolSettings(config.workers, config.cpus, config.gpus, max(1, config.batch // config.workers))
        pools = [RaySampler(spec, pool) for spec in specs]
        try:
            yield list(pools)
        finally:
            for each in pools:
                each.close()


def complete(
    prompts: Sequence[Prompt],
    n: int,
    found: Sequence[Sampler],
    config: SamplerConfig,
    path: Path,
    label: str = "sampling",
) -> InferenceResult:
    """Complete a reply log to n samples of every prompt, with a progress line, and tell what failed."""
    with ReplyLog(path) as log, progress(console, label, len(prompts) * n, "replies") as advance:
        refuse_others(log, config.specs())
        batch = config.prompts_at_once(len(prompts))
        done = infer(prompts, n, found, config.settings(), log, batch, lambda k: advance(k, ""))
    if done.failed:
        console.print(f"{done.failed} samples failed and are tried again by the next run: {done.reason}")
    return done


def refuse_others(log: ReplyLog, specs: Sequence[SamplerSpec]) -> None:
    """Raise RunDirectoryError where a log holds answers of a model that is none of the samplers'."""
    if not log.models:
        return
    names = [spec.answers_as() for spec in specs]
    if others := log.models - set(names):
        raise RunDirectoryError(
            f"{log.path} holds replies of {', '.join(sorted(others))}, not of {' or '.join(names)}; "
            "give another run directory or log"
        )


def words(text: str | float) -> list[str]:
    """Return the comma-separated words of an option (a lone number in YAML is a number, not a text)."""
    return [word.strip() for word in str(text).split(",") if word.strip()]


def algorithm_names(text: str) -> list[str]:
    """Return the algorithms an option names. Raises InversionError for an unknown one, ConfigError for none."""
    return [algorithm(name).name for name in some_words(text, "algorithms")]


def some_words(text: str | float, option_name: str) -> list[str]:
    """Return the comma-separated words of an option. Raises ConfigError where there are none."""
    found = words(text)
    if not found:
        raise ConfigError(f"--{option_name} is {text!r}; name one or more, separated by commas")
    return found


def numbers(text: str | int, option_name: str) -> list[int]:
    """Return the whole numbers of an option. Raises ConfigError for anything else."""
    try:
        return [int(word) for word in some_words(text, option_name)]
    except ValueError:
        raise ConfigError(
            f"--{option_name} is {text!r}; expected whole numbers, separated by commas"
        ) from None


def required(path: Path | None, option_name: str, what: str) -> Path:
    """Return a path that must be given. Raises ConfigError where it is not."""
    if path is None:
        raise ConfigError(f"no {what} given; name one with --{option_name}")
    return path


def limited_items(path: Path, limit: int | None) -> list[Item]:
    """Return the items of a file, or its first `limit`."""
    items = read_items(path)
    return items[:limit] if limit else items


def questions(
    algorithm_list: Sequence[str],
    tasks: Sequence[str],
    blindings: Sequence[int],
    format_names: Sequence[str],
    examples: tuple[Item, ...] = (),
) -> list[Question]:
    """Return every way to ask: a format that cannot hold an algorithm's code is left out for it."""
    for name in format_names:
        supports(name, algorithm(algorithm_list[0]).kind)
    return [
        Question(name, task(t), blinding, f, examples)
        for name in algorithm_list
        for t in tasks
        for blinding in blindings
        for f in format_names
        if supports(f, algorithm(name).kind)
    ]


def split_examples(items: Sequence[Item], shots: int, seed: int) -> tuple[tuple[Item, ...], list[Item]]:
    """Return (examples, the rest): `shots` of the shortest third of the inputs, drawn with the seed.

    Raises ConfigError where there are too few.
    """
    if shots < 0:
        raise ConfigError(f"--shots is {shots}, expected 0 or more")
    if shots == 0:
        return (), list(items)
    short = sorted(items, key=lambda i: (len(i.text), i.text))[: max(shots, len(items) // 3)]
    if shots >= len(items):
        raise ConfigError(f"--shots is {shots}, but there are only {len(items)} inputs")
    chosen = tuple(Random(seed).sample(short, shots))
    return chosen, [i for i in items if i not in chosen]


def scores_of(replies: Path, prompts: Path | None) -> Iterator[ScoredReply]:
    """Yield the scores of external replies, or of a reply log where its prompts are given."""
    if prompts is None:
        return score_file(replies)
    return score_replies(read_prompts(prompts), read_replies(replies))


def prompts_of(path: Path) -> list[Prompt]:
    """Return the prompts of a file. Raises ConfigError where it holds none."""
    found = list(read_prompts(path))
    if not found:
        raise ConfigError(f"{path} holds no prompts; make some with `invert prompts`")
    return found
