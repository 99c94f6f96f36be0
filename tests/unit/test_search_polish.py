"""Polishing and repairing given programs: nothing changes but the price, and near misses become right."""

from __future__ import annotations

import numpy as np
import pytest

from ktray.dsl.interpreter import execute_text, interpret, run_lines
from ktray.dsl.parser import parse
from ktray.dsl.program import Call, Ref
from ktray.priors.adaptive import AdaptivePrior
from ktray.programs import Language, Program
from ktray.proposers.search import Quotes, corrected, learned_prices, polish, shorten
from ktray.proposers.search.bank import Bank
from ktray.proposers.search.bench import fresh_sample
from ktray.proposers.search.costs import cost_vector, guiding_prices
from ktray.proposers.search.spine import bent, depends, leaf, spine_of, written
from ktray.proposers.search.vary import refine
from ktray.proposers.search.weave import MAX_DEPTH
from ktray.sequences import Values

QUOTES = Quotes()
PRICES = learned_prices()
NOISE = np.random.default_rng(11).integers(0, 256, 64).tolist()


def polished(text: str, quotes: int = 200) -> float:
    """Return the bits after polishing, having checked that the output is the same."""
    before = execute_text(text).values
    program, bits = polish(parse(text), PRICES, QUOTES, quotes)
    after = interpret(program).values
    assert before is not None
    assert after is not None
    assert np.array_equal(before, after)
    return bits


@pytest.mark.parametrize(
    ("clumsy", "short"),
    [
        (  # a list spelled out that is another one filtered
            f"sequence_1 = set_list({NOISE[:12]})\nsequence_2 = set_list({[x for x in NOISE[:12] if x % 2]})\n"
            "sequence_3 = concatenate(sequence_1, sequence_2)\noutput = sequence_3",
            f"sequence_1 = set_list({NOISE[:12]})\nsequence_2 = filter(is_odd, sequence_1)\n"
            "sequence_3 = concatenate(sequence_1, sequence_2)\noutput = sequence_3",
        ),
        (  # pieces side by side that are one remainder
            "sequence_1 = range_func_interval(2, 90, 4)\nsequence_2 = range_func_interval(2, 50, 4)\n"
            "sequence_3 = range_func_interval(0, 40, 4)\nsequence_4 = concatenate(sequence_1, sequence_2)\n"
            "sequence_5 = concatenate(sequence_4, sequence_3)\noutput = sequence_5",
            "sequence_1 = range_func_interval(2, 90, 4)\nsequence_2 = modulo_item_list(sequence_1, 50)\n"
            "sequence_3 = concatenate(sequence_1, sequence_2)\noutput = sequence_3",
        ),
        (  # a border in the wrong place, and a range with one value substituted
            "sequence_1 = repeat_num(6, 221)\nsequence_2 = set_list([221, 19, 21, 23, 3])\n"
            "sequence_3 = range_func_interval(27, 60, 2)\nsequence_4 = concatenate(sequence_1, sequence_2)\n"
            "sequence_5 = concatenate(sequence_4, sequence_3)\noutput = sequence_5",
            "sequence_1 = repeat_num(7, 221)\nsequence_2 = range_func_interval(19, 60, 2)\n"
            "sequence_3 = substitute(sequence_2, 25, 3)\nsequence_4 = concatenate(sequence_1, sequence_3)\n"
            "output = sequence_4",
        ),
        (  # a constant twice as long as constants usually are
            "sequence_1 = repeat_num(42, 255)\noutput = sequence_1",
            "sequence_1 = repeat_num(21, 255)\nsequence_2 = concatenate(sequence_1, sequence_1)\n"
            "output = sequence_2",
        ),
    ],
)
def test_polish_finds_the_shorter_program(clumsy: str, short: str) -> None:
    assert execute_text(clumsy).values.tolist() == execute_text(short).values.tolist()
    price = AdaptivePrior().prices([Program(Language.DSL, short)])[0]
    assert polished(clumsy) <= price + 1e-6
    assert QUOTES(parse(clumsy)) > price + 1


def test_more_quotes_are_never_dearer() -> None:
    text = (
        "sequence_1 = repeat_num(6, 221)\nsequence_2 = set_list([221, 19, 21, 23, 3])\n"
        "sequence_3 = range_func_interval(27, 60, 2)\nsequence_4 = concatenate(sequence_1, sequence_2)\n"
        "sequence_5 = concatenate(sequence_4, sequence_3)\noutput = sequence_5"
    )
    bits = [polished(text, quotes) for quotes in (1, 2, 4, 8, 16, 100)]
    assert bits == sorted(bits, reverse=True)
    assert bits[-1] < bits[0]


def test_a_failing_program_comes_back_as_it_is() -> None:
    broken = parse(
        "sequence_1 = range_func_up(3, 9)\nsequence_2 = modulo_item_list(sequence_1, 0)\noutput = sequence_2"
    )
    assert polish(broken, PRICES, QUOTES, 10)[0] == broken
    assert list(corrected(broken, np.arange(3, 10).astype(np.uint8))) == []


