"""Laws of the searcher: more budget never gives a dearer plan, and what is found makes the sequence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktray.dsl.interpreter import interpret
from ktray.proposers.search import SearchProposer, SearchSettings
from ktray.proposers.search.costs import cost_vector
from ktray.proposers.search.proposer import PRICES, STAGES
from ktray.proposers.search.solve import search

BUDGETS = (1, 20_000, 200_000, 2_000_000)

ranges = st.builds(
    lambda start, step, n: [min(255, start + step * k) for k in range(n)],
    st.integers(0, 150),
    st.integers(0, 5),
    st.integers(5, 12),
)
literals = st.lists(st.integers(0, 255), min_size=5, max_size=12)
#: Lists joined from the left, each with whether it is woven in or appended.
folds = st.lists(st.tuples(st.booleans(), ranges | literals), min_size=2, max_size=5)


def joined(parts: list[tuple[bool, list[int]]]) -> list[int]:
    """Return the parts joined as `concatenate` and `interleave` join them."""
    made = parts[0][1]
    for woven, part in parts[1:]:
        n = min(len(made), len(part)) if woven else 0
        made = [x for pair in zip(made[:n], part[:n], strict=True) for x in pair] + made[n:] + part[n:]
    return made


@pytest.mark.parametrize("prior", ["uniform", "adaptive"])
@given(parts=folds)
@settings(max_examples=15, deadline=None)
def test_more_budget_is_never_dearer(prior: str, parts: list[tuple[bool, list[int]]]) -> None:
    values = np.array(joined(parts), np.int64)
    costs, guide = cost_vector(PRICES[prior](), 8), cost_vector(PRICES["uniform"](), 8)
    plans = [search(values, costs, guide, STAGES, budget) for budget in BUDGETS]
    bits = [found[0].bits for found in plans if found]
    assert len(bits) in (0, len(BUDGETS))
    assert bits == sorted(bits, reverse=True)


@pytest.mark.parametrize("prior", ["uniform", "adaptive"])
@given(parts=folds)
@settings(max_examples=15, deadline=None)
def test_programs_make_their_sequence_the_same_way_every_time(
    prior: str, parts: list[tuple[bool, list[int]]]
) -> None:
    values = np.array(joined(parts), np.uint8)
    found = [SearchProposer(SearchSettings(0.02, prior)).find(values) for _ in range(2)]
    assert found[0] == found[1]
    if found[0] is not None:
        made = interpret(found[0]).values
        assert made is not None
        assert np.array_equal(made, values)
