"""Audio: the samples come back exactly, MFCCs are librosa's, and 16-bit files can be written as WAV again."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from ktray.corpora import CorpusBlock, open_corpus
from ktray.corpora.audio import AudioPiece, read_audio_table, write_wavs
from ktray.corpora.mixed import SAMPLE_DATA
from ktray.corpora.restoring import restore_block
from ktray.corpora.side import squeeze
from ktray.errors import ArchiveError

NAMES = ["a/1.flac", "a/10.FLAC", "a/2.wav", "b.wav"]


@pytest.fixture
def recordings(tmp_path: Path) -> dict[str, np.ndarray]:
    """Four files in two folders, mono and stereo, of several rates: name to samples, (frames, channels)."""
    rng, made = np.random.default_rng(5), {}
    shapes = [(900, 1, 16000), (700, 2, 44100), (333, 1, 8000), (1, 1, 16000)]
    for name, (frames, channels, rate) in zip(NAMES, shapes, strict=True):
        made[name] = rng.integers(-32768, 32768, (frames, channels)).astype(np.int16)
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "in" / name, made[name], rate, subtype="PCM_16")
    (tmp_path / "in" / "README.txt").write_text("no recording")
    return made


def blocks_of(name: str, path: Path, chunk: int = 128, room: int = 1 << 20) -> list[CorpusBlock]:
    return list(open_corpus(name, path).blocks(chunk, room))


@pytest.mark.parametrize(("chunk", "room"), [(128, 1 << 20), (128, 300), (7, 7), (1, 1)])
def test_16_bits_are_the_samples_as_little_endian_bytes(tmp_path, recordings, chunk: int, room: int):
    blocks = blocks_of("audio16", tmp_path / "in", chunk, room)
    expected = b"".join(recordings[name].astype("<i2").tobytes() for name in NAMES)
    assert b"".join(map(restore_block, blocks)) == expected
    names = [origin.name for block in blocks for origin in block.origins]
    assert list(dict.fromkeys(names)) == NAMES


def test_8_bits_are_the_upper_bytes_of_the_samples(tmp_path, recordings):
    restored = b"".join(map(restore_block, blocks_of("audio8", tmp_path / "in")))
    expected = [recordings[name].astype("<i2").tobytes()[1::2] for name in NAMES]
    assert restored == b"".join(expected)


def test_chunks_stay_within_their_file(tmp_path, recordings):
    (block,) = blocks_of("audio8", tmp_path / "in", 100)
    sizes = [recordings[name].size for name in NAMES]
    expected = [100] * 9 + [100] * 14 + [100] * 3 + [33] + [1]
    assert sum(sizes) == len(block.values)
    assert block.lengths.tolist() == expected


def test_the_table_tells_rates_and_channels(tmp_path, recordings):
    (block,) = blocks_of("audio16", tmp_path / "in")
    assert read_audio_table(block.side) == [
        AudioPiece("a/1.flac", 0, 1800, 16000, 1),
        AudioPiece("a/10.FLAC", 0, 2800, 44100, 2),
        AudioPiece("a/2.wav", 0, 666, 8000, 1),
        AudioPiece("b.wav", 0, 2, 16000, 1),
    ]


@pytest.mark.parametrize("room", [1 << 20, 128, 333])
def test_wav_files_hold_the_samples_again(tmp_path, recordings, room: int):
    blocks = blocks_of("audio16", tmp_path / "in", 32, room)
    paths = write_wavs(tmp_path / "out", ((restore_block(block), block.side) for block in blocks))
    assert [path.relative_to(tmp_path / "out").as_posix() for path in paths] == [
        "a/1.wav",
        "a/10.wav",
        "a/2.wav",
        "b.wav",
    ]
    for name, path in zip(NAMES, paths, strict=True):
        with wave.open(str(path)) as sound:
            assert sound.readframes(10_000) == recordings[name].astype("<i2").tobytes()
            assert sound.getframerate() == soundfile.info(tmp_path / "in" / name).samplerate


def test_two_files_of_one_stem_are_both_written(tmp_path):
    row = ["x.flac", 0, 4, 16000, 1]
    side = squeeze(json.dumps([row, ["x.wav", 0, 2, 16000, 1]]).encode())
    paths = write_wavs(tmp_path, [(b"abcdef", side)])
    assert [path.name for path in paths] == ["x.wav", "x.wav.wav"]
    assert [path.stat().st_size for path in paths] == [48, 46]


@pytest.mark.parametrize("name", ["../x.wav", "/x.wav", "a/../../x.wav"])
def test_no_wav_is_written_outside_the_folder(tmp_path, name: str):
    side = squeeze(json.dumps([[name, 0, 2, 16000, 1]]).encode())
    with pytest.raises(ArchiveError, match="outside the folder"):
        write_wavs(tmp_path / "out", [(b"ab", side)])


def test_one_file_is_a_corpus_too(tmp_path, recordings):
    (block,) = blocks_of("audio16", tmp_path / "in" / "a" / "2.wav")
    assert [origin.name for origin in block.origins] == ["2.wav"]
    assert restore_block(block) == recordings["a/2.wav"].tobytes()


def test_8_bit_wavs_are_read_as_16_bits(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([-1.0, 0, 0.5]), 8000, subtype="PCM_U8")
    (block,) = blocks_of("audio16", tmp_path / "a.wav")
    assert block.values.view("<i2").tolist() == [-32768, 0, 16384]


def test_mfccs_are_librosas_row_by_row():
    path = SAMPLE_DATA / "sense_and_sensibility_01_austen_64kb-0880.flac"
    samples, rate = librosa.load(path, sr=None)
    expected = np.rint(librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=20)).astype(int) % 256
    (block,) = blocks_of("mfcc", path)
    assert block.values.tolist() == expected.reshape(-1).tolist()
    assert restore_block(block) == block.values.tobytes()
    # Neighbouring bytes are neighbouring frames of one coefficient, as in the published file.
    steps = np.abs(np.diff(block.values.view(np.int8).astype(int)))
    across = np.abs(block.values[20:].view(np.int8).astype(int) - block.values[:-20].view(np.int8))
    assert steps.mean() < across.mean()


def test_mfcc_says_that_it_is_one_way(tmp_path, recordings):
    corpus = open_corpus("mfcc", tmp_path / "in")
    assert "one-way" in corpus.note
    assert open_corpus("audio16", tmp_path / "in").note == ""
    # Channels are averaged, and recordings shorter than a window are no trouble: a frame a hop of 512.
    rows = [origin.sequences for block in corpus.blocks(20, 1 << 20) for origin in block.origins]
    assert rows == [2, 2, 1, 1]


def test_the_digest_follows_names_and_contents(tmp_path, recordings):
    digest = open_corpus("audio16", tmp_path / "in").digest()
    assert digest == open_corpus("audio16", tmp_path / "in").digest()
    (tmp_path / "in" / "b.wav").rename(tmp_path / "in" / "c.wav")
    assert digest != open_corpus("audio16", tmp_path / "in").digest()


def test_a_limit_in_bytes_takes_whole_files(tmp_path, recordings):
    for limit, files in (("1B", 1), ("1800B", 1), ("1801B", 2), ("1MB", 4)):
        corpus = open_corpus("audio16", tmp_path / "in", limit=limit)
        restored = b"".join(map(restore_block, corpus.blocks(128, 1 << 20)))
        assert restored == b"".join(recordings[name].tobytes() for name in NAMES[:files])
    corpus = open_corpus("audio16", tmp_path / "in", limit="20seq")
    assert sum(len(block.lengths) for block in corpus.blocks(128, 500)) == 20
