"""Programs and what is known of them: candidate (proposed), verdict (executed), solution (kept).

A candidate that fails is data, never an exception: every one ends with an `Outcome`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ktray.sequences import Values


class Language(StrEnum):
    """The languages a program may be written in."""

    DSL = "dsl"
    PYTHON = "python"


class Outcome(StrEnum):
    """What became of a candidate when it was executed against its sequence."""

    CORRECT = "correct"
    WRONG_OUTPUT = "wrong_output"
    BAD_OUTPUT_TYPE = "bad_output_type"
    SYNTAX_ERROR = "syntax_error"
    RUNTIME_ERROR = "runtime_error"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    FORBIDDEN = "forbidden"
    CRASHED = "crashed"
    NO_PROGRAM = "no_program"


#: Outcomes of programs that ran and gave a plain list of plain ints 0..255 (paper: "% executable").
EXECUTABLE = frozenset({Outcome.CORRECT, Outcome.WRONG_OUTPUT})


@dataclass(frozen=True, slots=True, order=True)
class Program:
    """The source text of a program and the language it is written in."""

    language: Language
    text: str


@dataclass(frozen=True, slots=True)
class CandidateKey:
    """What tells one sample from another; two candidates with the same key are the same sample."""

    sequence_id: str
    proposer: str
    model: str
    prompt_hash: str
    sampling_hash: str
    seed: int
    sample_index: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposed program.

    `program` is None where no program could be extracted from `reply` (the model's raw text, empty for
    proposers that write programs directly). `tokens` and `logprob` (nats, summed over the reply) are
    None where the proposer has none. `error` is a one-line reason where the sample itself failed.
    """

    key: CandidateKey
    program: Program | None
    reply: str = ""
    tokens: int | None = None
    logprob: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """What executing a program gave: `values` (uint8) where `failure` is None, else why it failed."""

    values: Values | None
    failure: Outcome | None = None
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a candidate, its run time in seconds, a one-line detail, and the number of leading
    elements it got right (0 where it gave no output)."""

    outcome: Outcome
    seconds: float = 0.0
    detail: str = ""
    correct_prefix: int = 0
