"""Execution feedback: a program's text with each line's list as a comment (paper: Fig. 12)."""

from __future__ import annotations

from ktray.dsl.interpreter import run_lines
from ktray.dsl.printer import to_text
from ktray.dsl.program import DslProgram


def feedback_text(program: DslProgram) -> str:
    """Return the canonical text with each line's list as a comment; it parses to the same program.

    Raises ExecutionError where a line fails.
    """
    lines = to_text(program).split("\n")
    made = [f"{line}{comment(values)}" for line, values in zip(lines, run_lines(program), strict=False)]
    return "\n".join([*made, lines[-1]])


def comment(values: list[int]) -> str:
    """Return the comment that tells a line's list."""
    return f"  # {values}"