def target(values: list[int]) -> Values:
    return np.array(values, np.uint8)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("sequence_1 = range_func_up(3, 30)\noutput = sequence_1", list(range(8, 36))),  # an offset
        (
            "sequence_1 = range_func_up(3, 30)\noutput = sequence_1",
            [x % 7 for x in range(3, 31)],
        ),  # a modulus
        ("sequence_1 = range_func_up(3, 30)\noutput = sequence_1", list(range(6, 61, 2))),  # a factor
        ("sequence_1 = range_func_up(3, 30)\noutput = sequence_1", list(range(3, 20))),  # too long
        ("sequence_1 = range_func_up(3, 30)\noutput = sequence_1", [*range(3, 31), *NOISE[:9]]),  # too short
        (
            "sequence_1 = range_func_up(3, 30)\noutput = sequence_1",
            [*range(3, 20), 9, 9, 9],
        ),  # wrong in the end
        (
            "sequence_1 = range_func_up(3, 30)\noutput = sequence_1",
            [99 if x == 12 else x for x in range(3, 31)],
        ),
    ],
)
def test_near_misses_are_corrected(text: str, values: list[int]) -> None:
    assert execute_text(text).values.tolist() != values
    found = shorten(parse(text), target(values), PRICES, QUOTES, 100)
    assert found is not None
    program, bits = found
    assert interpret(program).values.tolist() == values
    assert bits == pytest.approx(QUOTES(program))
    assert bits < 8 * len(values)


def test_what_is_far_off_is_not_corrected() -> None:
    program = parse("sequence_1 = range_func_up(3, 30)\noutput = sequence_1")
    assert shorten(program, target(NOISE), PRICES, QUOTES, 100) is None


def test_ways_over_a_bank() -> None:
    bank = Bank()
    base = bank.add(np.array([5, 200, 7, 90], np.int64))
    assert bank.add(np.array([5, 200, 7, 90], np.int64)) == base
    wanted = {
        (90, 7, 200, 5): Call("reverse_list", (Ref(base),)),
        (8, 203, 10, 93): Call("add_item_list", (Ref(base), 3)),
        (5, 7): Call("get_subsequence_with_jumps", (Ref(base), 2)),
        (200, 7): Call("get_subsequence_between_indices", (Ref(base), 1, 3)),
        (200, 90): Call("max_n", (Ref(base), 2)),
        (5, 7, 90): Call("min_n", (Ref(base), 3)),
        (200, 90, 9): None,  # no list of the bank's elements
        (5, 205, 212, 302): Call("scan_add", (Ref(base),)),
        (5, 20, 7, 0): Call("modulo_item_list", (Ref(base), 90)),
    }
    for values, call in wanted.items():
        found = bank.ways(bank.add(np.array(values, np.int64)), [base])
        assert call in found if call else not found


def test_leaves_and_ranges_bent() -> None:
    assert leaf(np.array([4, 4, 4])) == Call("repeat_num", (3, 4))
    assert leaf(np.array([4, 7, 10])) == Call("range_func_interval", (4, 11, 3))
    assert leaf(np.array([4, 3, 2])) is None
    straight, op, parameters = bent(np.array([10, 12, 99, 16, 18]))
    assert (straight.tolist(), op, parameters) == ([10, 12, 14, 16, 18], "substitute", (14, 99))
    straight, op, parameters = bent(np.array([3, 5, 0, 2, 4, 6]))
    assert (op, parameters) == ("modulo_item_list", (7,))
    assert (straight % 7).tolist() == [3, 5, 0, 2, 4, 6]
    assert bent(np.array([3, 50, 20, 2])) is None


def test_a_spine_writes_the_same_list() -> None:
    program = parse(
        "sequence_1 = range_func_up(1, 9)\nsequence_2 = repeat_num(4, 7)\n"
        "sequence_3 = concatenate(sequence_2, sequence_1)\n"
        "sequence_4 = concatenate(sequence_1, sequence_3)\nsequence_5 = interleave(sequence_4, sequence_2)\n"
        "output = sequence_5"
    )
    lists = [np.array(values, np.int64) for values in run_lines(program)]
    bank = Bank()
    spine = spine_of(program, lists, bank)
    assert [step.woven for step in spine.steps] == [False, False, False, True]
    assert interpret(written(spine)).values.tolist() == lists[-1].tolist()


def test_a_list_that_takes_another_twice_over_and_over_is_walked_once() -> None:
    made = {i: Call("add_two_lists", (Ref(i - 1), Ref(i - 1))) for i in range(1, 200)}
    made[0] = Call("set_list", ((1,),))
    assert depends(made, 199, 0)
    assert not depends(made, 199, 200)


def test_fresh_samples_come_with_their_programs() -> None:
    sample = fresh_sample(77, 20)
    assert len(sample.values) == 20
    for values, text in zip(sample.values, sample.texts, strict=True):
        assert np.array_equal(execute_text(text).values, values)
    again = fresh_sample(77, 20)
    assert sample.texts == again.texts != fresh_sample(78, 20).texts


def test_a_varied_structure_is_no_dearer_and_undoes_two_weaves() -> None:
    def woven(a: list[int], b: list[int]) -> list[int]:
        n = min(len(a), len(b))
        return [x for pair in zip(a, b, strict=False) for x in pair] + a[n:] + b[n:]

    inner = woven(NOISE[:30], list(range(100, 108)))
    values = np.array(woven(inner, [5] * 8), np.int64)
    costs = cost_vector(guiding_prices(PRICES.split), 8)
    looks, paths = np.array([1e9] + [0.0] * 7), np.zeros((8, 1 + 2 * MAX_DEPTH), np.int64)
    paths[0, :5] = (2, 12, 1, 4, 1)  # as many pairs, wrongly shared
    found, seen = refine(values, len(values), costs, 1, looks, paths, 100_000)
    assert 1 < found <= 8 < seen
    assert (np.diff(looks[:found]) >= 0).all()
    assert paths[0, :5].tolist() == [2, 8, 1, 8, 1]
