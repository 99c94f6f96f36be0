"""The `replay` proposer: candidates that were made elsewhere, from JSONL or a candidate log.

A JSONL line has `sequence` (its values) or `sequence_id`, and `program` (text) or `reply` (a model's raw
text, from which the program is extracted); `language` ("dsl" or "python") is optional: without it, a text
that parses as DSL is DSL. Keys that are not known are ignored.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ktray.candidatelog import read_candidates, read_log
from ktray.dsl.parser import parse
from ktray.errors import ConfigError, CorpusError, ProgramError
from ktray.programs import Candidate, CandidateKey, Language, Program
from ktray.proposers.extract import extract_program
from ktray.sequences import KtSequence, content_hash


@dataclass(frozen=True, slots=True)
class Given:
    """One program given for a sequence: `reply` is the raw text where there was one."""

    program: Program | None
    reply: str = ""


def detect_language(text: str) -> Language:
    """Return DSL for a text that parses as DSL, else Python."""
    try:
        parse(text)
    except ProgramError:
        return Language.PYTHON
    return Language.DSL


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) of a JSONL file, plain or gzipped; empty lines are passed over.

    Raises CorpusError for a line that is not a JSON object, or a file that cannot be read.
    """
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if _is_gzip(path)
            else path.open(encoding="utf-8") as lines
        ):
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _json_object(path, number, line)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: {_reason(error)}; expected JSONL, plain or gzipped") from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError, ValueError):
        raise CorpusError(f"{path} line {number}: not JSON, expected one object a line") from None
    if not isinstance(row, dict):
        raise CorpusError(f"{path} line {number}: saw {type(row).__name__}, expected a JSON object")
    return row


def given_program(row: dict[str, Any], where: str, language: Language | None) -> Given:
    """Return the program of a line with `program` or `reply`. Raises CorpusError where it has neither."""
    text, reply = row.get("program"), row.get("reply")
    if not isinstance(text, str) and not isinstance(reply, str):
        raise CorpusError(f"{where}: expected a text under 'program' or 'reply'")
    if isinstance(text, str):
        return Given(_program(text, row, where, language), _clean(reply) if isinstance(reply, str) else "")
    found = extract_program(_clean(str(reply)))
    return Given(_program(found, row, where, language) if found else None, _clean(str(reply)))


def _program(text: str, row: dict[str, Any], where: str, language: Language | None) -> Program:
    text = _clean(text)
    named = row.get("language", language)
    if named is None:
        return Program(detect_language(text), text)
    if not isinstance(named, str) or named not in set(Language):
        raise CorpusError(f"{where}: language {named!r}, expected 'dsl' or 'python'")
    return Program(Language(named), text)


def _clean(text: str) -> str:
    """Return text without lone surrogates, which no program and no Parquet file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def sequence_values(row: dict[str, Any], where: str) -> np.ndarray:
    """Return the `sequence` of a line as uint8. Raises CorpusError for anything but ints 0..255."""
    values = row.get("sequence")
    if not isinstance(values, list):
        raise CorpusError(f"{where}: expected a list under 'sequence'")
    for value in values:
        if type(value) is not int or not 0 <= value <= 255:
            raise CorpusError(
                f"{where}: saw {json.dumps(value)[:40]} in 'sequence', expected integers 0..255"
            )
    return np.array(values, np.uint8)


class ReplayProposer:
    """Gives the candidates that a file holds for each sequence, in the file's order."""

    name = "replay"

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise ConfigError(f"replay file {path} does not exist; give a JSONL file or a candidate log")
        self._path = path
        self._by_content: dict[str, list[Given]] = defaultdict(list)
        self._by_id: dict[str, list[Given]] = defaultdict(list)
        for file in _log_files(path):
            self._load_log(file)
        if not _log_files(path):
            self._load_jsonl(path)

    def settings(self) -> dict[str, object]:
        """Return what identifies this proposer: the content of its file."""
        return {"replay": _digest(self._path)}

    def propose(self, sequences: Sequence[KtSequence], samples: range) -> Iterator[Candidate]:
        """Yield the given candidates whose number is in `samples`."""
        for sequence in sequences:
            given = self._given(sequence)
            for index in range(samples.start, min(samples.stop, len(given))):
                key = CandidateKey(sequence.id, self.name, self._path.name, "", "", 0, index)
                yield Candidate(key, given[index].program, given[index].reply)

    def _given(self, sequence: KtSequence) -> list[Given]:
        by_content = self._by_content.get(content_hash(sequence.values.tobytes()), [])
        return by_content + self._by_id.get(sequence.id, [])

    def _load_jsonl(self, path: Path) -> None:
        for number, row in read_lines(path):
            where = f"{path} line {number}"
            given = given_program(row, where, None)
            if isinstance(row.get("sequence_id"), str):
                self._by_id[row["sequence_id"]].append(given)
            else:
                self._by_content[content_hash(sequence_values(row, where).tobytes())].append(given)

    def _load_log(self, path: Path) -> None:
        for candidate, _ in read_candidates(read_log(path).table):
            self._by_id[candidate.key.sequence_id].append(Given(candidate.program, candidate.reply))


def _log_files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.rglob("*.parquet"))
    return [path] if path.suffix == ".parquet" else []


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for file in _log_files(path) or [path]:
        digest.update(file.read_bytes())
    return digest.hexdigest()
