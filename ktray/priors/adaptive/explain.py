"""Where the bits of one program go, line by line, under the counts that blocks start from."""

from __future__ import annotations

from dataclasses import dataclass

from ktray.dsl.printer import to_text
from ktray.errors import ProgramError
from ktray.priors.adaptive.block import cheapest, flat_variants
from ktray.priors.adaptive.counts import Counts, shipped_counts
from ktray.priors.adaptive.desk import Desk
from ktray.priors.adaptive.flat import unflatten
from ktray.programs import Program


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """A line of the canonical form, and its bits by part; the length of a literal list is an argument."""

    text: str
    function: float
    references: float
    arguments: float
    literals: float

    @property
    def bits(self) -> float:
        """The line's bits together."""
        return self.function + self.references + self.arguments + self.literals


def explain(program: Program, counts: Counts | None = None) -> list[ExplainedLine]:
    """Return the lines of a DSL program as the prior codes them first in a block; the last is the output's.

    Their bits add up to the program's price. Raises ProgramError where the model cannot code the program.
    """
    desk = Desk(shipped_counts() if counts is None else counts)
    chosen = cheapest(desk, flat_variants(program))
    if chosen is None:
        raise ProgramError("no DSL program, or one that fails or is too large to be priced line by line")
    flat = chosen[1]
    desk.ledger[:] = 0.0
    desk.quote(desk.load(flat))
    texts = to_text(unflatten(*flat)).split("\n")
    return [
        ExplainedLine(text, function, references, arguments + lengths, literals)
        for text, (_, function, references, arguments, lengths, literals) in zip(
            texts, desk.ledger[: len(texts)].tolist(), strict=True
        )
    ]


def rendered(lines: list[ExplainedLine]) -> str:
    """Return the lines as a table of text: bits together, bits of each part, the line."""
    head = f"{'bits':>8} {'function':>9} {'references':>11} {'arguments':>10} {'literals':>9}  line"
    rows = [
        f"{line.bits:8.2f} {line.function:9.2f} {line.references:11.2f} {line.arguments:10.2f} "
        f"{line.literals:9.2f}  {line.text}"
        for line in lines
    ]
    return "\n".join([head, *rows, f"{sum(line.bits for line in lines):8.2f} together"])
