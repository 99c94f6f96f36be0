"""A corpus cut into blocks on disk, so that any worker can read the one it works on.

One Arrow file a block, and a manifest that is written last: with it, the store is complete.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ktray.commit import committed
from ktray.corpora import restore
from ktray.corpora.blocks import Corpus, CorpusBlock, Origin
from ktray.rundir import write_json

_SCALARS = ("kind", "element_bits", "chunk", "units", "restored_bytes", "part")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a block store holds: the number of sequences of each block, and the restored corpus."""

    sequences: tuple[int, ...]
    elements: int
    input_bits: int
    restored_bytes: int
    sha256: str


def block_path(folder: Path, number: int) -> Path:
    """Return where block `number` lies in a block store."""
    return folder / f"{number:06d}.arrow"


def store_corpus(
    corpus: Corpus, folder: Path, chunk: int, block_elements: int, progress: Callable[[int], None]
) -> Manifest:
    """Write all blocks of a corpus, one in memory at a time, and return the manifest.

    `progress` is called with the number of elements of each block. A store that is complete is not
    written again.
    """
    done = folder / "manifest.json"
    if done.exists():
        return read_manifest(folder)
    sequences, elements, bits, restored = [], 0, 0, 0
    digest = hashlib.sha256()
    for number, block in enumerate(corpus.blocks(chunk, block_elements)):
        write_block(block_path(folder, number), block)
        content = restore(block.kind, block.values, block.lengths, block.side)
        digest.update(content)
        sequences.append(len(block.lengths))
        elements += len(block.values)
        bits += len(block.values) * block.element_bits
        restored += len(content)
        progress(len(block.values))
    manifest = Manifest(tuple(sequences), elements, bits, restored, digest.hexdigest())
    write_json(done, dataclasses.asdict(manifest))
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a complete store."""
    data = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return Manifest(**{**data, "sequences": tuple(data["sequences"])})


def write_block(path: Path, block: CorpusBlock) -> None:
    """Write one block, whole or not at all."""
    meta = {name: getattr(block, name) for name in _SCALARS}
    meta["origins"] = [dataclasses.astuple(origin) for origin in block.origins]
    columns = {
        "values": pa.array([block.values.tobytes()], pa.large_binary()),
        "side": pa.array([block.side], pa.large_binary()),
        "lengths": pa.array([block.lengths.astype("<i8").tobytes()], pa.large_binary()),
    }
    table = pa.table(columns).replace_schema_metadata({"block": json.dumps(meta)})
    with committed(path) as temporary, pa.ipc.new_file(str(temporary), table.schema) as writer:
        writer.write_table(table)


def read_block(path: Path) -> CorpusBlock:
    """Return the block that `write_block` wrote."""
    with pa.OSFile(str(path), "rb") as source:
        table = pa.ipc.open_file(source).read_all()
    meta = json.loads(table.schema.metadata[b"block"])
    column = {name: table[name][0].as_py() for name in ("values", "side", "lengths")}
    return CorpusBlock(
        values=np.frombuffer(column["values"], np.uint8),
        lengths=np.frombuffer(column["lengths"], "<i8").astype(np.int64),
        side=column["side"],
        origins=tuple(Origin(*origin) for origin in meta.pop("origins")),
        **meta,
    )
