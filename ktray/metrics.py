"""From block reports to the metrics that a run prints; readers of metrics.json rely on the names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from ktray.ledger import PaperTally, paper_metrics
from ktray.solve import BlockReport


@dataclass(frozen=True, slots=True)
class ArchiveLedger:
    """Where the archive's bits went; the four sum to 8 x its bytes on disk."""

    program_bits: float
    literal_bits: float
    flag_bits: float
    overhead_bits: float


def archive_ledger(reports: Iterable[BlockReport], archive_bytes: int) -> ArchiveLedger:
    """Return the archive ledger; whatever is not program, literal or flag is overhead."""
    listed = list(reports)
    program = sum(r.program_bits for r in listed)
    literal = sum(r.literal_bits for r in listed)
    flag = sum(r.flag_bits for r in listed)
    return ArchiveLedger(program, literal, flag, 8 * archive_bytes - program - literal - flag)


def sum_tallies(reports: Iterable[BlockReport]) -> PaperTally:
    """Return the paper ledger's sums over blocks."""
    return reduce(PaperTally.__add__, (r.paper for r in reports), PaperTally())


def sum_counts(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Return the sum of several counts, largest first."""
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total.most_common())


def compress_metrics(
    corpus: str,
    reports: Sequence[BlockReport],
    archive_bytes: int,
    precision_joint: float | None,
    seconds: float,
) -> dict[str, Any]:
    """Return the metrics of `jobs.compress` ; rates are bits stored over bits of input."""
    tally = sum_tallies(reports)
    elements = sum(r.elements for r in reports)
    ledger = archive_ledger(reports, archive_bytes)
    return {
        "corpus": corpus,
        "sequences": tally.sequences,
        "elements": elements,
        "input_bits": tally.input_bits,
        "archive_bytes": archive_bytes,
        "archive_rate": 8 * archive_bytes / tally.input_bits if tally.input_bits else None,
        "correct_programs": tally.solved,
        "chosen": sum_counts(r.chosen for r in reports),
        "outcomes": sum_counts(r.outcomes for r in reports),
        "paper": paper_metrics(tally, precision_joint),
        "archive": {name: getattr(ledger, name) for name in ArchiveLedger.__slots__},
        "parts": part_metrics(reports),
        "seconds": seconds,
        "elements_per_second": elements / seconds if seconds > 0 else None,
    }


def part_metrics(reports: Sequence[BlockReport]) -> dict[str, dict[str, Any]]:
    """Return, for each part of a mixed corpus, its size and the rate of its own blocks."""
    parts: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(r.part for r in reports if r.part):
        own = [r for r in reports if r.part == name]
        bits = sum(r.input_bits for r in own)
        stored = sum(r.stored_bits for r in own)
        parts[name] = {
            "sequences": sum(r.sequences for r in own),
            "elements": sum(r.elements for r in own),
            "input_bits": bits,
            "stored_bits": stored,
            "archive_rate": stored / bits if bits else None,
            "correct_programs": sum(r.paper.solved for r in own),
            "chosen": sum_counts(r.chosen for r in own),
        }
    return parts
