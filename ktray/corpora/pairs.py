"""Sets of program-sequence pairs: drawn in shards, each sequence once with its shortest program, as files.

A set is a function of settings, seed, shard size and how much is wanted, not of who draws it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ktray.commit import committed
from ktray.corpora.synthetic import Pairs, SamplerSettings, sample_columns
from ktray.dsl.encoded import decode_program, text_lengths
from ktray.dsl.feedback import feedback_text
from ktray.dsl.printer import to_text
from ktray.priors.uniform import published_bits
from ktray.sequences import content_hash

#: A row of a set. `uniform_bits` is the paper's uniform price of the program.
SCHEMA = pa.schema(
    [
        pa.field("sequence", pa.list_(pa.uint8()), nullable=False),
        pa.field("program", pa.string(), nullable=False),
        pa.field("uniform_bits", pa.float64(), nullable=False),
    ]
)
FORMATS = ("parquet", "jsonl")


@dataclass(frozen=True, slots=True)
class Survey:
    """What choosing among a shard's pairs needs, shape (n,) each: the sequence's content hash (uint64), the
    length of the program's text in characters, and the sequence's elements."""

    hashes: NDArray[np.uint64]
    text_lengths: NDArray[np.int64]
    elements: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.hashes)


def sequence_hash(values: bytes) -> int:
    """Return the 64-bit content hash of a sequence's bytes, by which evaluation sets are kept apart."""
    return int(content_hash(values), 16)


def survey(settings: SamplerSettings, seed: int, shard: int, count: int) -> Survey:
    """Draw a shard and return its survey."""
    pairs = sample_columns(settings, seed, shard, count)
    hashes = np.array([sequence_hash(values.tobytes()) for _, values in pairs.rows()], np.uint64)
    elements = np.diff(pairs.value_ends, prepend=0)
    return Survey(hashes, text_lengths(pairs.flat, pairs.flat_ends), elements)


def choose(
    surveys: Sequence[Survey], excluded: NDArray[np.uint64], most: int | None, most_elements: int | None
) -> list[NDArray[np.bool_]]:
    """Return for each shard which of its pairs belong to the set.

    Each sequence is kept once, with its shortest program (the earlier one of two as long), unless it is
    `excluded`; then in order of drawing at most `most` pairs, and no pair once `most_elements` are reached.
    """
    hashes = np.concatenate([s.hashes for s in surveys])
    order = np.lexsort((np.arange(len(hashes)), np.concatenate([s.text_lengths for s in surveys]), hashes))
    first = np.ones(len(hashes), np.bool_)
    first[1:] = hashes[order][1:] != hashes[order][:-1]
    kept = np.zeros(len(hashes), np.bool_)
    kept[order[first]] = True
    kept &= ~np.isin(hashes, excluded)
    if most is not None:
        kept &= np.cumsum(kept) <= most
    if most_elements is not None:
        elements = np.where(kept, np.concatenate([s.elements for s in surveys]), 0)
        kept &= np.cumsum(elements) - elements < most_elements
    return np.split(kept, np.cumsum([len(s) for s in surveys])[:-1])


@dataclass(frozen=True, slots=True)
class ShardFile:
    """One file of a set: where it goes, what it is drawn from, and whether lines tell their values."""

    path: Path
    settings: SamplerSettings
    seed: int
    shard: int
    feedback: bool


def write_shard(file: ShardFile, kept: NDArray[np.bool_]) -> int:
    """Draw a shard again and write the pairs that are `kept`; return their number. The file appears whole."""
    pairs = sample_columns(file.settings, file.seed, file.shard, len(kept))
    table = pairs_table(pairs, kept, feedback=file.feedback)
    with committed(file.path) as temporary:
        if file.path.suffix == ".parquet":
            pq.write_table(table, temporary, compression="zstd")
        else:
            with temporary.open("w", encoding="utf-8") as out:
                out.writelines(json.dumps(row) + "\n" for row in table.to_pylist())
    return int(table.num_rows)


def pairs_table(pairs: Pairs, kept: NDArray[np.bool_], *, feedback: bool = False) -> pa.Table:
    """Return the pairs that are `kept` as a table of SCHEMA.

    With `feedback`, each line of a program ends with a comment that tells its list (paper: Fig. 12).
    """
    rows = [row for row, keep in zip(pairs.rows(), kept.tolist(), strict=True) if keep]
    texts, bits = [], []
    for flat, _ in rows:  # one program at a time: a list of them all would keep the garbage collector busy
        program = decode_program(flat.tolist())
        texts.append(feedback_text(program) if feedback else to_text(program))
        bits.append(published_bits(program))
    ends = np.cumsum([0, *(len(values) for _, values in rows)])
    values = np.concatenate([np.zeros(0, np.uint8), *(values for _, values in rows)])
    columns = [
        pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(values)),
        pa.array(texts, pa.string()),
        pa.array(bits, pa.float64()),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def read_pairs(folder: Path, format: str = "parquet") -> Iterator[tuple[bytes, str]]:
    """Yield sequence and program text of each pair in a set's files of one format, in order."""
    for path in sorted(folder.glob(f"pairs-*.{format}")):
        if format == "parquet":
            for batch in pq.ParquetFile(path).iter_batches(columns=["sequence", "program"]):
                rows = batch.to_pydict()
                yield from zip(map(bytes, rows["sequence"]), rows["program"], strict=True)
        else:
            with path.open(encoding="utf-8") as lines:
                for row in map(json.loads, lines):
                    yield bytes(row["sequence"]), row["program"]
