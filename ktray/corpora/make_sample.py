"""Rebuilds the files of the `sample` corpus from their public sources; sample_data/ATTRIBUTION.md names them.

    python -m ktray.corpora.make_sample --gensim gensim-4.4.0-*.whl --fasta hg38.fa --wav librivox/
    python -m ktray.corpora.make_sample --synthetic

Same sources, same bytes, but for FLAC, where another version of libFLAC may pack the same samples otherwise.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import itertools
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

from ktray.corpora.mixed import SAMPLE_DATA

_TEST_DATA = "gensim/test/test_data"
#: Member of the wheel, its encoding, and how many bytes are taken, up to the end of the last whole line.
_TEXTS = (
    ("enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2", "utf-8", 210_000),
    ("bgwiki-latest-pages-articles-shortened.xml.bz2", "utf-16", 32_000),
)
_DNA_BASES = 200_000
#: Two utterances, 8.3 seconds at 16 kHz.
_SPEECH = (
    "sense_and_sensibility_01_austen_64kb-0880.wav",
    "sense_and_sensibility_01_austen_64kb-0890.wav",
)

_SYNTHETIC_PAIRS, _SYNTHETIC_SEED = 400, 2025


def make_text(wheel: Path, out: Path) -> None:
    """Write the fronts of the two Wikipedia dumps in gensim's wheel, one after the other, as UTF-8."""
    with zipfile.ZipFile(wheel) as archive:
        fronts = [_front(archive.read(f"{_TEST_DATA}/{name}"), code, size) for name, code, size in _TEXTS]
    (out / "text.xml").write_bytes(b"".join(fronts))


def _front(packed: bytes, encoding: str, size: int) -> bytes:
    text = bz2.decompress(packed).decode(encoding).encode()
    return text[: text.rindex(b"\n", 0, size) + 1]


def make_dna(fasta: Path, out: Path) -> None:
    """Write the first lines of the first record, header included, up to the number of bases wanted."""
    lines = fasta.read_bytes().splitlines(keepends=True)
    sizes = itertools.accumulate(len(line.strip()) for line in lines[1:])
    count = 1 + sum(size <= _DNA_BASES for size in sizes)
    (out / "dna.fa").write_bytes(b"".join(lines[:count]))


def make_speech(folder: Path, out: Path) -> None:
    """Write the utterances as FLAC, sample for sample."""
    import soundfile

    for name in _SPEECH:
        samples, rate = soundfile.read(folder / name, dtype="int16")
        path = out / Path(name).with_suffix(".flac")
        soundfile.write(path, samples, rate, format="FLAC", subtype="PCM_16", compression_level=1.0)


def make_synthetic(out: Path) -> None:
    """Write pairs of a sequence and its program, drawn from the published distribution."""
    from ktray.corpora.synthetic import PUBLISHED, sample_pairs  # compiles its kernel: seconds

    pairs = sample_pairs(PUBLISHED, _SYNTHETIC_SEED, 0, _SYNTHETIC_PAIRS)
    rows = (json.dumps({"sequence": values.tolist(), "program": program}) for program, values in pairs)
    text = "".join(f"{row}\n" for row in rows)
    (out / "synthetic.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def main(arguments: Sequence[str] | None = None) -> None:
    """Rebuild the parts whose sources are given."""
    parser = argparse.ArgumentParser(description="Rebuild the shipped sample corpus from its sources.")
    parser.add_argument("--gensim", type=Path, help="the wheel of gensim 4.4.0 (PyPI)")
    parser.add_argument("--fasta", type=Path, help="hg38.fa of Debian's augustus-doc")
    parser.add_argument("--wav", type=Path, help="the folder librivox of Debian's pocketsphinx-testdata")
    parser.add_argument("--synthetic", action="store_true", help="draw the synthetic pairs anew")
    parser.add_argument("--out", type=Path, default=SAMPLE_DATA, help="default: where the sample is shipped")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    for source, make in ((given.gensim, make_text), (given.fasta, make_dna), (given.wav, make_speech)):
        if source is not None:
            make(source, given.out)
    if given.synthetic:
        make_synthetic(given.out)


if __name__ == "__main__":
    main()
