"""Compress a corpus: search programs for its sequences on Ray, keep the shortest, write a `.kt` archive.

    python -m jobs.compress --corpus enwik9
    python -m jobs.compress --corpus file --input data.bin --out data.kt
    python -m jobs.compress --config configs/compress/smoke.yaml

The same command continues a run that was stopped; another prior or a larger n reuses its candidate log.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import ktray.archive.blocks
import ktray.priors
import ktray.solve
from actors.encode import EncodePlan, read_report
from actors.pilot import pilot_shards
from actors.pipeline import blocks_without_programs, encode_blocks, missing_shards, propose_and_verify
from actors.runtime import running
from jobs.reading import AUTO, CorpusConfig
from ktray.archive import ArchiveWriter, EncodedBlock
from ktray.blockstore import Manifest, block_path, read_block
from ktray.candidatelog import Shard, shards_of
from ktray.commit import refuse_same
from ktray.config import option, to_yaml
from ktray.corpora.blocks import Corpus
from ktray.dsl.ops import find_dialect
from ktray.errors import ConfigError
from ktray.job import console, launch
from ktray.kernels import source_stamp
from ktray.ledger import precision_joint
from ktray.metrics import compress_metrics
from ktray.models import DEFAULT_MODEL
from ktray.priors import make_prior
from ktray.priors.adaptive.counts import SHIPPED_COUNTS
from ktray.progress import progress
from ktray.proposers import check_names
from ktray.proposers.model import PromptSettings
from ktray.proposers.search import SearchSettings
from ktray.proposers.spec import MODELS, ProposerSpec, settings_hash
from ktray.report.summaries import compress_summary
from ktray.rundir import RunDirectory, write_json
from ktray.samplers.endpoint import EndpointSettings
from ktray.samplers.engine import EngineSettings
from ktray.samplers.ports import SamplingSettings
from ktray.sandbox import SandboxLimits, check_isolation
from ktray.solve import SETTLED, BlockReport


@dataclass(frozen=True)
class Config(CorpusConfig):
    """Everything that can be set; only `corpus` has no default."""

    out: Path | None = option(None, "archive to write (default: NAME.kt in this folder)")
    run: Path | None = option(None, "run directory (default: runs/compress-CORPUS-FINGERPRINT)")
    prior: str = option("adaptive", "prior that prices and codes programs: raw, gzip, uniform, adaptive")
    literals: str = option("default", "literal model of prior adaptive: uniform, order0, fast, default, max")
    proposers: str = option(
        "literal,search", "comma-separated proposers: literal, search, vllm, openai, replay"
    )
    dialect: str = option(
        "dsl", "dialect of DSL programs: dsl, the published one; dsl2 adds operations and a search for them"
    )
    replay: Path | None = option(
        None, "candidates for the replay proposer: JSONL (plain or .gz) or a candidate log"
    )
    n: int = option(1, "samples a sequence of proposers that sample")
    workers: int = option(0, "workers a stage (0: one a CPU of the cluster)")
    search: SearchSettings = option(SearchSettings(), "the symbolic searcher")
    pilot: int = option(
        4,
        "shards of a block that are searched first, under prior adaptive; the others only where programs pay "
        "beside literals in context (0: all at once; never for corpora with sequences of their own)",
    )
    engine: EngineSettings = option(EngineSettings(DEFAULT_MODEL), "the model of the vllm proposer")
    endpoint: EndpointSettings = option(EndpointSettings(), "the model of the openai proposer")
    sampling: SamplingSettings = option(SamplingSettings(), "how models sample")
    prompt: PromptSettings = option(PromptSettings(), "what models are asked")
    sandbox: SandboxLimits = option(SandboxLimits(), "limits of Python programs")
    json: bool = option(False, "print metrics.json's content as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Compress, and return the metrics (also written to the run directory)."""
    started = time.monotonic()
    _check(config)
    specs = proposer_specs(config)
    corpus = config.open()
    _check_output(config)
    fingerprint = config.fingerprint(corpus)
    directory = RunDirectory(run_path(config, fingerprint), fingerprint)
    folders = claim_proposers(directory, specs)
    claim_limits(directory, specs, config.sandbox)
    directory.save_config(to_yaml(config), config.seed)
    manifest = config.store(corpus, directory.path / "blocks")
    with running(config.workers) as cpus:
        workers = config.workers or cpus
        piloted: set[tuple[str, int]] = set()
        for spec in specs:
            plan = plan_of(config, [spec], folders, directory)
            piloted |= _propose(config, spec, plan, manifest, workers)
        plan = plan_of(config, specs, folders, directory, frozenset(piloted))
        _encode(plan, manifest, workers)
    reports = [
        BlockReport.from_json(read_report(plan.encoded_path(i))) for i in range(len(manifest.sequences))
    ]
    size = _assemble(config, corpus, manifest, plan)
    joint = precision_joint(_solutions(plan, len(manifest.sequences)))
    metrics = compress_metrics(config.corpus, reports, size, joint, time.monotonic() - started)
    metrics |= {
        "archive_path": str(archive_path(config)),
        "run": str(directory.path),
        "sha256": manifest.sha256,
        "left_by_pilot": len(piloted),
    }
    directory.save_metrics(metrics)
    _tidy(plan)
    if not config.json:
        console.print(compress_summary(metrics))
    return metrics


