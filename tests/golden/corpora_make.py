"""Writes the golden blocks anew: `python tests/golden/corpora_make.py`. For a new form of side data only."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from ktray.corpora import CorpusBlock, open_corpus
from ktray.corpora.restoring import restore_block

HERE = Path(__file__).parent

FASTA = (
    b";a comment\r\n>chr1 first\r\n" + b"ACGTNNNNnacgtRYK-\r\n" * 9 + b"AC\r\n"
    b"\r\n>chr2\n" + b"ACGTTGCAAC\n" * 40 + b"N" * 300 + b"\n>empty\n>last\nacg"
)
LINES = b'{"sequence": [0, 10, 255]}\n{"sequence": []}\n{"sequence": [7]}\n'


def golden_blocks(folder: Path) -> Iterator[CorpusBlock]:
    """Yield blocks of every kind that has side data or a form of its own, made of files in `folder`."""
    (folder / "x.fa").write_bytes(FASTA)
    (folder / "x.jsonl").write_bytes(LINES)
    soundfile.write(folder / "x.wav", np.arange(-50, 50, dtype=np.int16), 16_000)
    yield from open_corpus("dna", folder / "x.fa").blocks(16, 200)
    yield from open_corpus("sequences", folder / "x.jsonl").blocks(16, 200)
    yield from open_corpus("audio16", folder / "x.wav").blocks(16, 200)
    yield from open_corpus("audio8", folder / "x.wav").blocks(16, 200)


def as_row(block: CorpusBlock) -> dict[str, object]:
    """Return what restoring a block needs and gives, as JSON."""
    return {
        "kind": block.kind,
        "values": base64.b64encode(block.values.tobytes()).decode(),
        "lengths": block.lengths.tolist(),
        "side": base64.b64encode(block.side).decode(),
        "restored": base64.b64encode(restore_block(block)).decode(),
        "ids": [sequence.id for sequence in block.sequences()],
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = [json.dumps(as_row(block)) for block in golden_blocks(Path(folder))]
    (HERE / "corpora_v1.jsonl").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
