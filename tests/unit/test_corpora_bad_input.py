"""Bad input: one clear line each, which says what was seen, what was expected, and how to mend it."""

from __future__ import annotations

import gzip
import os
import struct
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ktray.corpora import open_corpus
from ktray.errors import ConfigError, CorpusError, InputError

PROTEIN = b">p53 human\nMEEPQSDPSVEPPLSQETFSDLWKLLPENNVLSPLPSQAMDDLMLSPDDIEQWFTEDPGP\n"

#: Corpus, file name, content, and the message; {} stands for the path.
REFUSED = {
    "empty FASTA": ("dna", "a.fa", b"", "{} is empty; expected a FASTA: a line '>name', then lines of bases"),
    "blank FASTA": (
        "dna",
        "a.fa",
        b"\n\n",
        "{} has no record; expected a FASTA: a line '>name', then lines of bases",
    ),
    "no header": (
        "dna",
        "a.fa",
        b"\nACGT\n",
        "{}, line 2 begins with 'A'; expected a FASTA, whose records begin with a line '>name'",
    ),
    "protein": (
        "dna",
        "a.fa",
        b">ok\nACGT\n" + PROTEIN,
        "{}, record 'p53', line 4 has the letter 'E'; "
        "expected DNA: ACGT, U, IUPAC ambiguity letters (N, R ...), - or .",
    ),
    "protein, CR LF": (
        "dna",
        "a.fa",
        b">ok\r\nACGT\r\nAC*T\r\n",
        "{}, record 'ok', line 3 has the letter '*'; "
        "expected DNA: ACGT, U, IUPAC ambiguity letters (N, R ...), - or .",
    ),
    "binary FASTA": (
        "dna",
        "a.fa",
        b">a\nAC\x00GT",
        "{}, record 'a', line 2 has the letter byte 0; "
        "expected DNA: ACGT, U, IUPAC ambiguity letters (N, R ...), - or .",
    ),
    "cut gzip": (
        "dna",
        "a.fa.gz",
        gzip.compress(b">a\nACGT\n" * 99, mtime=0)[:-9],
        "{} is a damaged gzip file (Compressed file ended before the end-of-stream marker was reached); "
        "fetch or make it again",
    ),
    "empty WAV": ("audio16", "a.wav", b"", "{} is empty; expected a FLAC or WAV file; remove it"),
    "text as WAV": (
        "audio8",
        "a.wav",
        b"this is no sound\n" * 9,
        "{} is no readable FLAC or WAV file (format not recognised); convert or remove it",
    ),
    "empty JSONL": (
        "sequences",
        "a.jsonl",
        b"",
        '{} has no lines; expected one {{"sequence": [...]}} a line',
    ),
    "blank JSONL": (
        "sequences",
        "a.jsonl",
        b"\n \n",
        '{} has no lines; expected one {{"sequence": [...]}} a line',
    ),
    "no ZIP of enwik": (
        "enwik8",
        "a.zip",
        b"PK\x05\x06" + bytes(18),
        "{} holds nothing; expected a ZIP with enwik8 in it",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_not_the_corpuss_is_refused(tmp_path: Path, case: str):
    corpus, name, content, message = REFUSED[case]
    path = tmp_path / name
    path.write_bytes(content)
    assert refusal(corpus, path) == message.format(path)


EXPECTED = '{"sequence": [...]} with whole numbers 0 to 255'
BAD_LINES = {
    '{"sequence": [1, 256]}': f": element 1 of the sequence is 256; expected {EXPECTED}",
    '{"sequence": [-1]}': f": element 0 of the sequence is -1; expected {EXPECTED}",
    '{"sequence": [0, 3.5]}': f": element 1 of the sequence is 3.5; expected {EXPECTED}",
    '{"sequence": [2.0]}': f": element 0 of the sequence is 2.0; expected {EXPECTED}",
    '{"sequence": [true]}': f": element 0 of the sequence is true; expected {EXPECTED}",
    '{"sequence": [1, null]}': f": element 1 of the sequence is null; expected {EXPECTED}",
    '{"sequence": [[1, 2]]}': f": element 0 of the sequence is [1, 2]; expected {EXPECTED}",
    '{"sequence": ["7"]}': f': element 0 of the sequence is "7"; expected {EXPECTED}',
    '{"sequence": "abc"}': f': "sequence" is "abc", not a list; expected {EXPECTED}',
    '{"sequence": null}': f': "sequence" is null, not a list; expected {EXPECTED}',
    '{"values": [1]}': f' has no "sequence"; expected {EXPECTED}',
    "[1, 2, 3]": f' has no "sequence"; expected {EXPECTED}',
    '{"sequence": [1, 2}': f" is not JSON (Expecting ',' delimiter); expected {EXPECTED}",
    '{"sequence": [01]}': f" is not JSON (Expecting ',' delimiter); expected {EXPECTED}",
    "\udcff": f" is not JSON (not UTF-8, or nested too deep); expected {EXPECTED}",
    "[" * 100_000: f" is not JSON (not UTF-8, or nested too deep); expected {EXPECTED}",
}


@pytest.mark.parametrize("line", BAD_LINES, ids=lambda line: line[:24].encode("ascii", "replace").decode())
def test_a_bad_line_is_named(tmp_path: Path, line: str):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"sequence": [0, 255]}\n\n' + line.encode("utf-8", "surrogateescape") + b"\n")
    assert refusal("sequences", path) == f"{path}, line 3{BAD_LINES[line]}"


@pytest.mark.parametrize("corpus", ["text", "file", "dna", "sequences", "enwik8"])
def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path, corpus: str):
    assert refusal(corpus, tmp_path / "x").startswith(f"{tmp_path / 'x'} does not exist; expected ")
    assert refusal(corpus, tmp_path).startswith(f"{tmp_path} is a directory; expected ")


