"""Run directories: one run's config, versions, logs and metrics. Files appear whole or not at all.

The fingerprint tells whose directory it is. What it holds may gain keys (another proposer) but a key that
is there never changes its value.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import ktray
from ktray.commit import committed
from ktray.errors import RunDirectoryError

_VERSIONED = ("numpy", "numba", "pyarrow", "ray", "constriction", "torch", "transformers")


def write_json(path: Path, data: Any) -> None:
    """Write `data` as indented JSON, whole or not at all."""
    with committed(path) as temporary:
        temporary.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")


class RunDirectory:
    """An open run directory. Raises RunDirectoryError where `fingerprint` contradicts what is there."""

    def __init__(self, path: Path, fingerprint: dict[str, Any]) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(
                f"run directory {path}: {error.strerror}; choose another with --run"
            ) from None
        self.claim(fingerprint)

    def claim(self, fingerprint: dict[str, Any]) -> None:
        """Add keys to the fingerprint. Raises RunDirectoryError where one contradicts what is there."""
        file = self.path / "fingerprint.json"
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        wanted = json.loads(json.dumps(fingerprint))
        for key, value in wanted.items():
            if key in known and known[key] != value:
                raise RunDirectoryError(
                    f"run directory {self.path} belongs to another run: its {key} is {_short(known[key])}, "
                    f"this call's is {_short(value)}; choose another directory with --run"
                )
        if {**known, **wanted} != known:
            write_json(file, {**known, **wanted})

    def save_config(self, resolved_yaml: str, seed: int) -> None:
        """Save the resolved config, the versions, the git commit and the seed beside the results."""
        with committed(self.path / "config.yaml") as temporary:
            temporary.write_text(resolved_yaml, encoding="utf-8")
        write_json(self.path / "environment.json", {"seed": seed, **environment()})

    def save_metrics(self, metrics: dict[str, Any]) -> None:
        """Write metrics.json."""
        write_json(self.path / "metrics.json", metrics)


def environment() -> dict[str, Any]:
    """Return the versions of ktray and what it stands on, and the git commit where there is one."""
    versions = {"ktray": ktray.__version__, "python": platform.python_version()}
    for name in _VERSIONED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {"versions": versions, "git_commit": _git_commit(), "machine": platform.machine()}


def _git_commit() -> str | None:
    root = Path(ktray.__file__).resolve().parents[1]
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
