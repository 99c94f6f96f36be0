"""Estimators: worked examples, and brute force over every subset."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise
from math import inf

import numpy as np
import pytest

from ktray.programs import Outcome
from ktray.studies.bitsk import (
    PricedItem,
    bits_curve,
    expected_bits,
    order_weights,
    saving_costs,
)
from ktray.studies.bootstrap import Bootstrap, StudyError, ratio_intervals
from ktray.studies.passk import (
    DoublingGain,
    ItemSamples,
    any_of_first_k,
    doubling_gains,
    pass_at_k,
    pass_curve,
    powers_of_two,
)
from ktray.studies.taxonomy import (
    ErrorKind,
    JudgedSample,
    classify_error,
    is_repetition,
    length_statistics,
    literal_elements,
    repetition_share,
    taxonomy,
)


def items(*rows: str) -> list[ItemSamples]:
    """One item a row: '1' is a correct sample, '0' a wrong one."""
    return [ItemSamples(f"i{n}", tuple(c == "1" for c in row)) for n, row in enumerate(rows)]


def test_pass_at_k_worked_examples() -> None:
    assert pass_at_k(4, 1, 2) == 0.5
    assert pass_at_k(5, 2, 1) == 0.4
    assert pass_at_k(5, 2, 4) == 1.0
    assert pass_at_k(5, 0, 5) == 0.0
    # Chen et al.'s product formula, by hand: 1 - (8/10)(7/9)(6/8).
    assert pass_at_k(10, 2, 3) == float(1 - Fraction(8, 10) * Fraction(7, 9) * Fraction(6, 8))


@pytest.mark.parametrize("n", range(1, 9))
def test_pass_at_k_is_the_mean_over_all_subsets(n: int) -> None:
    for c in range(n + 1):
        sample = [True] * c + [False] * (n - c)
        for k in range(1, n + 1):
            subsets = list(combinations(sample, k))
            assert pass_at_k(n, c, k) == sum(any(s) for s in subsets) / len(subsets)


def test_pass_at_k_stays_exact_where_floats_would_not() -> None:
    n, c, k = 1024, 1, 512
    assert pass_at_k(n, c, k) == 0.5
    assert pass_at_k(20000, 1, 1) == 1 / 20000
    assert pass_at_k(2000, 3, 1999) == 1.0


@pytest.mark.parametrize(("n", "c", "k"), [(4, 5, 1), (4, -1, 1), (4, 1, 0), (4, 1, 5)])
def test_pass_at_k_refuses_impossible_counts(n: int, c: int, k: int) -> None:
    with pytest.raises(StudyError, match="expected"):
        pass_at_k(n, c, k)


def test_pass_curve_averages_items_and_stops_at_the_least_n() -> None:
    points = pass_curve(items("1000", "000", "11111"))
    assert [p.k for p in points] == [1, 2, 3]
    assert points[0].value == pytest.approx((1 / 4 + 0 + 1) / 3)
    assert points[1].value == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert all(p.items == 3 and p.interval is None for p in points)


def test_any_of_first_k_depends_on_order_and_is_not_pass_at_k() -> None:
    early, late = items("1000"), items("0001")
    assert [p.value for p in any_of_first_k(early)] == [1, 1, 1, 1]
    assert [p.value for p in any_of_first_k(late)] == [0, 0, 0, 1]
    assert pass_curve(early) == pass_curve(late)
    assert any_of_first_k(items("0001", "1000"), ks=[2])[0].value == 0.5


def test_any_of_first_k_has_the_expectation_of_pass_at_k() -> None:
    for k in (1, 2, 3):
        orders = set(combinations(range(5), 2))
        rows = ["".join("1" if i in order else "0" for i in range(5)) for order in orders]
        assert any_of_first_k(items(*rows), ks=[k])[0].value == pytest.approx(pass_at_k(5, 2, k))


def test_intervals_are_seeded_and_hold_the_estimate() -> None:
    data = items(*["1000"] * 30, *["0000"] * 70)
    first = pass_curve(data, ks=[1, 4], bootstrap=Bootstrap(400, 0.95, seed=3))
    assert first == pass_curve(data, ks=[1, 4], bootstrap=Bootstrap(400, 0.95, seed=3))
    assert first != pass_curve(data, ks=[1, 4], bootstrap=Bootstrap(400, 0.95, seed=4))
    at_four = first[1].interval
    assert at_four is not None
    # A binomial share of 0.3 over 100 items has s.d. 0.0458: the 95 % interval is near 0.3 +- 0.09.
    assert at_four.low == pytest.approx(0.21, abs=0.03)
    assert at_four.high == pytest.approx(0.39, abs=0.03)


def test_cells_give_the_interval_that_item_by_item_resampling_gives() -> None:
    rows = np.array([[1.0]] * 20 + [[0.0]] * 30)
    apart = ratio_intervals(rows, np.ones(50), np.ones(50, dtype=np.int64), Bootstrap(4000, 0.9, 1))[0]
    cells = ratio_intervals(
        np.array([[1.0], [0.0]]), np.ones(2), np.array([20, 30]), Bootstrap(4000, 0.9, 1)
    )[0]
    assert apart.low == pytest.approx(cells.low, abs=0.021)
    assert apart.high == pytest.approx(cells.high, abs=0.021)


def test_expected_bits_worked_example() -> None:
    prices = (10.0, inf, 30.0)
    assert expected_bits(prices, 40.0, 1) == pytest.approx((10 + 40 + 30) / 3)
    assert expected_bits(prices, 40.0, 2) == pytest.approx(50 / 3)
    assert expected_bits(prices, 40.0, 3) == 10
    assert expected_bits((50.0, 60.0), 40.0, 1) == 40


@pytest.mark.parametrize("n", range(1, 8))
def test_expected_bits_is_the_mean_over_all_subsets(n: int) -> None:
    rng = np.random.Generator(np.random.PCG64(n))
    for _ in range(20):
        prices = [inf if rng.random() < 0.4 else float(rng.integers(1, 30)) for _ in range(n)]
        literal = float(rng.integers(1, 40))
        for k in range(1, n + 1):
            brute = [min((literal, *subset)) for subset in combinations(prices, k)]
            assert expected_bits(prices, literal, k) == pytest.approx(sum(brute) / len(brute), rel=1e-12)


def test_order_weights_sum_to_one() -> None:
    for n, k in [(1, 1), (7, 3), (300, 17), (1000, 999)]:
        assert order_weights(n, k).sum() == pytest.approx(1, abs=1e-12)


def test_bits_curve_sums_items_and_reports_what_is_saved() -> None:
    data = [PricedItem("a", (10.0, inf), 40.0, 4), PricedItem("b", (inf, inf), 16.0, 2)]
    one, two = bits_curve(data)
    assert (one.bits, two.bits) == ((10 + 40) / 2 + 16, 10 + 16)
    assert one.bits_per_element == one.bits / 6
    assert (one.saved, two.saved) == (15, 30)
    costs = saving_costs((one, two), items=2, tokens_per_sample=15.0, seconds_per_sample=0.5)
    assert costs[0].tokens_per_bit == 2 * 15 / 15
    assert costs[1].seconds_per_bit == 2 * 2 * 0.5 / 30


def test_bits_curve_never_rises_with_k_and_its_interval_holds_it() -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    data = [
        PricedItem(str(i), tuple(float(x) for x in rng.integers(1, 60, size=6)), 50.0, 8) for i in range(40)
    ]
    points = bits_curve(data, bootstrap=Bootstrap(300, 0.95, 0))
    assert all(a.bits >= b.bits for a, b in pairwise(points))
    for point in points:
        assert point.interval is not None
        assert point.interval.low <= point.bits_per_element <= point.interval.high


def test_nothing_saved_costs_infinitely_much_per_bit() -> None:
    points = bits_curve([PricedItem("a", (inf,), 8.0, 1)])
    assert saving_costs(points, 1, 10.0, 1.0)[0].tokens_per_bit == inf


def test_doubling_gains_and_log_scaled_ks() -> None:
    assert doubling_gains({1: 0.1, 2: 0.25, 4: 0.5, 5: 0.6}) == (
        DoublingGain(1, 2, 0.15),
        DoublingGain(2, 4, 0.25),
    )
    assert powers_of_two(12) == (1, 2, 4, 8, 12)
    assert powers_of_two(8) == (1, 2, 4, 8)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: pass_curve([]), "no items"),
        (lambda: pass_curve(items("")), "no samples"),
        (lambda: pass_curve(items("101"), ks=[4]), "1 <= k <= 3"),
        (lambda: expected_bits((1.0,), inf, 1), "finite"),
        (lambda: expected_bits((float("nan"),), 1.0, 1), "not a number"),
        (lambda: bits_curve([PricedItem("a", (1.0,), 1.0, 0)]), "no elements"),
        (lambda: Bootstrap(0), "resamples"),
        (lambda: Bootstrap(10, 1.0), "confidence"),
    ],
)
def test_studies_refuse_with_one_clear_line(call: object, word: str) -> None:
    with pytest.raises(StudyError, match=word) as refused:
        call()  # type: ignore[operator]
    assert "\n" not in str(refused.value)


TARGET = tuple((7 * i * i + 13 * i) % 251 for i in range(60))
COPY = f"output = {list(TARGET)}"
PIECES = f"a = {list(TARGET[:20])}\nb = {list(TARGET[20:45])}\nc = {list(TARGET[45:])}\noutput = a + b + c"
FORMULA = "output = [(7 * i * i + 13 * i) % 251 for i in range(60)]"


def test_repetition_counts_copies_whole_or_in_pieces_but_no_formula() -> None:
    assert repetition_share(COPY, TARGET) == 1
    assert is_repetition(PIECES, TARGET)
    assert is_repetition(f"sequence_1 = set_list({list(TARGET)})\noutput = sequence_1", TARGET)
    assert is_repetition(f"output = list({bytes(TARGET)!r})", TARGET)
    assert not is_repetition(FORMULA, TARGET)
    assert repetition_share("output = [1, 2, 3, 4] * 16", (1, 2, 3, 4) * 16) == 4 / 64


def test_text_that_does_not_parse_still_shows_its_copies() -> None:
    assert is_repetition(f"output = {list(TARGET)} ) oops(", TARGET)
    assert literal_elements("x = (" * 300) == []
    assert literal_elements("f(9, 8, 7) and [") == [9, 8, 7]


def test_classification_follows_its_written_rules() -> None:
    text = tuple("naïve café".encode())
    assert classify_error('output = [ord(c) for c in "naïve café"]', text, 2) is ErrorKind.UNICODE
    assert classify_error('output = [ord(c) for c in "plain"]', tuple(b"plain!"), 5) is ErrorKind.REPETITION
    assert classify_error(f"output = {list(TARGET[:50])}", TARGET, 50) is ErrorKind.REPETITION
    assert classify_error(FORMULA.replace("13", "12"), TARGET, 1) is ErrorKind.EXECUTION


def test_taxonomy_counts_every_sample_once() -> None:
    samples = [
        JudgedSample(COPY, Outcome.CORRECT, 60, TARGET),
        JudgedSample(FORMULA, Outcome.CORRECT, 60, TARGET),
        JudgedSample(FORMULA + "[:30]", Outcome.WRONG_OUTPUT, 30, TARGET),
        JudgedSample("output = [0]", Outcome.WRONG_OUTPUT, 1, TARGET),
        JudgedSample(COPY[:-1] + ", 3]", Outcome.WRONG_OUTPUT, 60, TARGET),
        JudgedSample("output = ", Outcome.SYNTAX_ERROR, 0, TARGET),
        JudgedSample("", Outcome.NO_PROGRAM, 0, TARGET),
    ]
    found = taxonomy(samples, bands=4)
    assert sum(found.outcomes.values()) == len(samples)
    assert (found.correct_repetition, found.correct_other) == (1, 1)
    assert found.errors == {ErrorKind.EXECUTION: 2, ErrorKind.REPETITION: 1, ErrorKind.UNICODE: 0}
    assert [band.samples for band in found.prefixes] == [1, 0, 1, 1]
    assert found.lengths.programs == 6


def test_length_statistics_take_nearest_ranks() -> None:
    found = length_statistics(["a" * n for n in (1, 2, 3, 4, 100)])
    assert (found.mean, found.quartiles) == (22.0, (2.0, 3.0, 4.0))
    assert length_statistics([]).programs == 0
