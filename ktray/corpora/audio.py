"""Speech and other audio: `audio16` and `audio8` (samples, restored exactly) and `mfcc` (one-way).

Samples are read as 16-bit integers, never resampled; channels are interleaved. `audio16` has two bytes a
sample, little-endian; `audio8` its upper byte (two's complement, that is the sample shifted right by 8);
`mfcc` 20 coefficients a frame, rounded, modulo 256, the (20, frames) array of a file row by row.
"""

from __future__ import annotations

import json
import warnings
import wave
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ktray.corpora.blocks import CorpusBlock
from ktray.corpora.chunking import (
    Quota,
    Span,
    Stream,
    chunk_lengths,
    chunk_origins,
    chunked_blocks,
    within_bits,
)
from ktray.corpora.selection import NO_LIMIT, Limit, selected_digest
from ktray.corpora.side import squeeze, unsqueeze
from ktray.corpora.sources import check_file, check_name, digest_files, reading
from ktray.errors import ArchiveError, CorpusError
from ktray.sequences import Values

KINDS = {"audio16": "pcm16", "audio8": "pcm8", "mfcc": "mfcc"}
SUFFIXES = (".flac", ".wav")
COEFFICIENTS = 20
MFCC_NOTE = "mfcc is one-way: the MFCC bytes are restored, the sound is not"
_FRAMES_A_PIECE = 1 << 19
#: Encodings whose samples are 16-bit integers or fewer bits, so that reading them as such loses nothing.
_EXACT = {"PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW"}
_UNKNOWN_FRAMES = 1 << 62


