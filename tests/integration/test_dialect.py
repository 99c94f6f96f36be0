"""The second dialect through the jobs: `--dialect dsl2` searches, stores and restores; it is off by default."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs import compress, decompress
from ktray.archive import ArchiveReader
from ktray.dsl.classics import CLASSICS

pytestmark = pytest.mark.usefixtures("local_ray")


@pytest.mark.parametrize("prior", ["uniform", "adaptive"])
def test_classics_are_stored_as_laws_and_restored(
    prior: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [CLASSICS[name](100) for name in ("squares", "Fibonacci", "Thue-Morse", "primes", "Gray code")]
    source = tmp_path / "classics.jsonl"
    source.write_text("".join(json.dumps({"sequence": values}) + "\n" for values in made))
    argv = ["--corpus", "sequences", "--input", source, "--proposers", "literal", "--prior", prior]
    argv += ["--run", tmp_path / "run", "--out", tmp_path / "a.kt"]
    assert compress.main([*map(str, argv), "--dialect", "dsl2"]) == 0
    with ArchiveReader(tmp_path / "a.kt") as reader:
        assert reader.settings["dialect"] == "dsl2"
        assert reader.blocks[0].dsl == 4
    assert decompress.main([str(tmp_path / "a.kt"), "--out", str(tmp_path / "back.jsonl")]) == 0
    for number, told in ((2, "digit_sum"), (3, "literal")):
        capsys.readouterr()
        assert decompress.main([str(tmp_path / "a.kt"), "--explain", str(number)]) == 0
        assert told in "".join(capsys.readouterr())
    assert decompress.main([str(tmp_path / "a.kt"), "--explain", "5"]) == 2
    back = [json.loads(line)["sequence"] for line in (tmp_path / "back.jsonl").read_text().splitlines()]
    assert back == made


def test_its_proposer_needs_the_dialect(
    sequences_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--corpus", "sequences", "--input", sequences_file, "--out", tmp_path / "a.kt"]
    assert compress.main([*map(str, argv), "--proposers", "dsl2"]) == 2
    assert "--dialect dsl2" in capsys.readouterr().err
    assert compress.main([*map(str, argv), "--dialect", "dsl3"]) == 2
