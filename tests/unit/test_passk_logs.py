"""From logs to estimates: series, bands, repairs, prices, and the passk job on logs written by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jobs import passk
from ktray.blockstore import block_path, read_block, store_corpus
from ktray.candidatelog import candidates_table, ids_hash, log_path, shards_of, write_log
from ktray.corpora import open_corpus
from ktray.errors import RunDirectoryError
from ktray.programs import Candidate, CandidateKey, Language, Outcome, Program, Verdict
from ktray.rundir import write_json
from ktray.studies.logs import prices, read_series
from ktray.studies.passk import pass_at_k

SHORT, LONG = "output = [9] * 40", "output = [9 for _ in range(40)]"

#: What sequence i's sample j is: r(ight, short), l(ong and right), w(rong), n(o program).
MARKS = ("rwww", "wlwr", "wwww", "nnnw")


def make_run(
    run: Path, marks: tuple[str, ...] = MARKS, settings: dict[str, Any] | None = None, first: int = 0
) -> str:
    """Write a run directory whose log holds samples as `marks` tell, and return the log folder's name."""
    settings = {
        "proposer": "vllm",
        "model": "m",
        "prompt": "python",
        "temperature": 0.5,
        "round": 0,
        **(settings or {}),
    }
    source = run.parent / "source.jsonl"
    rows = [[9] * 40 + [0] * i for i in range(len(marks))]
    source.write_text("".join(json.dumps({"sequence": row}) + "\n" for row in rows))
    manifest = store_corpus(open_corpus("sequences", source), run / "blocks", 128, 1 << 20, lambda n: None)
    write_json(run / "fingerprint.json", {"corpus": "sequences"})
    folder = f"vllm-{settings['model']}{settings['temperature']}{settings['round']}"
    write_json(run / "log" / folder / "settings.json", settings)
    sequences = list(read_block(block_path(run / "blocks", 0)).sequences())
    (shard,) = shards_of(0, manifest.sequences[0], 100)
    pairs = [
        sampled(sequence.id, first + j, mark)
        for sequence, row in zip(sequences, marks, strict=True)
        for j, mark in enumerate(row)
        if mark != "."
    ]
    table = candidates_table([c for c, _ in pairs], [v for _, v in pairs])
    path = log_path(run / "log", folder, shard, range(first, first + max(map(len, marks))))
    write_log(path, table, len(sequences), ids_hash(s.id for s in sequences))
    return folder


def sampled(sequence_id: str, index: int, mark: str) -> tuple[Candidate, Verdict]:
    text = {"r": SHORT, "l": LONG, "w": "output = [1]", "n": None}[mark]
    outcome = {"w": Outcome.WRONG_OUTPUT, "n": Outcome.NO_PROGRAM}.get(mark, Outcome.CORRECT)
    program = Program(Language.PYTHON, text) if text else None
    key = CandidateKey(sequence_id, "vllm", "m", "p", "s", 0, index)
    return Candidate(key, program, text or "", 10), Verdict(outcome, 0.01, "", 40 if mark in "rl" else 0)


def study(run: Path, out: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    capsys.readouterr()
    assert passk.main(["--runs", str(run), "--out", str(out), "--resamples", "20", *more, "--json"]) == 0
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])  # type: ignore[no-any-return]


def test_pass_at_k_is_that_of_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "run")
    study(tmp_path / "run", tmp_path / "out", capsys, "--no-plots")
    rows = pq.read_table(tmp_path / "out" / "curves.parquet").to_pylist()
    assert [row["k"] for row in rows] == [1, 2, 3, 4]
    for row in rows:
        expected = (pass_at_k(4, 1, row["k"]) + pass_at_k(4, 2, row["k"])) / 4
        assert row["pass"] == pytest.approx(expected)
        assert row["pass_low"] <= row["pass"] <= row["pass_high"]
    assert rows[0]["pass_gain_of_doubling"] == pytest.approx(rows[1]["pass"] - rows[0]["pass"])
    assert rows[2]["pass_gain_of_doubling"] is None


def test_bits_at_n_keep_the_shortest_or_the_literal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "run")
    study(tmp_path / "run", tmp_path / "out", capsys, "--no-plots", "--ks", "4")
    (row,) = pq.read_table(tmp_path / "out" / "curves.parquet").to_pylist()
    program = Program(Language.PYTHON, SHORT)
    short = prices("gzip", [program])[program] + 1
    literals = [8.0 * (40 + i) + 1 for i in range(4)]
    elements = 40 + 41 + 42 + 43
    bits = short + short + literals[2] + literals[3]
    assert row["bits_per_element"] == pytest.approx(bits / elements)
    assert row["bits_saved"] == pytest.approx(sum(literals) - bits)
    assert row["tokens_per_bit_saved"] == pytest.approx(16 * 10 / row["bits_saved"])


