from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ktray.programs import Language, Program
from ktray.reduce import Correct, merge, reduce_block

candidates = st.lists(
    st.tuples(
        st.builds(
            Correct,
            st.integers(0, 3),
            st.sampled_from(["search", "replay"]),
            st.builds(Program, st.sampled_from(list(Language)), st.text("ab", max_size=3)),
        ),
        st.sampled_from([1.0, 1.5, 2.0, float("inf")]),
    ),
    max_size=12,
)


def reduce(rows: list[tuple[Correct, float]]) -> dict[int, object]:
    return dict(reduce_block([c for c, _ in rows], np.array([p for _, p in rows])))


@given(candidates, st.randoms())
def test_the_order_of_arrival_cannot_change_the_winner(
    rows: list[tuple[Correct, float]], random: object
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert reduce(shuffled) == reduce(rows)


@given(candidates, candidates)
def test_merging_runs_is_merging_logs(a: list[tuple[Correct, float]], b: list[tuple[Correct, float]]) -> None:
    both = merge([reduce(a), reduce(b)])  # type: ignore[list-item]
    assert both == reduce(a + b)
    assert merge([both, both]) == both  # type: ignore[list-item]
    assert merge([reduce(b), reduce(a)]) == both  # type: ignore[list-item]


@given(candidates)
def test_the_winner_is_cheapest_and_infinite_prices_lose(rows: list[tuple[Correct, float]]) -> None:
    winners = reduce(rows)
    for sequence in range(4):
        prices = [p for c, p in rows if c.sequence == sequence and p != float("inf")]
        if prices:
            assert winners[sequence].price == min(prices)  # type: ignore[attr-defined]
        else:
            assert sequence not in winners