def _check(config: Config) -> None:
    config.require(n=1, chunk=1, shard=1, workers=0, pilot=0)
    find_dialect(config.dialect)
    make_prior(config.prior, **prior_settings(config))
    check_isolation(config.sandbox)


def proposer_specs(config: Config) -> list[ProposerSpec]:
    """Return the proposers to run; the literal is implied and needs none. Raises ConfigError for unknown ones."""
    given = [name.strip() for name in config.proposers.split(",") if name.strip()]
    names = check_names([*given, "dsl2"] if config.dialect == "dsl2" else given)
    if "dsl2" in names and config.dialect != "dsl2":
        raise ConfigError("proposer dsl2 writes programs of the second dialect; it needs --dialect dsl2")
    return [_spec(config, name) for name in names if name != "literal"]


def _spec(config: Config, name: str) -> ProposerSpec:
    return ProposerSpec(
        name=name,
        samples=config.n,
        search=replace(config.search, prior=config.search.prior or config.prior),
        replay=str(config.replay or ""),
        engine=config.engine,
        endpoint=config.endpoint,
        sampling=config.sampling,
        prompt=config.prompt,
    ).placed()


def run_path(config: Config, fingerprint: dict[str, Any]) -> Path:
    """Return the run directory: the one given, or one named by the fingerprint."""
    return config.run or Path("runs") / f"compress-{config.corpus}-{settings_hash(fingerprint)}"


def claim_proposers(directory: RunDirectory, specs: Sequence[ProposerSpec]) -> dict[str, str]:
    """Return the log folder of each proposer. A directory holds one setting of each proposer: another one
    is another run, and is refused."""
    settings = {spec.name: spec.settings() for spec in specs}
    # The searcher follows the prior, and another prior may be tried in the same directory.
    kept = {name: {k: v for k, v in value.items() if k != "prices"} for name, value in settings.items()}
    directory.claim({f"proposer {name}": value for name, value in kept.items()})
    folders = {name: f"{name}-{settings_hash(value)}" for name, value in settings.items()}
    for name, folder in folders.items():
        write_json(directory.path / "log" / folder / "settings.json", {"proposer": name, **settings[name]})
    return folders


def claim_limits(directory: RunDirectory, specs: Sequence[ProposerSpec], limits: SandboxLimits) -> None:
    """Note the limits that verdicts on Python programs are found under; other limits are another run's."""
    if any(spec.name in (*MODELS, "replay") for spec in specs):
        directory.claim({"sandbox": asdict(limits)})


def archive_path(config: Config) -> Path:
    """Return where the archive goes."""
    return config.out or Path(f"{config.input.name if config.input else config.corpus}.kt")


def _check_output(config: Config) -> None:
    """Refuse an archive that could not be written at the end; the run directory may still have to be made."""
    path = archive_path(config)
    if config.input:
        refuse_same(path, config.input, "the input")
    if config.run and path.resolve().parent == config.run.resolve():
        return
    if path.is_dir():
        raise ConfigError(f"--out {path} is a folder; give a file name")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise ConfigError(f"--out {path}: its folder does not exist; make it, or choose another")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(f"--out {path}: {error.strerror}; choose a folder that can be written to") from None


def _propose(
    config: Config, spec: ProposerSpec, plan: EncodePlan, manifest: Manifest, workers: int
) -> set[tuple[str, int]]:
    """Let a proposer do what is missing; return the folders and blocks that it left after a pilot."""
    ((folder, samples),) = plan.logs
    log = Path(plan.log)
    cut = {b: shards_of(b, count, config.shard) for b, count in enumerate(manifest.sequences)}
    left: set[int] = set()
    if _pilots(config, spec):
        first = {b: pilot_shards(shards, config.pilot) for b, shards in cut.items()}
        asked = [b for b in cut if missing_shards(log, folder, cut[b], samples) and first[b] != cut[b]]
        _search(config, spec, plan, [s for b in asked for s in first[b]], f"{spec.name}, a pilot", workers)
        left = blocks_without_programs(plan, asked, config.pilot, workers=workers)
        if left:
            console.print(
                f"{spec.name}: programs do not pay in {len(left)} of {len(cut)} blocks; they are left"
            )
    _search(config, spec, plan, [s for b in cut if b not in left for s in cut[b]], spec.name, workers)
    return {(folder, block) for block in left}


