"""The corpora by name. `open_corpus` is the one way in: what it refuses, it refuses with one clear line."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ktray.corpora import downloads
from ktray.corpora.audio import open_audio
from ktray.corpora.blocks import Corpus
from ktray.corpora.dna import open_dna
from ktray.corpora.drawing import SampledCorpus
from ktray.corpora.jsonl import open_sequences
from ktray.corpora.mixed import MixedCorpus
from ktray.corpora.plain import open_bytes, open_enwik
from ktray.corpora.selection import Limit, parse_limit
from ktray.errors import ConfigError

Opener = Callable[[str, Path, int, Limit], Corpus]


@dataclass(frozen=True, slots=True)
class _Entry:
    """How a corpus is opened, the bits an element counts for, and the downloads that it may be read from:
    the first without `--input`, any as `--input NAME`."""

    opener: Opener
    element_bits: int = 8
    downloads: tuple[str, ...] = ()


_LIBRISPEECH = ("librispeech-dev-clean", "librispeech-test-clean")

_CORPORA: dict[str, _Entry] = {
    "text": _Entry(open_bytes),
    "enwik8": _Entry(open_enwik, downloads=("enwik8",)),
    "enwik9": _Entry(open_enwik, downloads=("enwik9",)),
    "dna": _Entry(open_dna, 3, downloads=("grch38",)),
    "audio16": _Entry(open_audio, downloads=_LIBRISPEECH),
    "audio8": _Entry(open_audio, downloads=_LIBRISPEECH),
    "mfcc": _Entry(open_audio, downloads=_LIBRISPEECH),
    "sequences": _Entry(open_sequences),
    "file": _Entry(open_bytes),
}
_SAMPLE, _SYNTHETIC = "sample", "synthetic"

#: The names that `--corpus` takes.
CORPORA: tuple[str, ...] = (*_CORPORA, _SYNTHETIC, _SAMPLE)


def open_corpus(
    name: str,
    input: Path | None = None,
    *,
    element_bits: int | None = None,
    limit: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> Corpus:
    """Open the corpus `name` on the file or folder `input`, or on its public download where there is none
    (`input` may also name a download: `librispeech-test-clean`).

    `element_bits` (1..8) overrides the bits an element counts for; `limit` (`1MB`, `500seq`) takes the
    front of the corpus, then `sample` draws so many sequences by `seed`. `synthetic` takes the name of a
    preset as its input, and is drawn by `seed`, too. Downloads go to `cache_dir`.
    Raises ConfigError at an unknown name or option, CorpusError at an input that is not the corpus's.
    """
    if name not in CORPORA:
        near = difflib.get_close_matches(name, CORPORA, 1, 0.0)[0]
        raise ConfigError(f"unknown corpus {name!r}; did you mean {near!r}? known: {', '.join(CORPORA)}")
    _check_options(element_bits, sample)
    front = parse_limit(limit)
    if name == _SYNTHETIC:
        # Loads the sampler's kernels, which no other corpus needs.
        from ktray.corpora.drawn import open_synthetic

        corpus: Corpus = open_synthetic(name, str(input) if input else None, seed, front)
    else:
        corpus = _open(name, input, element_bits, front, cache_dir, progress)
    return corpus if sample is None else SampledCorpus(corpus, sample, seed)


def _check_options(element_bits: int | None, sample: int | None) -> None:
    if element_bits is not None and not 1 <= element_bits <= 8:
        raise ConfigError(f"--element-bits {element_bits}: expected 1 to 8")
    if sample is not None and sample < 1:
        raise ConfigError(f"--sample {sample}: expected a number of sequences of 1 or more")


def _open(
    name: str,
    input: Path | None,
    element_bits: int | None,
    limit: Limit,
    cache_dir: Path | None,
    progress: bool,
) -> Corpus:
    if name == _SAMPLE:
        if input is not None or element_bits is not None:
            raise ConfigError("--corpus sample is shipped with ktray; leave out --input and --element-bits")
        return MixedCorpus(limit=limit)
    entry = _CORPORA[name]
    path = _path(name, entry, input, cache_dir, progress)
    return entry.opener(name, path, element_bits or entry.element_bits, limit)


def _path(name: str, entry: _Entry, input: Path | None, cache_dir: Path | None, progress: bool) -> Path:
    if input is not None and (input.exists() or str(input) not in entry.downloads):
        return input
    if not entry.downloads:
        raise ConfigError(f"--corpus {name} needs a file; name it with --input PATH")
    wanted = entry.downloads[0] if input is None else str(input)
    return downloads.fetch(wanted, name, cache_dir, progress=progress)
