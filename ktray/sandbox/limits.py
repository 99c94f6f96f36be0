"""Limits of a run, levels of isolation, and what the probe of this machine found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ktray.config import option
from ktray.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one program may use: wall seconds, memory beyond the interpreter's own (MiB of address space),
    elements of output, bytes of source (UTF-8), and how well isolated it must be to run at all. The paper
    gives 5 s; a program that used less than half of them because others had the CPU is given up to three
    times as long."""

    seconds: float = option(5.0, "wall seconds a program may take")
    memory_mb: int = option(512, "memory beyond the interpreter's own, in MiB of address space")
    elements: int = option(1 << 20, "most elements of an output")
    source_bytes: int = option(1 << 20, "most bytes of a program's text")
    require_isolation: str | None = option(
        None, "refuse to run programs below this isolation: full, strong or basic", short="require_isolation"
    )

    def __post_init__(self) -> None:
        if self.require_isolation is not None:
            parse_level(self.require_isolation)
        if not (math.isfinite(self.seconds) and 0 < self.seconds <= 3600):
            raise ConfigError(f"sandbox time limit is {self.seconds} s; give more than 0 and at most 3600")
        for name, least in (("memory_mb", 16), ("elements", 1), ("source_bytes", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"sandbox limit {name} is {getattr(self, name)}; give at least {least}")


class IsolationLevel(StrEnum):
    """How much stands between a program and the machine, weakest first.

    basic: rlimits and the deadline. strong: also seccomp, NO_NEW_PRIVS, an unprivileged uid, and a second
    fence around files (Landlock or an empty root). full: also Landlock, an empty root, and fresh pid,
    network, mount, ipc and uts namespaces.
    """

    BASIC = "basic"
    STRONG = "strong"
    FULL = "full"

    @property
    def rank(self) -> int:
        return list(IsolationLevel).index(self)


@dataclass(frozen=True, slots=True)
class IsolationReport:
    """The layers that are on, and those that are not (with the kernel's reason where there is one)."""

    level: IsolationLevel
    layers: tuple[str, ...]
    missing: tuple[str, ...]

    @classmethod
    def of(cls, layers: Sequence[str], missing: Sequence[str]) -> IsolationReport:
        """Return the report of these layers, with the level that they make."""
        return cls(_level(frozenset(name.split("_")[0] for name in layers)), tuple(layers), tuple(missing))

    def require(self, level: IsolationLevel | str) -> None:
        """Raise ConfigError where the layers are not enough for `level`."""
        wanted = parse_level(level)
        if self.level.rank < wanted.rank:
            lacking = "; ".join(self.missing) or "nothing"
            raise ConfigError(
                f"isolation here is {self.level}, {wanted} was asked for (missing: {lacking}); "
                f"allow it on this machine or ask for --require-isolation {self.level}"
            )


def parse_level(level: IsolationLevel | str) -> IsolationLevel:
    """Return the level of that name; raises ConfigError for another."""
    try:
        return IsolationLevel(level)
    except ValueError:
        raise ConfigError(f"isolation level {level!r} is not known; give full, strong or basic") from None


def _level(layers: frozenset[str]) -> IsolationLevel:
    strong = {"rlimits", "seccomp", "no", "unprivileged"} <= layers and bool({"landlock", "empty"} & layers)
    if strong and {"landlock", "empty", "namespaces"} <= layers:
        return IsolationLevel.FULL
    return IsolationLevel.STRONG if strong else IsolationLevel.BASIC