@pytest.mark.parametrize("corpus", ["text", "file", "dna", "sequences", "enwik8"])
def test_a_pipe_is_refused(tmp_path: Path, corpus: str):
    os.mkfifo(tmp_path / "pipe")
    assert refusal(corpus, tmp_path / "pipe").startswith(f"{tmp_path / 'pipe'} is a pipe or a device")


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path):
    path = tmp_path / os.fsdecode(b"caf\xe9.txt")
    path.write_bytes(b"1")
    assert refusal("file", path).endswith("caf\\udce9.txt' is not UTF-8; rename the file")


def test_a_zip_with_a_damaged_directory_is_refused(tmp_path: Path):
    path = tmp_path / "enwik8.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("enwik8", b"text")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2")] ^= 1
    path.write_bytes(data)
    assert "is a damaged ZIP file" in refusal("enwik8", path)


def test_a_folder_without_recordings_is_refused(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "notes.txt").write_text("no sound")
    expected = f"{tmp_path} has no .flac or .wav file in it; expected a folder of recordings"
    assert refusal("audio16", tmp_path) == expected
    assert refusal("mfcc", tmp_path / "x").startswith(
        f"{tmp_path / 'x'} does not exist; expected a FLAC or WAV"
    )


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "x"
    path.write_bytes(b"1")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything, so that chmod would not do
    assert refusal("file", path) == f"{path} cannot be read (permission denied); expected a readable file"


def test_a_truncated_flac_is_refused(tmp_path: Path):
    path = tmp_path / "a.flac"
    noise = np.random.default_rng(1).integers(-9000, 9000, 60_000).astype(np.int16)
    soundfile.write(path, noise, 16_000, subtype="PCM_16")
    data = path.read_bytes()
    for size in (len(data) - 1, len(data) // 2, 200):
        path.write_bytes(data[:size])
        message = refusal("audio16", path)
        assert message.startswith(f"{path} is cut"), message
        assert "fetch it again" in message


def test_a_truncated_wav_is_refused(tmp_path: Path):
    path = wav(tmp_path / "a.wav", np.arange(1000, dtype=np.int16))
    path.write_bytes(path.read_bytes()[:-600])
    expected = f"{path} is cut: it has 1444 bytes of 2044; fetch it again or remove it"
    assert refusal("audio16", path) == expected


def test_a_wav_without_samples_is_refused(tmp_path: Path):
    path = wav(tmp_path / "a.wav", np.zeros(0, dtype=np.int16))
    assert refusal("audio8", path) == f"{path} has no samples; expected a recording; remove the file"


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
def test_samples_of_more_than_16_bits_are_refused(tmp_path: Path, subtype: str):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(10), 16_000, subtype=subtype)
    assert refusal("audio16", path) == (
        f"{path} holds {subtype} samples; expected at most 16 bits a sample; "
        "convert it first (sox IN -b 16 OUT)"
    )


