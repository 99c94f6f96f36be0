"""The seams of ktray: each has real implementations in its own package and a fake in `ktray.testing`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ktray.programs import Candidate, Execution, Language, Program
from ktray.sequences import KtSequence, Values


class Proposer(Protocol):
    """Yields candidate programs for sequences.

    `propose` gives one candidate for each sequence and each sample index in `samples` (a proposer that
    has fewer distinct ones gives fewer), in any order. Extending n from 16 to 64 is a call with
    `range(16, 64)`. `settings` are the generation settings that enter a run's fingerprint.
    """

    name: str

    def settings(self) -> dict[str, object]: ...

    def propose(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]: ...


class Executor(Protocol):
    """Executes programs, each on its own; a program that fails is an `Execution` with a failure."""

    def execute(self, programs: Sequence[Program]) -> list[Execution]: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One sequence as an archive's block holds it: its values, and its program or None for a literal."""

    values: Values
    program: Program | None = None


@dataclass(frozen=True, slots=True)
class CodedBlock:
    """A block's payload and where its bits went (they need not be whole bits, and sum to at most
    8 x len(payload); what is left is overhead). `as_program[i]` tells whether entry i was coded as its
    program: a prior may fall back to the literal where that is cheaper."""

    payload: bytes
    program_bits: float
    literal_bits: float
    flag_bits: float
    as_program: NDArray[np.bool_]


#: Executes DSL or Python programs for a decoder; raises ArchiveError where one fails.
RunProgram = Callable[[Program], Values]


class Prior(Protocol):
    """Prices programs, and encodes and decodes blocks of programs and literals.

    `published_bits` is the paper ledger's length of a program (float bits), `prices` the archive
    ledger's fixed price used by the reducer; both have shape (len(programs),), dtype float64, and
    `inf` where the prior cannot code a program. `lengths` is given (shape (n,), int64) where the
    archive's layout already tells every sequence's length, None where it must be coded.
    `decode(encode(e, L).payload, n, L, run)` has the same values and, where coded, programs as e.
    """

    name: str

    def published_bits(self, programs: Sequence[Program]) -> NDArray[np.float64]: ...

    def prices(self, programs: Sequence[Program]) -> NDArray[np.float64]: ...

    def encode(self, entries: Sequence[Entry], lengths: NDArray[np.int64] | None) -> CodedBlock: ...

    def decode(
        self, payload: bytes, n: int, lengths: NDArray[np.int64] | None, run: RunProgram
    ) -> list[Entry]: ...


class LiteralModel(Protocol):
    """A binary predictor for the bits of literal bytes, most significant bit first.

    `predict` gives the probability of a one bit as an integer in 1..65535 (of 65536); `update` tells
    the bit that came; `reset` starts a block from the settings in its header. Integers only: the
    encoder and the decoder call it alike, on any machine.
    """

    def predict(self) -> int: ...

    def update(self, bit: int) -> None: ...

    def reset(self, header: bytes) -> None: ...


#: Languages in the order of the archive's three-valued flag (0 is the literal).
FLAG_LANGUAGES: tuple[Language, ...] = (Language.DSL, Language.PYTHON)
