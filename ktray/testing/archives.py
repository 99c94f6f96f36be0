"""Small corpus blocks and archives for tests, each a function of its arguments alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ktray.archive import ArchiveWriter, EncodedBlock, encode_block
from ktray.archive.writer import ArchiveTotals
from ktray.corpora.blocks import CorpusBlock, Origin
from ktray.ports import Prior
from ktray.programs import Language, Program
from ktray.testing.fakes import FakePrior


def bytes_block(files: Mapping[str, bytes], chunk: int, start: int = 0, part: str = "") -> CorpusBlock:
    """Return a block of `files` (name to content), each cut by `chunk` and beginning at element `start`."""
    data = b"".join(files.values())
    lengths = [min(chunk, len(d) - i) for d in files.values() for i in range(0, len(d), chunk)]
    return CorpusBlock(
        kind="bytes",
        values=np.frombuffer(data, np.uint8),
        lengths=np.array(lengths, dtype=np.int64),
        origins=tuple(Origin(name, start, -(-len(d) // chunk)) for name, d in files.items()),
        element_bits=8,
        chunk=chunk,
        side=b"",
        units=len(data),
        restored_bytes=len(data),
        part=part,
    )


def uncut_block(name: str, pieces: Sequence[bytes]) -> CorpusBlock:
    """Return a block of `pieces` whose boundaries no chunk length tells."""
    data = b"".join(pieces)
    return CorpusBlock(
        kind="bytes",
        values=np.frombuffer(data, np.uint8),
        lengths=np.array([len(piece) for piece in pieces], dtype=np.int64),
        origins=(Origin(name, 0, len(pieces)),),
        element_bits=8,
        chunk=0,
        side=b"",
        units=len(data),
        restored_bytes=len(data),
    )


def listing_programs(block: CorpusBlock, language: Callable[[int], Language | None]) -> list[Program | None]:
    """Return each sequence as a program of `fakes.run_bytes` in `language(i)`, or None where that is."""
    chosen = [(language(i), sequence.values) for i, sequence in enumerate(block.sequences())]
    return [Program(lang, " ".join(map(str, v.tolist()))) if lang else None for lang, v in chosen]


def encoded(block: CorpusBlock, every: int = 0, prior: Prior | None = None) -> EncodedBlock:
    """Return `block` coded by `prior` (the fake one); each `every`-th sequence is a program, DSL first."""
    languages = [*Language]
    programs = listing_programs(
        block, lambda i: languages[i // every % 2] if every and i % every == 0 else None
    )
    return encode_block(block, programs, prior or FakePrior())


def write_archive(
    path: Path, blocks: Sequence[EncodedBlock], settings: Mapping[str, object] | None = None
) -> ArchiveTotals:
    """Write an archive of `blocks` at `path`."""
    with ArchiveWriter(path, settings or {"chunk": 16}) as writer:
        for block in blocks:
            writer.add_block(block)
    return writer.totals


def golden_blocks() -> list[EncodedBlock]:
    """Return the blocks of the golden archives; the first alone is too small for any field to be deflated."""
    first = bytes_block({"a": bytes(range(40)), "b": b"KoLMogorov"}, 16, start=5)
    return [encoded(first, every=2), encoded(uncut_block("c", [b"kt", b"", b"ray"]))]
