"""The attack suite: a program or more for every line of what the sandbox covers, in `attacks.txt`.

Nothing here does harm even where it works: files are touched only beside the canary, and signals go to
process numbers that are the sandbox's own inside its pid namespace; run it only behind seccomp.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ktray.programs import Execution, Language, Outcome, Program
from ktray.sandbox.inside.seccomp import allowed_numbers

_SUITE = Path(__file__).with_name("attacks.txt")

_TRY = """
output = [0]
def attempt(act):
    global output
    try:
        act()
    except Exception:
        return
    output = [1]
"""

# Finds the C library that the warm process called, although ctypes cannot be imported.
_RAW = """
import gc, sys
gc.unfreeze()
dicts = [found for found in gc.get_objects() if type(found) is dict]
libc = [value for found in dicts for value in list(found.values()) if type(value).__name__ == "CDLL"][0]
"""

# The kernel's own probes, which no filter sees and which end any other caller with SIGILL (x86-64).
_KERNEL_PROBES = {335, 336}


@dataclass(frozen=True, slots=True)
class Attack:
    """What is attacked, by which program, and the failures that repel it; none means an output of [0]."""

    covers: str
    text: str
    repelled_by: frozenset[Outcome]

    @property
    def program(self) -> Program:
        return Program(Language.PYTHON, self.text)

    def repelled(self, execution: Execution) -> bool:
        """Whether the sandbox held: the attack failed, or the program was stopped as expected."""
        if self.repelled_by:
            return execution.failure in self.repelled_by
        return execution.values is not None and execution.values.tolist() == [0]


def attacks(canary: str) -> list[Attack]:
    """Return the whole suite; `canary` is the path of a file that must not be read, changed or removed."""
    return [*_written(canary), *_generated()]


def _written(canary: str) -> Iterator[Attack]:
    unfiltered = sorted(allowed_numbers(platform.machine()) | _KERNEL_PROBES)
    words = {"TRY": _TRY, "RAW": _RAW, "CANARY": repr(canary), "NUL": "\0", "UNFILTERED": repr(unfiltered)}
    for section in _SUITE.read_text().split("\n=== ")[1:]:
        title, _, text = section.partition("\n")
        covers, _, outcomes = title.partition(" | ")
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        yield Attack(covers, text, frozenset(Outcome(name) for name in outcomes.split()))


def _generated() -> Iterator[Attack]:
    """Sources that are too long to be written out."""
    compiler = frozenset(
        {Outcome.SYNTAX_ERROR, Outcome.OUT_OF_MEMORY, Outcome.CRASHED, Outcome.RUNTIME_ERROR}
    )
    forbidden, syntax = frozenset({Outcome.FORBIDDEN}), frozenset({Outcome.SYNTAX_ERROR})
    sized = frozenset({Outcome.TIMEOUT, Outcome.OUT_OF_MEMORY})
    yield Attack("source that is not Unicode", "output = [0] # \ud800", syntax)
    yield Attack("source of 10 MB", "#" * 10_000_000 + "\noutput = [0]", forbidden)
    yield Attack("source of 1 MB", "output = [" + "[0]," * 250_000 + "]", sized | {Outcome.BAD_OUTPUT_TYPE})
    yield Attack("deep nesting", "output = " + "(" * 50_000 + "0" + ")" * 50_000, syntax)
    yield Attack("deep nesting", "output = " + "-" * 60_000 + "0", compiler)
    yield Attack("deep nesting", "output = [" + "+".join(["x"] * 30_000) + "]", compiler)
    yield Attack("deep nesting", "x = y" + ".a" * 30_000, compiler)
    yield Attack("deep nesting", "\n".join(" " * i + "if 1:" for i in range(200)), syntax)
