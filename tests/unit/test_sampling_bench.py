"""The rate that the sampling bench reports of several replicas."""

from __future__ import annotations

import pytest

from actors.bench import steady_rate


def row(began: float, ended: float, tokens: int) -> dict[str, float]:
    return {"began": began, "ended": ended, "tokens": tokens}


def test_one_replica_counts_from_its_first_row_to_its_last_gaps_included() -> None:
    assert steady_rate([row(10, 12, 200), row(13, 14, 100)], 1) == 300 / 4


def test_replicas_count_while_all_of_them_work() -> None:
    first = [row(0, 2, 200), row(2, 4, 200), row(4, 6, 200)]
    second = [row(1, 3, 200), row(3, 5, 200)]  # its model took a second longer to load
    assert steady_rate([*first, *second], 2) == pytest.approx(200)


def test_replicas_that_never_meet_are_an_error() -> None:
    with pytest.raises(ValueError, match="more shards"):
        steady_rate([row(0, 1, 10), row(2, 3, 10)], 2)
