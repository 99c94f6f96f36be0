"""Turn traces into reasoning in words: by rule, or by a model whose final answer must verify.

    python -m jobs.invert translate --traces traces.parquet --out translations.jsonl
    python -m jobs.invert translate --traces traces.parquet --out t.jsonl --translator model \\
        --sampler.name vllm --sampler.engine.model Qwen/Qwen3-32B --log replies.jsonl
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jobs.invert.shared import SamplerConfig, complete, required, samplers
from ktray.commit import committed
from ktray.config import option
from ktray.errors import ConfigError
from ktray.inversion.records import read_replies
from ktray.inversion.templates import load_templates
from ktray.inversion.tracefiles import read_traces
from ktray.inversion.traces import Trace
from ktray.inversion.translation import Translation, translate, translation_prompts, verified_translations
from ktray.job import console, launch


@dataclass(frozen=True)
class Config:
    """Which traces, and who translates."""

    traces: Path | None = option(None, "Parquet file of traces")
    out: Path | None = option(None, "translations file to write (JSON lines)")
    translator: str = option("template", "template (rules, no model) or model")
    log: Path | None = option(None, "model: reply log, which resumes (default: OUT.replies.jsonl)")
    n: int = option(1, "model: samples a trace")
    templates: Path | None = option(None, "folder of template files that replace ours")
    sampler: SamplerConfig = option(SamplerConfig(), "model: the sampler")
    json: bool = option(False, "print the metrics as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Write the translations and return how many were kept."""
    out = required(config.out, "out", "translations file")
    traces = [t for t in read_traces(required(config.traces, "traces", "traces file")) if t.correct]
    if config.translator == "template":
        kept, tried = _write(out, map(translate, traces)), len(traces)
    elif config.translator == "model":
        kept, tried = _by_model(config, traces, out)
    else:
        raise ConfigError(f"--translator is {config.translator!r}; expected template or model")
    console.print(f"{kept} of {tried} translations kept in {out}")
    return {"traces": len(traces), "translations": tried, "kept": kept, "out": str(out)}


def _by_model(config: Config, traces: Sequence[Trace], out: Path) -> tuple[int, int]:
    path = config.log or out.with_suffix(".replies.jsonl")
    asked = list(translation_prompts(traces, load_templates(config.templates)))
    with samplers(config.sampler) as found:
        complete(asked, config.n, found, config.sampler, path, "translating")
    return _write(out, verified_translations(asked, read_replies(path))), len(asked) * config.n


def _write(path: Path, translations: Iterable[Translation]) -> int:
    count = 0
    with committed(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for translation in translations:
            stream.write(json.dumps(asdict(translation), ensure_ascii=False) + "\n")
            count += 1
    return count


def main(argv: Sequence[str]) -> int:
    """Run the command."""
    return launch(Config, run, prog="jobs.invert translate", description=__doc__ or "", argv=argv)
