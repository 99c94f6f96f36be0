from __future__ import annotations

import gzip

import numpy as np
import pytest

from ktray.baselines import baseline_rate, published_text
from ktray.ledger import (
    JoinedGzip,
    PaperTally,
    gzip_backoff_rate,
    gzip_bits,
    paper_metrics,
    tally_outcomes,
    tally_sequences,
)
from ktray.programs import Outcome

NAN = float("nan")


def test_worked_example_of_the_published_metrics() -> None:
    # Three sequences of 10, 20 and 5 bytes: a program of 30 bits, none, and one of 60 bits (longer than raw).
    lengths = np.array([10, 20, 5])
    tally = tally_sequences(lengths, np.array([30.0, NAN, 60.0]), 8, np.array([100.0, NAN, 50.0]))
    tally += tally_outcomes([Outcome.CORRECT, Outcome.WRONG_OUTPUT, Outcome.CORRECT, Outcome.TIMEOUT])
    metrics = paper_metrics(tally, None)
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["compression_rate"] == pytest.approx((31 + 161 + 61) / 280)
    assert metrics["compression_rate_min"] == pytest.approx((31 + 161 + 41) / 280)
    assert metrics["compression_rate_mean"] == pytest.approx((31 / 80 + 161 / 160 + 61 / 40) / 3)
    assert metrics["precision"] == pytest.approx((0.3 + 1.2) / 2)
    assert metrics["executable"] == pytest.approx(3 / 4)
    assert metrics["executable_accuracy"] == pytest.approx(2 / 3)


def test_tallies_of_parts_add_up() -> None:
    lengths, bits, zipped = np.array([4, 0, 9]), np.array([NAN, 8.0, 20.0]), np.array([NAN, 160.0, 180.0])
    whole = tally_sequences(lengths, bits, 8, zipped)
    parts = [tally_sequences(lengths[i : i + 1], bits[i : i + 1], 8, zipped[i : i + 1]) for i in range(3)]
    summed = sum(parts, PaperTally())
    assert summed == whole
    assert whole.rated == 2


def test_nothing_at_all_has_no_rates() -> None:
    assert set(paper_metrics(PaperTally(), None).values()) == {None}


def test_joined_gzip_equals_gzip_of_the_join() -> None:
    pieces = [b"abc" * 50, b"", b"xyz", b"abc" * 40]
    joined = JoinedGzip(b"\n")
    for piece in pieces:
        joined.add(piece)
    assert joined.bits() == 8 * len(gzip.compress(b"\n".join(pieces), 9, mtime=0))


def test_gzip_backoff_replaces_the_raw_bits() -> None:
    values = np.zeros(1000, np.uint8)
    tally = tally_sequences(np.array([1000]), np.array([NAN]), 8, np.array([NAN]))
    rate = gzip_backoff_rate(tally, [values], 8)
    assert rate == pytest.approx((1 + gzip_bits(values.tobytes())) / 8000)


def test_the_published_gzip_baseline_inflates_high_bytes() -> None:
    assert published_text(bytes([65, 200])) == b"A\xc3\x88"
    values = np.frombuffer(bytes(range(128, 256)) * 8, np.uint8)
    honest = baseline_rate("gzip", [values], 8, published=False, whole=True)
    published = baseline_rate("gzip", [values], 8, published=True, whole=True)
    assert honest.compression_rate is not None
    assert published.compression_rate is not None
    assert published.compression_rate > honest.compression_rate


def test_repeat_pays_one_bit_a_sequence() -> None:
    rate = baseline_rate(
        "repeat", [np.zeros(16, np.uint8), np.zeros(4, np.uint8)], 8, published=False, whole=False
    )
    assert rate.compression_rate == pytest.approx(162 / 160)
    assert rate.compression_rate_mean == pytest.approx((129 / 128 + 33 / 32) / 2)
