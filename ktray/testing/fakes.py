"""Fakes of the ports, of the same shape as the real ones and as small as they can be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ktray.ports import FLAG_LANGUAGES, CodedBlock, Entry, RunProgram
from ktray.programs import Program
from ktray.sequences import Values


class FakePrior:
    """A prior that stores everything as it is: a flag byte, then a program's text or a literal's bytes.

    Texts, and literals whose length the layout does not tell, come after their length (u32, little-endian).
    """

    name = "fake"

    def published_bits(self, programs: Sequence[Program]) -> NDArray[np.float64]:
        """Return eight bits a byte of text."""
        return np.array([8.0 * len(p.text.encode()) for p in programs])

    def prices(self, programs: Sequence[Program]) -> NDArray[np.float64]:
        """Return eight bits a byte of text, and the length before it."""
        return self.published_bits(programs) + 32

    def encode(self, entries: Sequence[Entry], lengths: NDArray[np.int64] | None) -> CodedBlock:
        """Return the entries one after another; no program is turned into a literal."""
        parts: list[bytes] = []
        sizes = {True: 0, False: 0}
        for entry in entries:
            flag, data = _coded(entry, lengths is None)
            parts += [bytes([flag]), data]
            sizes[flag > 0] += len(data)
        as_program = np.array([e.program is not None for e in entries], dtype=np.bool_)
        return CodedBlock(b"".join(parts), 8 * sizes[True], 8 * sizes[False], 8 * len(entries), as_program)

    def decode(
        self, payload: bytes, n: int, lengths: NDArray[np.int64] | None, run: RunProgram
    ) -> list[Entry]:
        """Return the `n` entries; ValueError where the payload is shorter or longer than they are."""
        entries, at = [], 0
        for i in range(n):
            flag, at = payload[at], at + 1
            size = None if flag or lengths is None else int(lengths[i])
            data, at = _taken(payload, at, size)
            program = Program(FLAG_LANGUAGES[flag - 1], data.decode()) if flag else None
            entries.append(Entry(run(program) if program else np.frombuffer(data, np.uint8), program))
        if at != len(payload):
            raise ValueError(f"{len(payload) - at} bytes too many")
        return entries


def _coded(entry: Entry, with_length: bool) -> tuple[int, bytes]:
    if entry.program is None:
        data = entry.values.tobytes()
        return 0, _sized(data) if with_length else data
    return 1 + FLAG_LANGUAGES.index(entry.program.language), _sized(entry.program.text.encode())


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


def _taken(payload: bytes, at: int, size: int | None) -> tuple[bytes, int]:
    if size is None:
        size, at = int.from_bytes(payload[at : at + 4], "little"), at + 4
    if at + size > len(payload):
        raise ValueError("the payload is cut")
    return payload[at : at + size], at + size


def run_bytes(program: Program) -> Values:
    """A fake interpreter: a program is a list of numbers, `1 2 3`, and gives those values."""
    return np.array([int(word) for word in program.text.split()], dtype=np.uint8)
