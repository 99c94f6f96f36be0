"""Proposers that die, to test what a run does about it. Each lives in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ktray.errors import ConfigError, EngineDeadError
from ktray.ports import Proposer
from ktray.programs import Candidate, CandidateKey, Language, Program
from ktray.proposers.spec import ProposerSpec
from ktray.sequences import KtSequence


@dataclass(frozen=True, slots=True)
class DyingSpec(ProposerSpec):
    """A proposer of right programs whose engine dies at every sequence whose id holds `deadly`, and once at
    whatever comes first, noted in the file `once`; a sequence whose id holds `failing` raises."""

    deadly: str = ""
    failing: str = ""
    once: str = ""
    refusal: str = ""

    def build(self) -> Proposer:
        """Return the proposer. Raises ConfigError with the text `refusal`, where there is one."""
        if self.refusal:
            raise ConfigError(self.refusal)
        return _Dying(self)

    def settings(self) -> dict[str, object]:
        """Return what tells it apart."""
        return {"deadly": self.deadly, "failing": self.failing}


class _Dying:
    name = "dying"

    def __init__(self, spec: DyingSpec) -> None:
        self._spec = spec

    def settings(self) -> dict[str, object]:
        return self._spec.settings()

    def propose(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]:
        once = Path(self._spec.once) if self._spec.once else None
        if once and not once.exists():
            once.touch()
            raise EngineDeadError("the engine died, once")
        for sequence in sequences:
            if self._spec.deadly and self._spec.deadly in sequence.id:
                raise EngineDeadError("the engine died at this sequence")
            if self._spec.failing and self._spec.failing in sequence.id:
                raise ValueError("no prompt for this sequence")
            program = Program(Language.PYTHON, f"output = {sequence.values.tolist()}")
            for index in samples:
                yield Candidate(CandidateKey(sequence.id, "dying", "", "", "", 0, index), program)
