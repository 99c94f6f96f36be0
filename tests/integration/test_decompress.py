"""`python -m jobs.decompress`: restoring, ranges, listing, WAV, and what it says of bad input."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.decompress import main
from ktray.archive import ArchiveWriter, encode_block
from ktray.archive.reader import LINES
from ktray.corpora import open_corpus
from ktray.corpora.jsonl import KIND
from ktray.priors import make_prior
from ktray.programs import Language, Program
from ktray.testing.archives import bytes_block

Said = tuple[int, str, str]


def archive(path: Path, corpus: str, input: Path, prior: str = "raw", block: int = 500) -> None:
    """Write the archive of a corpus in which every sequence is a literal."""
    coder = make_prior(prior)
    with ArchiveWriter(path, {"corpus": corpus, "prior": prior}) as writer:
        for part in open_corpus(corpus, input).blocks(128, block):
            writer.add_block(encode_block(part, [None] * len(part.lengths), coder))


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> Said:
    code = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return the one line with which the job refuses its input with exit code 2."""
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    data = random.Random(0).randbytes(3000)
    (tmp_path / "data.bin").write_bytes(data)
    archive(tmp_path / "x.kt", "file", tmp_path / "data.bin")
    return data


def test_the_whole(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, tmp_path / "x.kt", "--out", tmp_path / "out", "--json")
    metrics = json.loads(out.splitlines()[-1])
    assert code == 0
    assert (tmp_path / "out").read_bytes() == content
    assert metrics == {
        "bytes": 3000,
        "sha256": hashlib.sha256(content).hexdigest(),
        "seconds": metrics["seconds"],
    }
    assert metrics["sha256"] in err


@pytest.mark.parametrize("span", [(0, 0), (0, 3000), (499, 501), (500, 1000), (2999, 3000), (3000, 3000)])
def test_a_range(
    tmp_path: Path, content: bytes, span: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    start, stop = span
    code, _, _ = call(capsys, tmp_path / "x.kt", "--out", tmp_path / "out", "--range", f"{start}:{stop}")
    assert code == 0
    assert (tmp_path / "out").read_bytes() == content[start:stop]


def test_a_range_of_sequences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.dumps({"sequence": [i] * (i % 7)}) + "\n" for i in range(40)]
    (tmp_path / "data.jsonl").write_text("".join(lines))
    archive(tmp_path / "x.kt", "sequences", tmp_path / "data.jsonl", block=20)
    call(capsys, tmp_path / "x.kt", "--out", tmp_path / "out", "--range", "7:23")
    assert (tmp_path / "out").read_text() == "".join(lines[7:23])
    assert "restores 40 sequences" in refused(
        capsys, tmp_path / "x.kt", "--out", tmp_path / "o", "--range", "7:41"
    )


def test_the_reader_counts_the_corpus_kind_of_lines() -> None:
    assert LINES == KIND


def test_listing(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "--list", tmp_path / "x.kt")
    assert code == 0
    for words in (
        "format 1",
        "corpus=file",
        "By prior",
        "literal",
        "python",
        hashlib.sha256(content).hexdigest(),
    ):
        assert words in out
    listing: dict[str, Any] = json.loads(call(capsys, "--list", tmp_path / "x.kt", "--json")[1])
    assert len(listing["blocks"]) == 8
    assert sum(block["literals"] for block in listing["blocks"]) == listing["totals"]["literals"] == 24
    assert listing["by_prior"]["raw"]["elements"] == 3000
    totals = listing["totals"]
    columns = ("program_bits", "literal_bits", "flag_bits", "overhead_bits")
    assert sum(totals[name] for name in columns) == 8 * (tmp_path / "x.kt").stat().st_size


def test_names_in_a_file_cannot_control_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ArchiveWriter(tmp_path / "x.kt", {"corpus": "\x1b[2J[bold]\n"}):
        pass
    code, out, _ = call(capsys, "--list", tmp_path / "x.kt")
    assert code == 0
    assert "\x1b" not in out
    assert "?[2J[bold]?" in out