def test_a_riff_that_breaks_off_in_its_header_is_refused(tmp_path: Path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", 4) + b"WAVE")
    assert refusal("audio16", path).startswith(f"{path} is no readable FLAC or WAV file (")


def test_a_value_beyond_the_element_bits_is_named(tmp_path: Path):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(1000) + b"\x08" + bytes(9))
    with pytest.raises(CorpusError) as caught:
        list(open_corpus("file", path, element_bits=3).blocks(128, 256))
    assert str(caught.value) == (
        "element 1000 is 8; with --element-bits 3 expected 0 to 7; leave the option out or raise it"
    )
    assert list(open_corpus("file", path, element_bits=4).blocks(128, 256))


BAD_OPTIONS = {
    "unknown corpus 'enwik'; did you mean 'enwik9'? known: text, enwik8, enwik9, dna, audio16, audio8, mfcc, "
    "sequences, file, synthetic, sample": ("enwik", {}),
    "--corpus text needs a file; name it with --input PATH": ("text", {}),
    "--element-bits 9: expected 1 to 8": ("sample", {"element_bits": 9}),
    "--sample 0: expected a number of sequences of 1 or more": ("sample", {"sample": 0}),
    "--limit 5: expected a size such as 1MB or a number of sequences such as 500seq": (
        "sample",
        {"limit": "5"},
    ),
    "--limit -1MB: expected a size such as 1MB or a number of sequences such as 500seq": (
        "sample",
        {"limit": "-1MB"},
    ),
    "--limit 1.5seq: expected a size such as 1MB or a number of sequences such as 500seq": (
        "sample",
        {"limit": "1.5seq"},
    ),
    "--limit 0seq: expected a size such as 1MB or a number of sequences such as 500seq": (
        "sample",
        {"limit": "0seq"},
    ),
    "--corpus sample is shipped with ktray; leave out --input and --element-bits": (
        "sample",
        {"input": Path("x")},
    ),
}


@pytest.mark.parametrize("message", BAD_OPTIONS)
def test_an_unknown_option_is_refused(message: str):
    name, options = BAD_OPTIONS[message]
    with pytest.raises(ConfigError) as caught:
        open_corpus(name, **options)
    assert str(caught.value) == message


def test_chunks_and_blocks_have_at_least_one_element(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"1")
    for name in ("file", "dna"):
        with pytest.raises(ConfigError, match="--chunk 0: expected a number of elements of 1 or more"):
            list(open_corpus(name, tmp_path / "x").blocks(0, 10))
    with pytest.raises(ConfigError, match="block size 0: expected"):
        list(open_corpus("file", tmp_path / "x").blocks(1, 0))


def refusal(corpus: str, path: Path) -> str:
    """The message with which `path` is refused as an input of `corpus`."""
    with pytest.raises(InputError) as caught:
        list(open_corpus(corpus, path).blocks(128, 1 << 20))
    assert type(caught.value) is CorpusError
    assert "\n" not in str(caught.value)
    return str(caught.value)


def wav(path: Path, samples: np.ndarray) -> Path:
    """Write mono 16-bit samples at 16 kHz."""
    with wave.open(str(path), "wb") as sink:
        sink.setnchannels(1)
        sink.setsampwidth(2)
        sink.setframerate(16_000)
        sink.writeframes(samples.astype("<i2").tobytes())
    return path
