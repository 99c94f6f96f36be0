"""From a block's candidate logs to its encoded form, its solutions and its share of both ledgers.

A pure function of block, logs and prior: the same log gives the same bytes, on any worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ktray.archive import EncodedBlock, encode_block
from ktray.candidatelog import LogFile, correct_only
from ktray.corpora.blocks import CorpusBlock
from ktray.errors import PipelineError
from ktray.ledger import PaperTally, gzip_bits, tally_outcomes, tally_sequences
from ktray.ports import Prior
from ktray.programs import Language, Outcome, Program
from ktray.reduce import Choice, Correct, merge, reduce_block

#: Makes a program that gives the values of one that is right or nearly so; None where it cannot.
Improve = Callable[[Program, NDArray[np.uint8]], Program | None]

#: Proposers whose programs come as short as they can be made; wrong programs that are tried a sequence.
SETTLED = frozenset({"search", "dsl2"})
NEAR_MISSES = 4

SOLUTIONS = pa.schema(
    [
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("proposer", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("program", pa.large_string(), nullable=False),
        pa.field("published_bits", pa.float64(), nullable=False),
        pa.field("archived", pa.bool_(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class BlockReport:
    """What a block adds to the run's metrics; `stored_bits` is its share of the archive, all included."""

    part: str
    sequences: int
    elements: int
    input_bits: int
    restored_bytes: int
    stored_bits: int
    program_bits: float
    literal_bits: float
    flag_bits: float
    paper: PaperTally
    chosen: dict[str, int]
    outcomes: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> BlockReport:
        """Return the report that `to_json` gave."""
        return BlockReport(**{**data, "paper": PaperTally(**data["paper"])})


@dataclass(frozen=True, slots=True)
class SolvedBlock:
    """A block's encoded form, the table of its solutions (schema SOLUTIONS) and its report."""

    encoded: EncodedBlock
    solutions: pa.Table
    report: BlockReport


def solve_block(
    block: CorpusBlock,
    ids: Sequence[str],
    logs: Iterable[LogFile],
    samples: int,
    prior: Prior,
    improve: Improve | None = None,
) -> SolvedBlock:
    """Reduce a block's logs under `prior` and encode it.

    `ids` are the block's sequence ids, read only where there are logs. Samples with an index of `samples`
    or more are passed over. The archive may hold what `improve` makes of candidates, the paper ledger counts
    the candidates alone. Raises PipelineError for a candidate of a sequence that is not the block's.
    """
    number = {sequence_id: i for i, sequence_id in enumerate(ids)}
    candidates: list[Correct] = []
    near: list[Correct] = []
    outcomes: Counter[str] = Counter()
    for log in logs:
        outcomes.update(_outcomes(log.table, samples))
        candidates.extend(_correct(log.table, samples, number))
        near.extend(_near(log.table, samples, number) if improve else ())
    programs = [candidate.program for candidate in candidates]
    archived = reduce_block(candidates, prior.prices(programs))
    published = reduce_block(candidates, prior.published_bits(programs))
    if improve is not None:
        improved = _improved(block, archived, near, improve)
        prices = prior.prices([candidate.program for candidate in improved])
        archived = merge([archived, reduce_block(improved, prices)])
    encoded = encode_block(block, _worth_coding(block, archived), prior)
    report = _report(block, encoded, archived, published, outcomes)
    return SolvedBlock(encoded, _solutions_table(archived, published, encoded.as_program), report)


def cheapest_programs(
    logs: Iterable[LogFile], ids: Sequence[str], samples: int, prior: Prior
) -> list[Program | None]:
    """Return the cheapest right program in `logs` of each of the sequences `ids`, or None where there is none."""
    number = {sequence_id: i for i, sequence_id in enumerate(ids)}
    candidates = [c for log in logs for c in _correct(log.table, samples, number)]
    best = reduce_block(candidates, prior.prices([c.program for c in candidates]))
    return [best[i].program if i in best else None for i in range(len(ids))]


