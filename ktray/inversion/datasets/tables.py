"""Tables of comma- or tab-separated values."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ktray.inversion.datasets.pieces import LOWER, WORDS, Category, letters


def _table(separator: str, cell: Callable[[Random], str], repeat_header: bool = False) -> Category:
    def make(rng: Random, length: int) -> str:
        columns = rng.randint(3, 5)
        header = separator.join(rng.sample(WORDS, columns))
        rows = [header, header] if repeat_header else [header]
        while sum(map(len, rows)) + len(rows) < length:
            rows.append(separator.join(cell(rng) for _ in range(columns)))
        return "\n".join(rows)

    return make


def _cell_number(rng: Random) -> str:
    return str(rng.randrange(1000))


def _cell_word(rng: Random) -> str:
    return letters(rng, LOWER, rng.randint(2, 5))


def _cell_mixed(rng: Random) -> str:
    return rng.choice([_cell_number(rng), _cell_word(rng), "NA", "true", "false", f"{rng.random():.2f}"])


def _cell_sparse(rng: Random) -> str:
    return _cell_number(rng) if rng.random() < 0.15 else ""


CATEGORIES: dict[str, Category] = {
    "tabular_csv_numeric": _table(",", _cell_number),
    "tabular_csv_words": _table(",", _cell_word),
    "tabular_csv_mixed": _table(",", _cell_mixed),
    "tabular_csv_sparse": _table(",", _cell_sparse),
    "tabular_csv_repeated_header": _table(",", _cell_word, repeat_header=True),
    "tabular_tsv_numeric": _table("\t", _cell_number),
    "tabular_tsv_mixed": _table("\t", _cell_mixed),
}