def test_tables_and_plots_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "run")
    metrics = study(tmp_path / "run", tmp_path / "out", capsys, "--bands", "41,43")
    bands = [group["band"] for group in metrics["groups"]]
    assert bands == ["all", "0-40", "41-42", "43+"]
    assert [group["first"]["sequences"] for group in metrics["groups"]] == [4, 1, 2, 1]
    for name in ("pass-sequences.png", "bits_per_element-sequences.png", "pass-sequences-by-length.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((tmp_path / "out" / "curves.csv").open()))
    table = pq.read_table(tmp_path / "out" / "curves.parquet")
    assert len(rows) == table.num_rows == 16
    assert list(rows[0]) == table.column_names
    found = json.loads((tmp_path / "out" / "taxonomy.json").read_text())
    assert found[0]["outcomes"]["correct"] == 3
    assert found[0]["outcomes"]["no_program"] == 3
    assert found[0]["outcomes"]["wrong_output"] == 10


def test_runs_of_one_series_are_merged_and_each_sample_counts_once(tmp_path: Path) -> None:
    make_run(tmp_path / "a", tuple(row[:2] for row in MARKS))
    make_run(tmp_path / "b", tuple(row[2:] for row in MARKS), first=2)
    make_run(tmp_path / "c")
    (both,) = read_series([tmp_path / "a", tmp_path / "b"])
    (whole,) = read_series([tmp_path / "a", tmp_path / "c"])
    assert both.items() == whole.items()
    assert [sum(item.correct) for item in whole.items()] == [1, 2, 0, 0]


def test_series_differ_by_temperature_and_model(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    make_run(tmp_path / "run", settings={"temperature": 1.0})
    make_run(tmp_path / "run", settings={"model": "other"})
    labels = [(s.labels["model"], s.labels["temperature"]) for s in read_series([tmp_path / "run"])]
    assert sorted(labels) == [("m", 0.5), ("m", 1.0), ("other", 0.5)]


def test_repairs_are_joined_to_the_samples_they_repair(tmp_path: Path) -> None:
    base = make_run(tmp_path / "run")
    first = make_run(
        tmp_path / "run", (".wrw", "w.w.", "rwww", "wwww"), settings={"round": 1, "refines": base}
    )
    make_run(tmp_path / "run", (".w.r", "r.w.", ".www", "wwww"), settings={"round": 2, "refines": first})
    found = {s.labels["round"]: s for s in read_series([tmp_path / "run"])}
    assert {r: [sum(i.correct) for i in s.items()] for r, s in found.items()} == {
        0: [1, 2, 0, 0],
        1: [2, 2, 1, 0],
        2: [3, 3, 1, 0],
    }
    assert found[2].tokens_per_sample() > found[1].tokens_per_sample() > found[0].tokens_per_sample()


def test_a_repair_never_replaces_a_correct_sample(tmp_path: Path) -> None:
    base = make_run(tmp_path / "run", ("rw",))
    make_run(tmp_path / "run", ("wr",), {"round": 1, "refines": base})
    repaired = next(s for s in read_series([tmp_path / "run"]) if s.settings["round"] == 1)
    assert [item.correct for item in repaired.items()] == [(True, True)]


def test_sequences_that_a_searcher_found_nothing_for_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "run", ("r", ".", ".", "."), {"proposer": "search", "model": ""})
    study(tmp_path / "run", tmp_path / "out", capsys, "--no-plots")
    (row,) = pq.read_table(tmp_path / "out" / "curves.parquet").to_pylist()
    assert (row["k"], row["sequences"], row["pass"]) == (1, 4, 0.25)


def test_programs_of_both_languages_have_prices() -> None:
    dsl = Program(Language.DSL, "sequence_1 = repeat_num(40, 9)\noutput = sequence_1")
    python = Program(Language.PYTHON, SHORT)
    assert prices("uniform", [dsl, python, None]) == prices("uniform", [dsl]) | prices("gzip", [python])
    assert prices("uniform", []) == {}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no runs given"),
        (["--runs", "nowhere"], "no run directory"),
        (["--runs", "x", "--price", "gzpi"], "did you mean 'gzip'"),
    ],
)
def test_mistakes_are_told_in_one_line(
    words: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert passk.main(words) == 2
    assert told in capsys.readouterr().err


def test_a_run_without_verified_samples_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    for path in (tmp_path / "run" / "log" / folder).glob("*.parquet"):
        path.unlink()
    with pytest.raises(RunDirectoryError, match="no verified samples"):
        read_series([tmp_path / "run"])


def test_bands_and_ks_are_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "run")
    for words in (["--bands", "a,b"], ["--ks", "0"]):
        assert passk.main(["--runs", str(tmp_path / "run"), "--out", str(tmp_path / "out"), *words]) == 2
        assert "expected whole numbers" in capsys.readouterr().err


def test_gold_programs_and_prefixes_are_tabled(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    gold = tmp_path / "gold.jsonl"
    rows = [
        {"sequence": [9] * 40 + [0] * i, "program": "sequence_1 = x\n" * (i // 2) + "output"}
        for i in range(4)
    ]
    gold.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    argv = ["--runs", str(tmp_path / "run"), "--out", str(out), "--gold", str(gold), "--no-plots"]
    assert passk.main(argv) == 0
    with (out / "gold.csv").open() as file:
        table = [(row["lines"], row["sequences"], row["accuracy"]) for row in csv.DictReader(file)]
    assert table == [("1", "2", "0.375"), ("2", "2", "0.0")]
    with (out / "prefixes.csv").open() as file:
        prefixes = {row["elements"]: float(row["share"]) for row in csv.DictReader(file)}
    assert prefixes["128"] == pytest.approx(3 / 16)
    assert prefixes["16"] >= prefixes["32"] >= prefixes["64"] >= prefixes["128"]


def test_gold_without_programs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "run")
    gold = tmp_path / "gold.jsonl"
    gold.write_text('{"sequence": [1]}\n')
    argv = ["--runs", str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--gold", str(gold)]
    assert passk.main(argv) == 2
    assert "line 1 has no program" in capsys.readouterr().err
