from __future__ import annotations

import json
from pathlib import Path

import pytest

from ktray.commit import committed
from ktray.errors import RunDirectoryError
from ktray.rundir import RunDirectory


def test_a_failed_write_leaves_the_earlier_file(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_text("old")
    with pytest.raises(FileNotFoundError), committed(target) as temporary:
        (temporary.parent / "nowhere" / "half").write_text("half")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_directory_is_continued_by_its_own_run_only(tmp_path: Path) -> None:
    RunDirectory(tmp_path, {"corpus": "a", "chunk": 128})
    again = RunDirectory(tmp_path, {"corpus": "a", "chunk": 128})
    again.claim({"proposer search": {"seconds": 1}})
    with pytest.raises(
        RunDirectoryError, match="its chunk is 128, this call's is 64; choose another directory"
    ):
        RunDirectory(tmp_path, {"corpus": "a", "chunk": 64})
    with pytest.raises(RunDirectoryError, match="proposer search"):
        again.claim({"proposer search": {"seconds": 2}})
    assert json.loads((tmp_path / "fingerprint.json").read_text())["chunk"] == 128
