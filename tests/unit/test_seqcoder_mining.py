"""Expert iteration: what candidate logs give to train on, and training on it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ktray.blockstore import block_path, read_block, store_corpus
from ktray.candidatelog import candidates_table, ids_hash, log_path, shards_of, write_log
from ktray.corpora import open_corpus
from ktray.errors import ConfigError, CorpusError
from ktray.programs import Candidate, CandidateKey, Language, Outcome, Program, Verdict
from ktray.rundir import write_json
from ktray.seqcoder.mining import mine
from ktray.seqcoder.sources import Sources

REPEAT = "sequence_1 = repeat_num(40, 9)\noutput = sequence_1"
LITERAL = f"sequence_1 = set_list({[9] * 40})\noutput = sequence_1"
TWICE = "sequence_1 = repeat_num(20, 9)\nsequence_2 = repeat_list(2, sequence_1)\noutput = sequence_2"
OTHER = "sequence_1 = range_func_up(1, 30)\noutput = sequence_1"
EMPTY = "sequence_1 = repeat_num(0, 9)\noutput = sequence_1"


def write_run(run: Path, samples: list[tuple[str, Outcome]]) -> None:
    """Write a run whose one sequence, forty nines, has these samples."""
    source = run.parent / "source.jsonl"
    source.write_text(json.dumps({"sequence": [9] * 40}) + "\n")
    store_corpus(open_corpus("sequences", source), run / "blocks", 128, 1 << 20, lambda n: None)
    write_json(run / "fingerprint.json", {"corpus": "sequences"})
    write_json(run / "log" / "m" / "settings.json", {"proposer": "vllm", "model": "m", "round": 0})
    (sequence,) = read_block(block_path(run / "blocks", 0)).sequences()
    (shard,) = shards_of(0, 1, 100)
    candidates = [
        Candidate(CandidateKey(sequence.id, "vllm", "m", "p", "s", 0, i), Program(Language.DSL, text), text)
        for i, (text, _) in enumerate(samples)
    ]
    table = candidates_table(candidates, [Verdict(outcome) for _, outcome in samples])
    path = log_path(run / "log", "m", shard, range(len(samples)))
    write_log(path, table, 1, ids_hash([sequence.id]))


SAMPLES = [
    (LITERAL, Outcome.CORRECT),
    (TWICE, Outcome.CORRECT),
    (REPEAT, Outcome.CORRECT),
    (OTHER, Outcome.WRONG_OUTPUT),
    (EMPTY, Outcome.WRONG_OUTPUT),
]


def mined(tmp_path: Path, hindsight: bool) -> tuple[dict[str, int], dict[bytes, str]]:
    write_run(tmp_path / "run", SAMPLES)
    counts = mine([tmp_path / "run"], tmp_path / "mined.parquet", hindsight=hindsight)
    rows = pq.read_table(tmp_path / "mined.parquet").to_pylist()
    return counts, {bytes(row["sequence"]): row["program"] for row in rows}


def test_the_shortest_program_of_each_sequence_and_what_wrong_ones_make(tmp_path: Path) -> None:
    counts, pairs = mined(tmp_path, hindsight=True)
    assert counts == {"correct": 3, "hindsight": 1, "pairs": 2}
    assert pairs == {bytes([9] * 40): REPEAT, bytes(range(1, 31)): OTHER}


def test_without_hindsight_wrong_programs_teach_nothing(tmp_path: Path) -> None:
    counts, pairs = mined(tmp_path, hindsight=False)
    assert counts == {"correct": 3, "hindsight": 0, "pairs": 1}
    assert list(pairs.values()) == [REPEAT]


def test_logs_without_a_short_program_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "run", [(LITERAL, Outcome.CORRECT)])
    with pytest.raises(ConfigError, match="no program of these runs is shorter"):
        mine([tmp_path / "run"], tmp_path / "mined.parquet")


def test_mined_pairs_take_their_share_of_every_step(tmp_path: Path) -> None:
    from ktray.seqcoder.forms import form_called
    from ktray.seqcoder.stream import PairStream, StreamSettings
    from ktray.seqcoder.tokens import Vocabulary

    mined(tmp_path, hindsight=True)
    data = StreamSettings(curriculum=("first-steps",), pairs=8, groups=2, chunk=4)
    form = form_called("sketch")
    sources = Sources(pairs=str(tmp_path / "mined.parquet"), share=0.25)
    stream = PairStream(data, form, Vocabulary.of(form, 96), 96, sources)
    vocabulary = Vocabulary.of(form, 96)
    prompts = [vocabulary.prompt(np.frombuffer(values, np.uint8)).tolist() for values in mined_sequences()]
    rows = [row.tolist() for step in range(4) for batch in stream.step(step) for row in batch.ids]
    assert len(rows) == 32
    assert sum(row[: len(prompt)] == prompt for row in rows for prompt in prompts) == 8


def mined_sequences() -> list[bytes]:
    """Return the sequences that `mined` finds programs for."""
    return [bytes([9] * 40), bytes(range(1, 31))]


def test_a_file_that_is_no_set_of_pairs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs.parquet").write_bytes(b"nothing")
    with pytest.raises(CorpusError, match="expected Parquet with columns sequence and program"):
        Sources(pairs=str(tmp_path / "pairs.parquet")).own_pairs()
