"""Programs of any proposer are shortened and repaired on their way into an archive; the paper ledger is not."""

from __future__ import annotations

import numpy as np

from ktray.candidatelog import LogFile, candidates_table
from ktray.dsl.interpreter import execute_text
from ktray.priors.adaptive import AdaptivePrior
from ktray.programs import Candidate, CandidateKey, Language, Outcome, Program, Verdict
from ktray.proposers.search import Improver
from ktray.solve import SolvedBlock, solve_block
from ktray.testing.archives import uncut_block

#: What a model might write: right but clumsy, and wrong by an offset.
NOISE = np.random.default_rng(4).integers(0, 256, 12).tolist()
CLUMSY = (
    f"sequence_1 = set_list({NOISE})\nsequence_2 = set_list({NOISE[::-1]})\n"
    "sequence_3 = repeat_list(3, sequence_1)\nsequence_4 = concatenate(sequence_3, sequence_2)\noutput = sequence_4"
)
OFFSET = "sequence_1 = range_func_up(3, 30)\noutput = sequence_1"
VALUES = (NOISE * 3 + NOISE[::-1], list(range(8, 36)), np.random.default_rng(3).integers(0, 256, 28).tolist())


def solved(improve: bool) -> SolvedBlock:
    """Return a block of three sequences, each with one program of a model."""
    block = uncut_block("x", [bytes(v) for v in VALUES])
    ids = ["a", "b", "c"]
    candidates, verdicts = [], []
    for name, text, wanted in zip(ids, (CLUMSY, OFFSET, OFFSET), VALUES, strict=True):
        key = CandidateKey(name, "vllm", "model", "", "", 0, 0)
        candidates.append(Candidate(key, Program(Language.DSL, text)))
        right = execute_text(text).values.tolist() == wanted
        verdicts.append(Verdict(Outcome.CORRECT if right else Outcome.WRONG_OUTPUT, 0.0))
    log = LogFile(candidates_table(candidates, verdicts), 3, "")
    return solve_block(block, ids, [log], 1, AdaptivePrior(), Improver() if improve else None)


def test_archives_hold_what_was_made_of_programs() -> None:
    plain, improved = solved(False), solved(True)
    assert plain.encoded.as_program.tolist() == [True, False, False]
    assert improved.encoded.as_program.tolist() == [True, True, False]
    assert improved.report.program_bits + improved.report.literal_bits < 0.7 * (
        plain.report.program_bits + plain.report.literal_bits
    )
    assert improved.report.chosen == {"vllm": 2, "literal": 1}


def test_the_paper_ledger_counts_the_candidates_alone() -> None:
    plain, improved = solved(False).report, solved(True).report
    assert improved.paper == plain.paper
    assert improved.outcomes == plain.outcomes == {"correct": 1, "wrong_output": 2}


def test_python_programs_and_empty_sequences_are_left_alone() -> None:
    improve = Improver()
    assert improve(Program(Language.PYTHON, "output = [7] * 12"), np.full(12, 7, np.uint8)) is None
    assert improve(Program(Language.DSL, "no program"), np.full(12, 7, np.uint8)) is None
    assert improve(Program(Language.DSL, CLUMSY), np.zeros(0, np.uint8)) is None
