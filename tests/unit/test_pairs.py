"""Sets of pairs: each sequence once with its shortest program, feedback comments, statistics."""

from __future__ import annotations

import numpy as np
import pytest

from ktray.corpora.pairs import SCHEMA, Survey, choose, feedback_text, pairs_table, sequence_hash, survey
from ktray.corpora.pairstats import pair_stats
from ktray.corpora.synthetic import PUBLISHED, sample_columns
from ktray.dsl.encoded import decode_program, text_lengths
from ktray.dsl.parser import parse
from ktray.dsl.printer import to_text
from ktray.priors.uniform import published_bits

NONE = np.zeros(0, np.uint64)


def _survey(*rows: tuple[int, int, int]) -> Survey:
    hashes, lengths, elements = zip(*rows, strict=True)
    return Survey(np.array(hashes, np.uint64), np.array(lengths), np.array(elements))


def test_the_shortest_program_of_a_sequence_is_kept_the_earlier_of_equals() -> None:
    surveys = [_survey((7, 50, 3), (8, 20, 3), (7, 40, 3)), _survey((8, 20, 3), (7, 40, 3), (9, 9, 3))]
    kept = choose(surveys, NONE, None, None)
    assert [k.tolist() for k in kept] == [[False, True, True], [False, False, True]]


def test_excluded_sequences_and_what_is_too_much_are_left_out() -> None:
    surveys = [_survey((1, 9, 10), (2, 9, 10), (3, 9, 10)), _survey((4, 9, 10), (5, 9, 10))]
    excluded = np.array([2], np.uint64)
    assert [k.tolist() for k in choose(surveys, excluded, 3, None)] == [[True, False, True], [True, False]]
    assert [k.tolist() for k in choose(surveys, NONE, None, 25)] == [[True, True, True], [False, False]]


def test_surveys_tell_hashes_lengths_and_elements() -> None:
    found, pairs = survey(PUBLISHED, 3, 4, 50), sample_columns(PUBLISHED, 3, 4, 50)
    texts = [to_text(decode_program(flat.tolist())) for flat, _ in pairs.rows()]
    assert found.text_lengths.tolist() == [len(text) for text in texts]
    assert found.elements.tolist() == [len(values) for _, values in pairs.rows()]
    assert found.hashes.tolist() == [sequence_hash(values.tobytes()) for _, values in pairs.rows()]
    assert text_lengths(pairs.flat, pairs.flat_ends).sum() == sum(map(len, texts))


def test_tables_hold_the_kept_pairs() -> None:
    pairs = sample_columns(PUBLISHED, 3, 4, 30)
    kept = np.arange(30) % 3 == 0
    table = pairs_table(pairs, kept)
    assert table.schema.equals(SCHEMA)
    wanted = [row for row, keep in zip(pairs.rows(), kept, strict=True) if keep]
    for row, (flat, values) in zip(table.to_pylist(), wanted, strict=True):
        program = decode_program(flat.tolist())
        assert row["sequence"] == values.tolist()
        assert row["program"] == to_text(program)
        assert row["uniform_bits"] == published_bits(program)


def test_feedback_tells_each_lines_values_and_parses_to_the_same_program() -> None:
    program = parse(
        "sequence_1 = range_func_up(1, 3)\nsequence_2 = reverse_list(sequence_1)\noutput = sequence_2"
    )
    text = feedback_text(program)
    assert text.split("\n") == [
        "sequence_1 = range_func_up(1, 3)  # [1, 2, 3]",
        "sequence_2 = reverse_list(sequence_1)  # [3, 2, 1]",
        "output = sequence_2",
    ]
    assert parse(text) == program


def test_statistics_of_two_pairs() -> None:
    text = "sequence_1 = repeat_num({}, 5)\noutput = sequence_1"
    stats = pair_stats([(bytes([5] * 10), text.format(10)), (bytes([5] * 20), text.format(20))])
    found = stats.to_json()
    assert (stats.pairs, stats.elements, stats.rated) == (2, 30, 2)
    assert stats.lengths == {10: 1, 20: 1}
    assert found["length"] == {"mean": 15.0, "sd": 5.0}
    assert found["operations"] == {"repeat_num": 1.0}
    bits = 2 * (2 * np.log2(25) + 8 + np.log2(20))
    assert stats.paper["uniform"] == pytest.approx((bits + 2) / 240)
    with pytest.raises(ValueError, match="at least one"):
        pair_stats([])
