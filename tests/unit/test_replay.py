from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from ktray.candidatelog import candidates_table, read_candidates, read_log, write_log
from ktray.errors import CorpusError, RunDirectoryError
from ktray.programs import Candidate, CandidateKey, Language, Outcome, Program, Verdict
from ktray.proposers.extract import extract_program
from ktray.proposers.replay import ReplayProposer, detect_language
from ktray.sequences import make_sequence

UP = "sequence_1 = range_func_up(1, 3)\noutput = sequence_1"
ONE = make_sequence("f", 0, np.array([1, 2, 3], np.uint8))


@pytest.mark.parametrize(
    ("reply", "program"),
    [
        ("x\n```\nfirst\n```\ny\n```python\na = 1\noutput = [a]\n```\n", "a = 1\noutput = [a]"),
        ("The Python program that generates the sequence is:\noutput = [1]\n### More", "output = [1]"),
        ("that generates the sequence is:\n```python\noutput = [1]\n###", "output = [1]"),
        ("that generates the sequence is: python\noutput = [2]", "output = [2]"),
        ("output = [3]\n###\nnoise", "output = [3]"),
        ("```\n\n```", None),
        ("   \n", None),
    ],
)
def test_extraction(reply: str, program: str | None) -> None:
    assert extract_program(reply) == program


def test_language_is_detected_by_parsing() -> None:
    assert detect_language(UP) is Language.DSL
    assert detect_language("output = [1]") is Language.PYTHON


def test_candidates_of_a_sequence_in_the_files_order(tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl.gz"
    rows = [
        {"sequence": [1, 2, 3], "program": UP, "note": "ignored"},
        {"sequence": [9], "program": "output = [9]"},
        {"sequence": [1, 2, 3], "reply": "none at all ###"},
        {"sequence_id": ONE.id, "program": "output = [1, 2, 3]"},
    ]
    file.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode()))
    proposer = ReplayProposer(file)
    found = list(proposer.propose([ONE], range(0, 9)))
    assert [c.program.text if c.program else None for c in found] == [UP, "none at all", "output = [1, 2, 3]"]
    assert [c.key.sample_index for c in proposer.propose([ONE], range(2, 9))] == [2]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "line 1: saw list, expected a JSON object"),
        ("{", "line 1: not JSON"),
        ('{"sequence": [256], "program": "x"}', "saw 256 in 'sequence', expected integers 0..255"),
        ('{"sequence": [true], "program": "x"}', "saw true in 'sequence'"),
        ('{"sequence": [1]}', "expected a text under 'program' or 'reply'"),
        ('{"sequence": [1], "program": "x", "language": "c"}', "language 'c', expected 'dsl' or 'python'"),
        ('{"sequence": [1], "program": "x", "language": ["dsl"]}', "language ['dsl'], expected"),
    ],
)
def test_bad_lines_are_refused(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(CorpusError) as caught:
        ReplayProposer(file)
    assert message in str(caught.value)


def test_a_log_reads_back_and_is_a_replay_source(tmp_path: Path) -> None:
    key = CandidateKey(ONE.id, "search", "search", "", "", 0, 0)
    candidate = Candidate(key, Program(Language.DSL, UP), "reply", 12, -3.5)
    verdict = Verdict(Outcome.CORRECT, 0.25, "", 3)
    path = tmp_path / "log" / "x.parquet"
    write_log(path, candidates_table([candidate], [verdict]), 1, "hash")
    log = read_log(path)
    assert (log.sequences, log.ids) == (1, "hash")
    assert list(read_candidates(log.table)) == [(candidate, verdict)]
    (again,) = ReplayProposer(tmp_path / "log").propose([ONE], range(1))
    assert again.program == candidate.program


def test_a_damaged_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 nonsense")
    with pytest.raises(RunDirectoryError, match="remove the file and run again"):
        read_log(path)
