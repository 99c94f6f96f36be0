"""What a prelude of macros could save: `python -m ktray.priors.adaptive.macros pairs.jsonl.gz`.

A macro is a run of lines with the same functions and the same references among themselves; constants are its
holes, which cost what they did. What it can save are the bits of functions and references. Its call is priced
by how often it comes after the two functions before, as found afterwards, and every other line pays for not
being a call. Lines that refer out of the run, too, keep the bits of their references.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ktray.dsl.ops import BY_NAME, Param
from ktray.priors.adaptive.block import cheapest, flat_variants
from ktray.priors.adaptive.counts import shipped_counts
from ktray.priors.adaptive.desk import Desk
from ktray.priors.adaptive.flat import unflatten
from ktray.priors.adaptive.machine import FIRST, OP, SECOND
from ktray.priors.adaptive.model import FUNCTION, REFERENCE
from ktray.programs import Language, Program
from ktray.proposers.replay import read_lines

#: Lines of a macro, the fewest calls that are looked at, and bits beside its own lines to define one.
_LENGTHS = range(2, 7)
_FEWEST = 20
_DEFINITION = 8.0

Key = tuple[tuple[int, ...], ...]
Context = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """A line as coded: its function, the lines it refers to, and the bits of both."""

    op: int
    references: tuple[int, ...]
    function_bits: float
    reference_bits: float

    def saved(self, start: int) -> float:
        """Return the bits that a macro saves that begins at line `start`."""
        return self.function_bits + (
            self.reference_bits if min(self.references, default=start) >= start else 0
        )


@dataclass(slots=True)
class Found:
    """What is known of a macro: how often it is called after each context, and what its calls cost so far."""

    calls: Counter[Context]
    bits: float = 0.0


def coded_lines(texts: list[str]) -> tuple[list[list[Line]], float]:
    """Code programs one after another; return their lines and the bits of everything."""
    desk, programs, total = Desk(shipped_counts()), list[list[Line]](), 0.0
    for text in texts:
        found = cheapest(desk, flat_variants(Program(Language.DSL, text)))
        if found is None:
            continue
        desk.ledger[:] = 0.0
        total += desk.program(desk.load(found[1]))
        desk.mode[3] = 0
        spent = desk.ledger[: len(found[1].rows)].tolist()
        calls = unflatten(*found[1]).lines
        programs.append(
            [
                Line(
                    row[OP],
                    tuple(row[c] for c, _ in zip((FIRST, SECOND), _references(call.op), strict=False)),
                    bits[FUNCTION],
                    bits[REFERENCE],
                )
                for row, bits, call in zip(found[1].rows, spent, calls, strict=True)
            ]
        )
    return programs, total


def _references(op: str) -> list[Param]:
    return [param for param in BY_NAME[op].params if param is Param.REF]


def windows(lines: list[Line], length: int) -> Iterator[tuple[Context, Key, float]]:
    """Yield each run of `length` lines: the functions before it, what it looks like, and what a macro saves."""
    for at in range(len(lines) - length + 1):
        run = lines[at : at + length]
        before = (lines[at - 1].op if at else -1, lines[at - 2].op if at > 1 else -1)
        key = tuple((line.op, *(max(r - at, -1) for r in line.references)) for line in run)
        yield before, key, sum(line.saved(at) for line in run)


def gains(programs: list[list[Line]]) -> dict[Key, float]:
    """Return the bits that each macro of its own would save, where that is above 0."""
    places = Counter[Context]()
    found: defaultdict[Key, Found] = defaultdict(lambda: Found(Counter()))
    for lines in programs:
        places.update(before for before, _, _ in windows(lines, 1))
        for length in _LENGTHS:
            for before, key, bits in windows(lines, length):
                found[key].calls[before] += 1
                found[key].bits += bits
    saved = {
        key: macro.bits - _calling(macro.calls, places) - macro.bits / macro.calls.total() - _DEFINITION
        for key, macro in found.items()
        if macro.calls.total() >= _FEWEST
    }
    return {key: bits for key, bits in saved.items() if bits > 0}


def _calling(calls: Counter[Context], places: Counter[Context]) -> float:
    """Return the bits of telling at every place whether the macro is called there."""
    bits = 0.0
    for before, times in calls.items():
        share = times / places[before]
        bits -= times * math.log2(share)
        bits -= (places[before] - times) * math.log2(1 - share) if share < 1 else 0.0
    return bits


def main() -> None:
    """Print the best macros, and what all of them together could save at most."""
    parser = argparse.ArgumentParser(prog="python -m ktray.priors.adaptive.macros", description=__doc__)
    parser.add_argument("pairs", type=Path, help="JSONL (plain or .gz) with `program`, or `programs` a line")
    parser.add_argument("--limit", type=int, default=4000)
    args = parser.parse_args()
    rows = [row for _, row in read_lines(args.pairs)][: args.limit]
    texts = [str(row.get("program") or next(iter(row["programs"]), "")) for row in rows]
    programs, total = coded_lines(texts)
    structure = sum(line.function_bits + line.reference_bits for lines in programs for line in lines)
    saved = sorted(gains(programs).items(), key=lambda item: -item[1])
    print(f"{len(programs)} programs, {total:,.0f} bits; functions and references {structure / total:.1%}")
    for key, bits in saved[:5]:
        print(f"  {bits:9.0f} bits ({bits / total:.3%})  {key}")
    print(
        f"{len(saved)} macros save anything by themselves, the best {saved[0][1] / total if saved else 0:.3%}"
    )


if __name__ == "__main__":
    main()