def _pilots(config: Config, spec: ProposerSpec) -> bool:
    """Whether a few shards are searched first: where literals may be cheaper than any program, which is so
    under `adaptive`, and not where sequences are the corpus's own or were found as programs."""
    own = config.corpus in ("sequences", "synthetic") or config.chunk == AUTO
    return config.pilot > 0 and spec.name in SETTLED and config.prior == "adaptive" and not own


def _search(
    config: Config, spec: ProposerSpec, plan: EncodePlan, shards: Sequence[Shard], title: str, workers: int
) -> None:
    """Propose and verify what is missing of shards."""
    ((folder, samples),) = plan.logs
    todo = missing_shards(Path(plan.log), folder, shards, samples)
    solved = total = 0
    with progress(console, title, sum(len(s) for s, _ in todo), "sequences") as advance:

        def note(row: dict[str, Any]) -> None:
            nonlocal solved, total
            solved, total = solved + row["correct"], total + row["sequences"]
            advance(row["sequences"], f"{solved / total:.1%} correct")

        propose_and_verify(
            spec,
            folder,
            todo,
            blocks=plan.blocks,
            log=Path(plan.log),
            limits=config.sandbox,
            workers=workers,
            progress=note,
        )


def plan_of(
    config: Config,
    specs: Sequence[ProposerSpec],
    folders: dict[str, str],
    directory: RunDirectory,
    piloted: frozenset[tuple[str, int]] = frozenset(),
) -> EncodePlan:
    """Return how blocks are encoded from the logs of `specs`."""
    logs = tuple((folders[spec.name], spec.samples) for spec in specs)
    depends = {"prior": config.prior, **prior_settings(config), "logs": logs, "coder": coder_stamp()}
    key = settings_hash(depends | ({"piloted": sorted(piloted)} if piloted else {}))
    path = directory.path.resolve()
    return EncodePlan(
        blocks=str(path / "blocks"),
        log=str(path / "log"),
        out=str(path / f"encoded-{config.prior}-{key}"),
        logs=logs,
        shard=config.shard,
        prior=config.prior,
        prior_settings=prior_settings(config),
        piloted=piloted,
    )


def coder_stamp() -> str:
    """Return a digest of everything that decides what an encoded block holds: blocks that one version of ktray
    left in a run are no part of what another version goes on with."""
    digest = hashlib.blake2b(SHIPPED_COUNTS.read_bytes(), digest_size=8)
    for module in (ktray.archive.blocks, ktray.priors, ktray.solve):
        digest.update(source_stamp(Path(str(module.__file__))).encode())
    return digest.hexdigest()


def _encode(plan: EncodePlan, manifest: Manifest, workers: int) -> None:
    """Encode the blocks that are missing."""
    todo = [i for i in range(len(manifest.sequences)) if not plan.encoded_path(i).exists()]
    stored = inputs = 0
    with progress(console, "encoding", len(todo), "blocks") as advance:

        def note(row: dict[str, Any]) -> None:
            nonlocal stored, inputs
            stored, inputs = stored + row["stored_bits"], inputs + row["input_bits"]
            advance(1, f"rate {stored / max(1, inputs):.4f}")

        encode_blocks(plan, todo, workers=workers, progress=note)


def prior_settings(config: Config) -> dict[str, Any]:
    """Return the settings a prior is made with: what the decoder must know too."""
    if config.prior == "uniform" and config.dialect != "dsl":
        return {"dialect": config.dialect}
    return {"literals": config.literals} if config.prior == "adaptive" else {}


def _assemble(config: Config, corpus: Corpus, manifest: Manifest, plan: EncodePlan) -> int:
    """Write the archive from the encoded blocks, one in memory at a time; return its bytes on disk."""
    path = archive_path(config)
    settings = {"corpus": config.corpus, "prior": config.prior, **prior_settings(config)}
    if config.dialect != "dsl":
        settings |= {"dialect": config.dialect, "prior_settings": prior_settings(config)}
    with ArchiveWriter(path, settings) as writer:
        for number in range(len(manifest.sequences)):
            writer.add_block(EncodedBlock.from_bytes(plan.encoded_path(number).read_bytes()))
    return path.stat().st_size


def _solutions(plan: EncodePlan, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield each correct program that was chosen, with its sequence."""
    for number in range(count):
        solutions = pq.read_table(plan.encoded_path(number).with_suffix(".solutions.parquet"))
        if not solutions.num_rows:
            continue
        block = read_block(block_path(Path(plan.blocks), number))
        starts = block.lengths.cumsum() - block.lengths
        for i, text in zip(solutions["sequence"].to_pylist(), solutions["program"].to_pylist(), strict=True):
            yield text, block.values[starts[i] : starts[i] + block.lengths[i]].tobytes()


def _tidy(plan: EncodePlan) -> None:
    """Remove the encoded blocks: the archive holds the same bytes. Log, solutions and reports stay."""
    for path in Path(plan.out).glob("*.block"):
        path.unlink()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line and return its exit code."""
    return launch(Config, run, prog="python -m jobs.compress", description=__doc__ or "", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