@dataclass(frozen=True, slots=True)
class AudioPiece:
    """What a block has of one file: its name, first element and number of elements in the corpus's own
    bytes, sample rate in Hz and number of channels."""

    name: str
    start: int
    elements: int
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class AudioCorpus:
    """The FLAC and WAV files below `folder` (or the one file `files` names), in the order of their names."""

    name: str
    folder: Path
    files: tuple[str, ...]
    element_bits: int = 8
    limit: Limit = NO_LIMIT

    @property
    def note(self) -> str:
        return MFCC_NOTE if self.name == "mfcc" else ""

    def digest(self) -> str:
        digest = digest_files((name, self.folder / name) for name in self.files)
        return selected_digest(digest, self.limit)

    def blocks(self, chunk: int, block_elements: int) -> Iterator[CorpusBlock]:
        def finish(spans: list[Span], values: Values) -> CorpusBlock:
            lengths, origins = chunk_lengths(spans, chunk), chunk_origins(spans, chunk)
            kind, size, side = KINDS[self.name], len(values), _write_table(spans)
            return CorpusBlock(kind, values, lengths, origins, self.element_bits, chunk, side, size, size)

        quota = Quota(self.limit.elements(self.element_bits), self.limit.sequences, whole=True)
        blocks = chunked_blocks(self._streams(), chunk, block_elements, finish, quota)
        yield from within_bits(blocks, self.element_bits)

    def _streams(self) -> Iterator[Stream]:
        convert = _CONVERTERS[self.name]
        for name in self.files:
            path = self.folder / name
            with _opened(path) as sound:
                yield Stream(name, convert(path, sound), (sound.samplerate, sound.channels))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open `path` with soundfile, and refuse what cannot be read as 16-bit samples without loss."""
    import soundfile

    check_name(path)
    _check_not_cut(path)
    try:
        sound = soundfile.SoundFile(str(path))
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".").lower()
        raise CorpusError(
            f"{path} is no readable FLAC or WAV file ({reason}); convert or remove it"
        ) from None
    with sound:
        if sound.subtype not in _EXACT:
            raise CorpusError(
                f"{path} holds {sound.subtype} samples; expected at most 16 bits a sample; "
                "convert it first (sox IN -b 16 OUT)"
            )
        if not sound.frames:
            raise CorpusError(f"{path} has no samples; expected a recording; remove the file")
        yield sound


def _check_not_cut(path: Path) -> None:
    with reading(path), path.open("rb") as file:
        head, size = file.read(12), path.stat().st_size
    if not size:
        raise CorpusError(f"{path} is empty; expected a FLAC or WAV file; remove it")
    declared = int.from_bytes(head[4:8], "little") + 8
    # 0 and 0xFFFFFFFF stand for "unknown" in files that were written to a pipe; some lack the last padding.
    if head[:4] == b"RIFF" and 8 < declared < 0xFFFFFFFF and declared > size + 1:
        raise CorpusError(f"{path} is cut: it has {size} bytes of {declared}; fetch it again or remove it")


def _samples(path: Path, sound: Any) -> Iterator[NDArray[np.int16]]:
    """Yield the samples, shape (frames, channels); raises CorpusError where declared ones are missing."""
    import soundfile

    frames = 0
    while True:
        try:
            piece: NDArray[np.int16] = sound.read(_FRAMES_A_PIECE, dtype="int16", always_2d=True)
        except soundfile.LibsndfileError as error:
            reason = error.error_string.rstrip(".").lower()
            raise CorpusError(
                f"{path} is cut or damaged after {frames} frames ({reason}); fetch it again"
            ) from None
        frames += len(piece)
        if not len(piece):
            break
        yield piece
    if frames != sound.frames and sound.frames < _UNKNOWN_FRAMES:
        raise CorpusError(
            f"{path} is cut: it has {frames} of {sound.frames} frames; fetch it again or remove it"
        )


def _pcm16(path: Path, sound: Any) -> Iterator[Values]:
    for piece in _samples(path, sound):
        yield np.ascontiguousarray(piece, dtype="<i2").reshape(-1).view(np.uint8)


def _pcm8(path: Path, sound: Any) -> Iterator[Values]:
    for piece in _samples(path, sound):
        yield (piece >> 8).astype(np.int8).reshape(-1).view(np.uint8)


def _mfcc(path: Path, sound: Any) -> Iterator[Values]:
    import librosa

    # A file is analysed whole: its frames overlap. Channels are averaged.
    samples = np.concatenate(list(_samples(path, sound))).astype(np.float32).mean(axis=1) / 32768
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a recording shorter than one window is padded
        coefficients = librosa.feature.mfcc(y=samples, sr=sound.samplerate, n_mfcc=COEFFICIENTS)
    yield (np.rint(coefficients).astype(np.int64) % 256).astype(np.uint8).reshape(-1)


_CONVERTERS: dict[str, Callable[[Path, Any], Iterator[Values]]] = {
    "audio16": _pcm16,
    "audio8": _pcm8,
    "mfcc": _mfcc,
}


def _write_table(spans: Iterable[Span]) -> bytes:
    rows = [[span.name, span.start, span.elements, *span.about] for span in spans]
    return squeeze(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode())


def read_audio_table(side: bytes) -> list[AudioPiece]:
    """Return what files a block of kind pcm16, pcm8 or mfcc has pieces of, in order.

    Raises ArchiveError where it is damaged.
    """
    try:
        rows = json.loads(unsqueeze(side))
        return [AudioPiece(str(row[0]), *(int(number) for number in row[1:])) for row in rows]
    except (ValueError, TypeError, IndexError) as error:
        raise ArchiveError(f"an audio block's table is damaged ({error}); make the archive again") from None


def restore_audio(values: Values, lengths: NDArray[np.int64], side: bytes) -> bytes:
    """Return the PCM or MFCC bytes, which are the elements."""
    return values.tobytes()


def write_wavs(folder: Path, blocks: Iterable[tuple[bytes, bytes]]) -> list[Path]:
    """Write the files of a 16-bit corpus as WAV into `folder`, and return their paths.

    `blocks` are the restored bytes and the side of every block of kind pcm16, in order. A file keeps its
    name, with `.wav` for another suffix. Raises ArchiveError where a name would leave `folder`.
    """
    written: list[Path] = []
    sink: wave.Wave_write | None = None
    try:
        for data, side in blocks:
            at = 0
            for piece in read_audio_table(side):
                if sink is None or piece.start == 0:
                    sink = _next_wav(sink, folder, piece, written)
                sink.writeframesraw(data[at : at + piece.elements])
                at += piece.elements
    finally:
        if sink is not None:
            sink.close()
    return written


def _next_wav(
    before: wave.Wave_write | None, folder: Path, piece: AudioPiece, written: list[Path]
) -> wave.Wave_write:
    if before is not None:
        before.close()
    path = _wav_path(folder, piece.name, written)
    path.parent.mkdir(parents=True, exist_ok=True)
    sink = wave.open(str(path), "wb")  # noqa: SIM115 - closed by the caller, which writes piece by piece
    sink.setnchannels(piece.channels)
    sink.setsampwidth(2)
    sink.setframerate(piece.sample_rate)
    written.append(path)
    return sink


def _wav_path(folder: Path, name: str, written: list[Path]) -> Path:
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise ArchiveError(f"the archive names a file {name!r} outside the folder; it was not written")
    path = folder / relative.with_suffix(".wav")
    return path if path not in written else folder / f"{name}.wav"


def open_audio(name: str, path: Path, element_bits: int, limit: Limit) -> AudioCorpus:
    """Open a folder of FLAC and WAV files (searched to any depth), or one such file; raises CorpusError."""
    if not path.is_dir():
        check_file(path, "a FLAC or WAV file, or a folder of them")
        return AudioCorpus(name, path.parent, (path.name,), element_bits, limit)
    with reading(path):
        found = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        files = sorted(file.relative_to(path).as_posix() for file in found)
    if not files:
        raise CorpusError(f"{path} has no .flac or .wav file in it; expected a folder of recordings")
    return AudioCorpus(name, path, tuple(files), element_bits, limit)
