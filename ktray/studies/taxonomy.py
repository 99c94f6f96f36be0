"""Error taxonomy of verified samples, by automatic rules over program text, outcome and target.

The rules stand in the docstrings of `repetition_share` and `classify_error`; nothing is executed here.
The published tables (KoLMogorov Test, Tab. 9 and 10) were labelled by hand on 25 programs a modality.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from ktray.programs import EXECUTABLE, Outcome

#: A program repeats its target where its literals spell at least this share of it (Tab. 9's "Rep").
REPETITION = 0.9
#: A wrong program attempts a repetition where its literals spell at least this share of its target.
ATTEMPT = 0.5
#: Shorter matches between literals and target are chance, not repetition.
SHORTEST_MATCH = 3
#: A program longer than this (characters) is not parsed: its literals are read from the text instead.
LONGEST_PARSED = 64 * 1024

_NUMBERS = re.compile(r"\d{1,3}(?:\s*,\s*\d{1,3})*")
_TEXT_TO_BYTES = re.compile(r"\bord\s*\(|\.encode\s*\(|\bbytes\s*\(|\bbytearray\s*\(")


class ErrorKind(StrEnum):
    """Why a wrong program is wrong (Tab. 10), for programs that gave a valid output."""

    EXECUTION = "execution"
    REPETITION = "repetition"
    UNICODE = "unicode"


@dataclass(frozen=True, slots=True)
class JudgedSample:
    """One verified sample: its program's text (empty where it had none), outcome, number of leading
    elements it got right, its target (ints 0..255), and its reply's tokens where known."""

    program: str
    outcome: Outcome
    correct_prefix: int
    target: tuple[int, ...]
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class PrefixBand:
    """Wrong but executable samples whose longest correct prefix is in [low, high) of the target's length
    (the last band includes 1)."""

    low: float
    high: float
    samples: int


@dataclass(frozen=True, slots=True)
class LengthStatistics:
    """Lengths of the programs, in characters: count, mean, and the quartiles."""

    programs: int
    mean: float
    quartiles: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """All counts over one set of samples; shares are left to the reader of `outcomes`."""

    outcomes: dict[Outcome, int]
    correct_repetition: int
    correct_other: int
    errors: dict[ErrorKind, int]
    prefixes: tuple[PrefixBand, ...]
    lengths: LengthStatistics


def taxonomy(samples: Iterable[JudgedSample], bands: int = 10) -> Taxonomy:
    """Return every count of the taxonomy; `bands` is the number of equal bands of correct prefix shares."""
    judged = list(samples)
    outcomes = Counter(s.outcome for s in judged)
    correct = [s for s in judged if s.outcome is Outcome.CORRECT]
    wrong = [s for s in judged if s.outcome in EXECUTABLE and s.outcome is not Outcome.CORRECT]
    repeated = sum(is_repetition(s.program, s.target) for s in correct)
    kinds = Counter(classify_error(s.program, s.target, s.correct_prefix) for s in wrong)
    return Taxonomy(
        outcomes={o: outcomes[o] for o in Outcome},
        correct_repetition=repeated,
        correct_other=len(correct) - repeated,
        errors={k: kinds[k] for k in ErrorKind},
        prefixes=prefix_histogram(wrong, bands),
        lengths=length_statistics([s.program for s in judged if s.program]),
    )


def is_repetition(program: str, target: Sequence[int]) -> bool:
    """Return whether a correct program writes its target out (Tab. 9): share at least `REPETITION`."""
    return repetition_share(program, target) >= REPETITION


def repetition_share(program: str, target: Sequence[int]) -> float:
    """Return the share of the target that the program's literals spell, each literal element used once.

    Literals are the int lists, tuples, bytes and strings of the text, in the order written and joined;
    matched are the runs of at least `SHORTEST_MATCH` elements that they and the target have in common,
    in order. So a copy cut into pieces (Fig. 13) counts, and a short list that is multiplied does not.
    """
    if not target:
        return 0.0
    written = literal_elements(program)
    matcher = SequenceMatcher(None, written, list(target), autojunk=False)
    shortest = min(SHORTEST_MATCH, len(target))
    return sum(b.size for b in matcher.get_matching_blocks() if b.size >= shortest) / len(target)


def classify_error(program: str, target: Sequence[int], correct_prefix: int) -> ErrorKind:
    """Return why an executable program is wrong (Tab. 10), by the first rule that holds.

    Unicode: it turns text into bytes (`ord`, `encode`, `bytes`), and the first wrong element or the
    literals hold something beyond ASCII. Repetition: its literals spell at least `ATTEMPT` of the target.
    Execution: anything else.
    """
    if _TEXT_TO_BYTES.search(program) and _beyond_ascii(program, target, correct_prefix):
        return ErrorKind.UNICODE
    if repetition_share(program, target) >= ATTEMPT:
        return ErrorKind.REPETITION
    return ErrorKind.EXECUTION


def literal_elements(program: str) -> list[int]:
    """Return the elements of all literals in the order written: ints of lists and tuples, bytes, and the
    UTF-8 bytes of strings. A text that does not parse gives the comma-separated runs of numbers in it."""
    if len(program) <= LONGEST_PARSED:
        try:
            with warnings.catch_warnings():
                # A model's odd escapes would otherwise reach our standard error.
                warnings.simplefilter("ignore")
                return list(_elements(ast.parse(program)))
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            pass
    runs = (run.group().split(",") for run in _NUMBERS.finditer(program[:LONGEST_PARSED]))
    return [int(number) for run in runs if len(run) > 1 for number in run]


def prefix_histogram(wrong: Sequence[JudgedSample], bands: int) -> tuple[PrefixBand, ...]:
    """Return how many samples fall into each of `bands` equal bands of correct prefix / target length."""
    counts = Counter(min(bands - 1, s.correct_prefix * bands // max(1, len(s.target))) for s in wrong)
    return tuple(PrefixBand(b / bands, (b + 1) / bands, counts[b]) for b in range(bands))


def length_statistics(programs: Sequence[str]) -> LengthStatistics:
    """Return count, mean and quartiles (nearest rank) of the programs' lengths in characters."""
    lengths = sorted(map(len, programs))
    if not lengths:
        return LengthStatistics(0, 0.0, (0.0, 0.0, 0.0))
    ranks = [lengths[(len(lengths) - 1) * q // 4] for q in (1, 2, 3)]
    return LengthStatistics(
        len(lengths), sum(lengths) / len(lengths), (float(ranks[0]), float(ranks[1]), float(ranks[2]))
    )


def _elements(tree: ast.AST) -> Iterable[int]:
    """Yield literal elements depth first, which is the order of the text."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            data = node.value
            yield from data.encode("utf-8", "replace") if isinstance(data, str) else data
        elif isinstance(node, ast.List | ast.Tuple):
            yield from (e.value for e in node.elts if isinstance(e, ast.Constant) and type(e.value) is int)
            pending.extend(reversed([e for e in node.elts if not isinstance(e, ast.Constant)]))
        else:
            pending.extend(reversed(list(ast.iter_child_nodes(node))))


def _beyond_ascii(program: str, target: Sequence[int], correct_prefix: int) -> bool:
    """Return whether the first wrong element, or any literal of the program, is beyond ASCII."""
    wrong_here = correct_prefix < len(target) and target[correct_prefix] > 127
    return wrong_here or any(e > 127 for e in literal_elements(program))
