"""Verdicts: judging, routing, the two tiers, and that what is accepted was confirmed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ktray.programs import Execution, Language, Outcome, Program, Verdict
from ktray.sandbox import Sandbox, SandboxLimits, Verifier, judge
from ktray.sandbox.verify import correct_prefix
from ktray.sequences import Values


def python(text: str) -> Program:
    return Program(Language.PYTHON, text)


def bytes_of(*values: int) -> Values:
    return np.array(values, dtype=np.uint8)


@pytest.mark.parametrize(
    ("values", "outcome", "prefix", "detail"),
    [
        ((1, 2, 3), Outcome.CORRECT, 3, ""),
        ((1, 2), Outcome.WRONG_OUTPUT, 2, "length 2 where 3 was expected"),
        ((1, 2, 3, 4), Outcome.WRONG_OUTPUT, 3, "length 4 where 3 was expected"),
        ((1, 9, 3), Outcome.WRONG_OUTPUT, 1, "element 1 is 9 where 2 was expected"),
        ((), Outcome.WRONG_OUTPUT, 0, "length 0 where 3 was expected"),
    ],
)
def test_judge(values: tuple[int, ...], outcome: Outcome, prefix: int, detail: str) -> None:
    assert judge(Execution(bytes_of(*values), None, 0.5), bytes_of(1, 2, 3)) == Verdict(
        outcome, 0.5, detail, prefix
    )


def test_judge_keeps_a_failure() -> None:
    failed = Execution(None, Outcome.TIMEOUT, 5.0, "stopped after 5 s")
    assert judge(failed, bytes_of(1)) == Verdict(Outcome.TIMEOUT, 5.0, "stopped after 5 s", 0)


def test_correct_prefix_of_empty_sequences() -> None:
    assert correct_prefix(bytes_of(), bytes_of()) == 0
    assert judge(Execution(bytes_of()), bytes_of()).outcome is Outcome.CORRECT


class Counting(Sandbox):
    """A sandbox that notes what is asked of each tier, and can be made to lie in the screen."""

    def __init__(self, lie: Execution | None = None) -> None:
        super().__init__()
        self.lie = lie
        self.asked: dict[str, list[Program]] = {"screen": [], "execute": []}

    def screen(self, programs: Sequence[Program]) -> list[Execution | None]:
        self.asked["screen"] += programs
        return [self.lie] * len(programs) if self.lie else super().screen(programs)

    def execute(self, programs: Sequence[Program]) -> list[Execution]:
        self.asked["execute"] += programs
        return super().execute(programs)


def counted(verifier: Verifier, lie: Execution | None = None) -> Counting:
    verifier.sandbox = counting = Counting(lie)
    return counting


def outcomes(verifier: Verifier, pairs: Sequence[tuple[Program | None, Values]]) -> list[Outcome]:
    return [verdict.outcome for verdict in verifier.verify(pairs)]


def test_both_languages_and_none_in_order() -> None:
    dsl = Program(Language.DSL, "sequence_1 = range_func_up(1, 3)\noutput = sequence_1")
    target = bytes_of(1, 2, 3)
    pairs = [(dsl, target), (None, target), (python("output = [1, 2, 3]"), target), (dsl, bytes_of(1))]
    with Verifier() as verifier:
        assert outcomes(verifier, pairs) == [
            Outcome.CORRECT,
            Outcome.NO_PROGRAM,
            Outcome.CORRECT,
            Outcome.WRONG_OUTPUT,
        ]
        assert verifier.verify([]) == []


def test_each_distinct_program_runs_once_and_only_matches_are_confirmed() -> None:
    right, wrong, refused = python("output = [1]"), python("output = [2]"), python("import os\noutput = [2]")
    pairs = [(p, bytes_of(1)) for p in (right, wrong, right, refused, wrong, right)]
    with Verifier() as verifier:
        counting = counted(verifier)
        verdicts = outcomes(verifier, pairs)
    assert [v is Outcome.CORRECT for v in verdicts] == [True, False, True, False, False, True]
    assert sorted(counting.asked["screen"]) == sorted([right, wrong, refused])
    assert sorted(counting.asked["execute"]) == sorted([right, refused])


def test_a_screen_that_lies_cannot_accept() -> None:
    with Verifier() as verifier:
        counted(verifier, lie=Execution(bytes_of(1)))
        assert outcomes(verifier, [(python("output = [2]"), bytes_of(1))]) == [Outcome.WRONG_OUTPUT]


def test_one_program_for_two_targets() -> None:
    program = python("output = [5]")
    with Verifier() as verifier:
        assert outcomes(verifier, [(program, bytes_of(5)), (program, bytes_of(6))]) == [
            Outcome.CORRECT,
            Outcome.WRONG_OUTPUT,
        ]


def test_the_screen_is_left_out_where_nearly_all_match() -> None:
    with Verifier() as verifier:
        counting = counted(verifier)
        right = [(python(f"output = [{i}]"), bytes_of(i)) for i in range(4)]
        wrong = [(p, bytes_of(9)) for p, _ in right]
        screened = []
        for pairs in (right, right, wrong, wrong):
            counting.asked["screen"].clear()
            outcomes(verifier, pairs)
            screened.append(bool(counting.asked["screen"]))
    assert screened == [True, False, False, True]


def test_screen_and_confirm_give_the_same_outcomes() -> None:
    texts = [
        "output = [1]",
        "output = [2]",
        "1 / 0",
        "output = (1,)",
        "while True: pass",
        "x = [0] * 10**11",
        "]",
    ]
    pairs = [(python(text), bytes_of(1)) for text in texts]
    with Verifier(SandboxLimits(seconds=0.5)) as verifier:
        first = outcomes(verifier, pairs)
        alone = [judge(e, bytes_of(1)).outcome for e in verifier.sandbox.execute([python(t) for t in texts])]
    assert first == alone
    assert first == [
        Outcome.CORRECT,
        Outcome.WRONG_OUTPUT,
        Outcome.RUNTIME_ERROR,
        Outcome.BAD_OUTPUT_TYPE,
        Outcome.TIMEOUT,
        Outcome.OUT_OF_MEMORY,
        Outcome.SYNTAX_ERROR,
    ]
