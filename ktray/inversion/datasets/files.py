"""Input files, read and written: the published layout (one object with `ios`) and one item a line.

Both hold `input` (str), `category` and, for the algorithm they were made for, `output`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ktray.commit import committed
from ktray.inversion.kinds import InversionError
from ktray.inversion.tasks import Item
from ktray.sequences import KtSequence

#: A longer line of an input file is refused (characters): one JSON object is parsed at a time.
MAX_LINE = 64 * 1024 * 1024
#: A longer input is refused (characters): BWT alone would sort so many rotations of it.
MAX_TEXT = 5000


def read_items(path: Path) -> list[Item]:
    """Return the items of a file, in order, duplicates dropped.

    Raises InversionError, naming the line, where one is not an object with a string `input` or `ios`.
    """
    items: dict[str, Item] = {}
    for number, record in json_lines(path):
        rows = record.get("ios", [record])
        if not isinstance(rows, list):
            raise InversionError(f"{path}, line {number}: `ios` is no list; expected a list of pairs")
        for row in rows:
            item = _item(row, record, f"{path}, line {number}")
            items.setdefault(item.text, item)
    if not items:
        raise InversionError(f"{path}: no inputs; expected lines of JSON with `input`, or one with `ios`")
    return list(items.values())


def write_items(path: Path, items: Iterable[Item]) -> None:
    """Write items as one JSON object a line, whole or not at all."""
    with committed(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for item in items:
            row = {"id": item.id, "input": item.text, "category": item.category, "source": item.source}
            stream.write(json.dumps(row) + "\n")


def items_of_sequences(sequences: Iterable[KtSequence], category: str) -> Iterator[Item]:
    """Yield ktray sequences as items: their bytes as UTF-8 where valid, else as Latin-1."""
    for sequence in sequences:
        data = sequence.values.tobytes()
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        yield Item(text, category, sequence.origin)


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) of a JSON-lines file; blank lines are skipped.

    Raises InversionError for an unreadable file, or a line that is no JSON object.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            number = 0
            while line := stream.readline(MAX_LINE):
                number += 1
                if line.strip():
                    yield number, parse_object(line, f"{path}, line {number}")
    except OSError as error:
        raise InversionError(f"{path}: {error.strerror}; expected a readable JSON-lines file") from None
    except UnicodeDecodeError:
        raise InversionError(f"{path}: not UTF-8 text; expected a JSON-lines file") from None


def parse_object(line: str, where: str) -> dict[str, Any]:
    """Return one line's JSON object. Raises InversionError naming `where`, whatever the line holds."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InversionError(f"{where}: not JSON ({reason[:100]}); expected one object a line") from None
    if not isinstance(record, dict):
        raise InversionError(f"{where}: a {type(record).__name__}; expected one JSON object a line")
    return record


def field(record: dict[str, Any], name: str, kind: type, where: str, default: Any = None) -> Any:
    """Return a field of a record. Raises InversionError where it is missing (unless a default is given)
    or of another type."""
    if name not in record and default is not None:
        return default
    if name not in record:
        raise InversionError(f"{where}: no `{name}`; the line has {_names(list(record))}")
    if type(record[name]) is not kind:
        saw = type(record[name]).__name__
        raise InversionError(f"{where}: `{name}` is of type {saw}; expected {kind.__name__}")
    return record[name]


def checked_text(text: str, where: str) -> str:
    """Return a text. Raises InversionError where it is too long for the reference programs, or holds half a
    surrogate pair, which no algorithm can code."""
    if len(text) > MAX_TEXT:
        raise InversionError(
            f"{where}: an input of {len(text)} characters; expected at most {MAX_TEXT}, as the reference "
            "programs are written to be read and not for speed"
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InversionError(f"{where}: the input holds a lone surrogate; expected Unicode text") from None
    return text


def _item(row: Any, record: dict[str, Any], where: str) -> Item:
    """Return the item of a row; `record` is the line's object, which holds what its rows share."""
    if not isinstance(row, dict):
        raise InversionError(f"{where}: a {type(row).__name__}; expected an object with `input`")
    source, algorithm = str(record.get("source", "")), str(record.get("algorithm", "")).lower()
    text = checked_text(field(row, "input", str, where), where)
    category = field(row, "category", str, where, "")
    return Item(text, category, field(row, "source", str, where, source), row.get("output"), algorithm)


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{n[:20]}`" for n in names[:6]) or "no fields"