def _improved(
    block: CorpusBlock, archived: dict[int, Choice], near: Sequence[Correct], improve: Improve
) -> list[Correct]:
    """Return what `improve` makes of each sequence's cheapest program, or of its first wrong ones without any."""
    todo = [
        Correct(i, choice.proposer, choice.program)
        for i, choice in archived.items()
        if choice.proposer not in SETTLED
    ]
    tried = Counter[int]()
    for candidate in near:
        if candidate.sequence not in archived and tried[candidate.sequence] < NEAR_MISSES:
            tried[candidate.sequence] += 1
            todo.append(candidate)
    ends = np.cumsum(block.lengths)
    made = []
    for candidate in todo:
        i = candidate.sequence
        program = improve(candidate.program, block.values[ends[i] - block.lengths[i] : ends[i]])
        if program is not None:
            made.append(Correct(i, candidate.proposer, program))
    return made


def _outcomes(table: pa.Table, samples: int) -> Iterable[str]:
    kept = table.filter(pa.compute.less(table["sample_index"], samples))
    outcomes: list[str] = kept["outcome"].to_pylist()
    return outcomes


def _correct(table: pa.Table, samples: int, number: dict[str, int]) -> Iterable[Correct]:
    return _named(correct_only(table, samples), number)


def _near(table: pa.Table, samples: int, number: dict[str, int]) -> Iterable[Correct]:
    """Yield the candidates that ran and gave something else, as if they were right."""
    compute = pa.compute
    wrong = compute.equal(table["outcome"], Outcome.WRONG_OUTPUT.value)
    mask = compute.and_(wrong, compute.less(table["sample_index"], samples))
    return _named(table.filter(mask), number)


def _named(table: pa.Table, number: dict[str, int]) -> Iterable[Correct]:
    rows = table.select(["sequence_id", "proposer", "language", "program"])
    for row in rows.to_pylist():
        if row["sequence_id"] not in number:
            raise PipelineError(
                f"a candidate of sequence {row['sequence_id']} came out of a block without it"
            )
        program = Program(Language(row["language"]), row["program"])
        yield Correct(number[row["sequence_id"]], row["proposer"], program)


def _worth_coding(block: CorpusBlock, archived: dict[int, Choice]) -> list[Program | None]:
    """Return each sequence's program, or None where its literal costs no more."""
    programs: list[Program | None] = [None] * len(block.lengths)
    for i, choice in archived.items():
        if choice.price < block.lengths[i] * block.element_bits:
            programs[i] = choice.program
    return programs


def _report(
    block: CorpusBlock,
    encoded: EncodedBlock,
    archived: dict[int, Choice],
    published: dict[int, Choice],
    outcomes: Counter[str],
) -> BlockReport:
    chosen = Counter(archived[int(i)].proposer for i in np.flatnonzero(encoded.as_program))
    chosen["literal"] = len(block.lengths) - sum(chosen.values())
    paper = _paper_tally(block, published) + tally_outcomes(Outcome(o) for o in outcomes.elements())
    return BlockReport(
        part=block.part,
        sequences=len(block.lengths),
        elements=len(block.values),
        input_bits=len(block.values) * block.element_bits,
        restored_bytes=block.restored_bytes,
        stored_bits=8 * len(encoded.stored),
        program_bits=encoded.info.program_bits,
        literal_bits=encoded.info.literal_bits,
        flag_bits=encoded.info.flag_bits,
        paper=paper,
        chosen=dict(chosen),
        outcomes=dict(outcomes),
    )


def _paper_tally(block: CorpusBlock, published: dict[int, Choice]) -> PaperTally:
    bits = np.full(len(block.lengths), np.nan)
    gzipped = np.full(len(block.lengths), np.nan)
    ends = np.cumsum(block.lengths)
    for i, choice in published.items():
        bits[i] = choice.price
        gzipped[i] = gzip_bits(block.values[ends[i] - block.lengths[i] : ends[i]].tobytes())
    return tally_sequences(block.lengths, bits, block.element_bits, gzipped)


def _solutions_table(
    archived: dict[int, Choice], published: dict[int, Choice], as_program: NDArray[np.bool_]
) -> pa.Table:
    """Return the published ledger's choices; `archived`: whether the archive codes it as a program."""
    rows = [
        {
            "sequence": i,
            "proposer": choice.proposer,
            "language": choice.program.language.value,
            "program": choice.program.text,
            "published_bits": choice.price,
            "archived": bool(as_program[i]),
        }
        for i, choice in sorted(published.items())
    ]
    return pa.Table.from_pylist(rows, SOLUTIONS)