@pytest.mark.parametrize("prior", ["raw", "gzip", "uniform"])
def test_programs_in_both_languages(tmp_path: Path, prior: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Python programs run in the sandbox, which they cannot leave; DSL programs in the interpreter."""
    squares = [i * i % 256 for i in range(90)]
    sequences = [squares, [7, 8, 9, 10], [1, 2, 3], squares[::-1], list(os.urandom(5))]
    lines = [json.dumps({"sequence": values}) + "\n" for values in sequences]
    (tmp_path / "data.jsonl").write_text("".join(lines))
    programs = [
        Program(Language.PYTHON, "output = [i * i % 256 for i in range(90)]"),
        Program(Language.DSL, "sequence_1 = range_func_up(7, 10)\noutput = sequence_1"),
        None,
        Program(Language.PYTHON, "import numpy as np\noutput = (np.arange(90)[::-1] ** 2 % 256).tolist()"),
        None,
    ]
    (block,) = open_corpus("sequences", tmp_path / "data.jsonl").blocks(128, 1 << 20)
    encoded = encode_block(block, programs, make_prior(prior))
    assert (encoded.info.dsl, encoded.info.python, encoded.info.literals) == (1, 2, 2)
    with ArchiveWriter(tmp_path / "x.kt", {"prior": prior}) as writer:
        writer.add_block(encoded)
    code, _, err = call(capsys, tmp_path / "x.kt", "--out", tmp_path / "out")
    assert code == 0, err
    assert (tmp_path / "out").read_text() == "".join(lines)


def test_a_python_program_that_misbehaves_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.jsonl").write_text('{"sequence": [1, 2, 3]}\n')
    touch = f"open({str(tmp_path / 'touched')!r}, 'w')\noutput = [1, 2, 3]"
    for text, why in ((touch, "python program"), ("while True: pass", "timeout"), ("output = [1, 2]", "")):
        (block,) = open_corpus("sequences", tmp_path / "data.jsonl").blocks(128, 1 << 20)
        with ArchiveWriter(tmp_path / "x.kt", {}) as writer:
            writer.add_block(encode_block(block, [Program(Language.PYTHON, text)], make_prior("gzip")))
        said = refused(capsys, tmp_path / "x.kt", "--out", tmp_path / "out", "--sandbox.seconds", "1")
        assert f"block 0: {'a python program' if why else ''}" in said
        assert why in said
        assert sorted(p.name for p in tmp_path.iterdir()) == ["data.jsonl", "x.kt"]


def test_wav(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = (np.sin(np.arange(4000) / 9) * 9000).astype("<i2")
    (tmp_path / "in").mkdir()
    with wave.open(str(tmp_path / "in" / "a.wav"), "wb") as sound:
        sound.setparams((2, 2, 16000, 0, "NONE", ""))
        sound.writeframes(samples.tobytes())
    archive(tmp_path / "x.kt", "audio16", tmp_path / "in")
    code, _, _ = call(capsys, tmp_path / "x.kt", "--wav", tmp_path / "wav")
    assert code == 0
    assert (tmp_path / "wav" / "a.wav").read_bytes() == (tmp_path / "in" / "a.wav").read_bytes()


def test_one_way_restoring_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    block = replace(bytes_block({"a.flac": bytes(40)}, 128), kind="mfcc")
    with ArchiveWriter(tmp_path / "x.kt", {}) as writer:
        writer.add_block(encode_block(block, [None], make_prior("raw")))
    assert "one-way" in call(capsys, tmp_path / "x.kt", "--out", tmp_path / "out")[2]
    assert (tmp_path / "out").read_bytes() == bytes(40)
    assert "holds no audio16" in refused(capsys, tmp_path / "x.kt", "--wav", tmp_path / "wav")


def test_an_empty_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").write_bytes(b"")
    archive(tmp_path / "x.kt", "file", tmp_path / "empty")
    code, out, _ = call(capsys, tmp_path / "x.kt", "--out", tmp_path / "out", "--json")
    assert (code, json.loads(out)["bytes"], (tmp_path / "out").read_bytes()) == (0, 0, b"")
    assert call(capsys, tmp_path / "x.kt", "--list")[0] == 0


def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    x, out = tmp_path / "x.kt", tmp_path / "out"
    assert "no archive given" in refused(capsys, "--out", out)
    assert "nowhere to restore to" in refused(capsys, x)
    assert "--list only lists" in refused(capsys, x, "--list", "--out", out)
    assert "--range needs" in refused(capsys, x, "--wav", tmp_path / "wav", "--range", "0:1")
    assert "No such file" in refused(capsys, tmp_path / "none.kt", "--out", out)
    assert "a directory" in refused(capsys, tmp_path, "--out", out)
    assert "first bytes" in refused(capsys, tmp_path / "data.bin", "--out", out)
    assert "START:END" in refused(capsys, x, "--out", out, "--range", "5")
    assert "restores 3000 bytes" in refused(capsys, x, "--out", out, "--range", "0:3001")
    assert "a directory" in refused(capsys, x, "--out", tmp_path)
    assert "No such file" in refused(capsys, x, "--out", tmp_path / "no" / "out")
    assert "the archive itself" in refused(capsys, x, "--out", x)
    assert "did you mean 'range'" in refused(capsys, x, "--out", out, "--rang", "0:1")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.bin", "x.kt"]


def test_damage_leaves_an_earlier_output(tmp_path: Path, content: bytes) -> None:
    """As a command: exit code 2, one line, no traceback, and what was there stays."""
    data = bytearray((tmp_path / "x.kt").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "x.kt").write_bytes(data)
    (tmp_path / "out").write_text("earlier")
    command = [
        sys.executable,
        "-m",
        "jobs.decompress",
        str(tmp_path / "x.kt"),
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "damaged" in done.stderr
    assert (tmp_path / "out").read_text() == "earlier"


def test_a_run_directory(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    call(capsys, tmp_path / "x.kt", "--out", tmp_path / "out", "--run", tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["sha256"] == hashlib.sha256(content).hexdigest()
    again = call(capsys, "--config", tmp_path / "run" / "config.yaml", "--json")
    assert json.loads(again[1].splitlines()[-1])["sha256"] == metrics["sha256"]
