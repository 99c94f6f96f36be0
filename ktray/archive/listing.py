"""What an archive tells of itself without decoding: header, blocks, and sums by prior, part and language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ktray.archive.format import VERSION, BlockInfo
from ktray.archive.reader import ArchiveReader
from ktray.archive.writer import ArchiveTotals, totals


@dataclass(frozen=True, slots=True)
class Listing:
    """An archive's settings, totals, blocks in order, and the totals of its blocks by prior and by part.

    `archive_bytes` in `by_prior` and `by_part` counts the bytes of their blocks alone.
    """

    path: str
    settings: dict[str, object]
    unit: str
    units: int
    totals: ArchiveTotals
    blocks: tuple[BlockInfo, ...]
    by_prior: dict[str, ArchiveTotals]
    by_part: dict[str, ArchiveTotals]

    def to_json(self) -> dict[str, object]:
        """Return the listing as JSON data."""
        data = asdict(self)
        data["blocks"] = [{**asdict(b), "digest": b.digest.hex()} for b in self.blocks]
        return {**data, "format": VERSION}

    def render(self) -> RenderableType:
        """Return the listing as rich tables."""
        return Group(
            self._header(), self._blocks(), self._sums("prior"), self._sums("part"), self._languages()
        )

    def _header(self) -> RenderableType:
        t = self.totals
        settings = ", ".join(f"{key}={value}" for key, value in self.settings.items())
        lines = [
            f"{self.path}: format {VERSION}, {t.archive_bytes:,} bytes, rate {_rate(t)}",
            f"settings: {settings}",
            f"restores {t.restored_bytes:,} bytes (range: {self.units:,} {self.unit}), sha256 {t.sha256}",
        ]
        return Group(*map(_text, lines))

    def _blocks(self) -> RenderableType:
        columns = "block part kind prior chunk sequences elements bits/element restored stored rate"
        rows = [[str(i), *_block_row(info)] for i, info in enumerate(self.blocks)]
        return _table("Blocks", columns, rows, left=4)

    def _sums(self, key: str) -> RenderableType:
        sums = self.by_prior if key == "prior" else self.by_part
        columns = f"{key} sequences elements stored rate literal dsl python"
        rows = [
            [name or "-", *_sum_row(t), *map(_n, (t.literals, t.dsl, t.python))] for name, t in sums.items()
        ]
        return _table(f"By {key}", columns, rows, left=1)

    def _languages(self) -> RenderableType:
        t = self.totals
        counts, bits = (t.literals, t.dsl, t.python), (t.literal_bits, t.program_bits, t.flag_bits)
        return Group(
            _table("Sequences by language", "literal dsl python", [[_n(c) for c in counts]], left=0),
            _table(
                "Bits by ledger column",
                "literal program flag overhead",
                [[f"{b:,.0f}" for b in (*bits, t.overhead_bits)]],
                left=0,
            ),
        )


def list_archive(reader: ArchiveReader) -> Listing:
    """Return the listing of an open archive."""
    return Listing(
        path=str(reader.path),
        settings=reader.settings,
        unit=reader.unit,
        units=reader.units,
        totals=reader.totals,
        blocks=reader.blocks,
        by_prior=_grouped(reader, lambda info: info.prior),
        by_part=_grouped(reader, lambda info: info.part),
    )


def _grouped(reader: ArchiveReader, key: Callable[[BlockInfo], str]) -> dict[str, ArchiveTotals]:
    groups: dict[str, list[BlockInfo]] = {}
    for info in reader.blocks:
        groups.setdefault(key(info), []).append(info)
    return {name: totals(infos, sum(i.stored_bytes for i in infos), b"") for name, infos in groups.items()}


def _block_row(info: BlockInfo) -> list[str]:
    names = [info.part or "-", info.kind, info.prior]
    numbers = map(_n, (info.chunk, info.sequences, info.elements, info.element_bits, info.restored_bytes))
    rate = 8 * info.stored_bytes / info.input_bits if info.input_bits else None
    return [*names, *numbers, _n(info.stored_bytes), "-" if rate is None else f"{rate:.4f}"]


def _sum_row(t: ArchiveTotals) -> list[str]:
    return [_n(t.sequences), _n(t.elements), _n(t.archive_bytes), _rate(t)]


def _rate(t: ArchiveTotals) -> str:
    return "-" if t.rate is None else f"{t.rate:.4f}"


def _n(value: int) -> str:
    return f"{value:,}"


def _text(words: str) -> Text:
    """Return `words` as they are: names in a file are neither markup nor control sequences."""
    return Text("".join(c if c.isprintable() else "?" for c in words))


def _table(title: str, columns: str, rows: list[list[str]], left: int) -> Table:
    """Return a table; the first `left` columns are words, the others numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE, pad_edge=False)
    for i, column in enumerate(columns.split()):
        table.add_column(column, justify="left" if i < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(_text, row))
    return table
