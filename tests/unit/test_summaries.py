"""What jobs tell people at their end."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ktray.ledger import PaperTally, paper_metrics, tally_sequences
from ktray.report.summaries import compress_summary, sample_summary


def shown(table: Table) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def compressed(tally: PaperTally, parts: dict[str, Any]) -> dict[str, Any]:
    return {
        "archive_path": "data.kt",
        "run": "runs/one",
        "sequences": 3,
        "elements": 3000,
        "correct_programs": 2,
        "input_bits": 24_000,
        "archive_bytes": 750,
        "archive_rate": 0.25,
        "paper": paper_metrics(tally, None),
        "parts": parts,
        "seconds": 12.34,
    }


def test_a_compression_tells_sizes_rates_and_where_things_are() -> None:
    tally = tally_sequences(np.array([1000, 2000]), np.array([800.0, np.nan]), 8, np.full(2, np.nan))
    part = {
        "sequences": 1,
        "elements": 1000,
        "input_bits": 3000,
        "stored_bits": 1500,
        "archive_rate": 0.5,
        "correct_programs": 1,
    }
    text = shown(compress_summary(compressed(tally, {"dna": part})))
    for word in ("data.kt", "3.0 kB", "750 bytes", "0.2500", "dna", "375 bytes", "188 bytes", "0.5000"):
        assert word in text
    assert "Accuracy 0.5000" in text
    assert "runs/one" in text


def test_an_empty_corpus_has_a_summary() -> None:
    none = np.zeros(0)
    tally = tally_sequences(none.astype(np.int64), none, 8, none)
    metrics = compressed(tally, {}) | {
        "sequences": 0,
        "elements": 0,
        "input_bits": 0,
        "correct_programs": 0,
        "archive_rate": None,
    }
    assert "CompressionRate -" in shown(compress_summary(metrics))


def test_a_sampling_run_tells_each_series() -> None:
    one = {
        "model": "nano@1",
        "prompt": "sketch",
        "temperature": 0.8,
        "samples": 400,
        "tokens": 5000,
        "errors": 1,
        "unverified": 0,
        "outcomes": {"correct": 100},
    }
    later = one | {"temperature": 0.0, "unverified": 400, "outcomes": {}}
    new = {"samples": 400, "tokens_per_second": 2500.0}
    text = shown(sample_summary({"run": "runs/s", "series": [one, later], "new": new}))
    assert "100 (25.0%)" in text
    assert "not verified" in text
    assert "400 samples drawn now, 2,500 tokens/s; the log is in runs/s" in text
    nothing = {"samples": 0, "tokens_per_second": 0.0}
    assert "nothing was missing" in shown(sample_summary({"run": "r", "series": [one], "new": nothing}))
