"""Copies of the nucleotide model: many earlier stretches that the present one resembles, voting on its next base.

Repeats of a genome have many copies, each with its own substitutions; what most of them hold is a better guess
than any one (the expert model of Cao et al. 2007, "A simple statistical algorithm for biological sequence
compression"). A copy survives substitutions, and is judged by its misses among the last 32 bases.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ktray.kernels import njit
from ktray.literals.fixed import INPUT_LIMIT, STRETCH, Integer
from ktray.literals.mixing import adapt
from ktray.literals.strands import LONGEST, hash_bases

SEED = 12  # bases that must agree before a copy is looked at
_SEEDS_MASK = (1 << (2 * SEED)) - 1
_SPAN = 32  # bases by which a copy is judged
_MOST_MISSES = 16  # of these, before it is dropped
_NEW_MISSES = 11  # at first
_CHAIN = 4  # earlier occurrences of a seed looked at, each strand
_LOG3 = 281  # the natural logarithm of 3, in 256ths
VOTES_INPUTS = 3
_LEVELS = 24
# of a copy: whether it is one, where it reads next and in which direction, its misses (a bit a base) and how many
# of the last 16 and of the 16 before there are, the base it expects, its cell.
(LIVE, AT, STEP, MISSES, RECENT, OLDER, BASE, CELL) = range(8)


def new_copies(count: int, log_rows: int) -> Any:
    """Copies; where a seed ended last, and the chain of its earlier ends; their maps; scores of the four bases."""
    chains = log_rows if count else 0
    return (
        np.zeros((count, 8), dtype=np.int64),
        np.zeros(1 << chains, dtype=np.int32),
        np.zeros(1 << chains, dtype=np.int32),
        np.full(17 * 17 * 4, 1 << 30, dtype=np.int32),  # probability that a copy is right
        np.full(2 * _LEVELS * _LEVELS, 1 << 30, dtype=np.int32),  # of a bit, by the votes
        np.zeros(4 + 4, dtype=np.int64),
        np.zeros(1, dtype=np.int64),  # the cell used of the votes' map
    )


@njit(cache=True, _nrt=False)
def vote(copies: Any) -> None:
    """Add up what the copies say of the next base, as logits."""
    table, _, _, right, _, scores, _ = copies
    for b in range(8):
        scores[b] = 0
    for m in range(table.shape[0]):
        if table[m, LIVE]:
            cell = (table[m, RECENT] * 17 + table[m, OLDER]) * 4 + (table[m, MISSES] & 3)
            table[m, CELL] = cell
            logit = np.int64(STRETCH[np.int64(right[cell]) >> 19]) + _LOG3
            scores[table[m, BASE]] += logit
            scores[4 + table[m, BASE]] += 1


@njit(cache=True, _nrt=False)
def vote_inputs(copies: Any, x: Any, first: Integer, node: Integer, half: Integer) -> None:
    """Three inputs: the difference of both bits' scores, the same by a map of both, and their votes."""
    _, _, _, _, map_, scores, used = copies
    if half == 0:
        zero, one = max(scores[0], scores[1]), max(scores[2], scores[3])
        votes = scores[6] + scores[7] - scores[4] - scores[5]
    else:
        zero, one = scores[(node & 1) * 2], scores[(node & 1) * 2 + 1]
        votes = scores[5 + (node & 1) * 2] - scores[4 + (node & 1) * 2]
    difference = one - zero
    level0 = min(max(zero + 64, 0) >> 7, _LEVELS - 1)
    level1 = min(max(one + 64, 0) >> 7, _LEVELS - 1)
    used[0] = (half * _LEVELS + level0) * _LEVELS + level1
    x[first] = min(max(difference, -INPUT_LIMIT), INPUT_LIMIT) >> 1
    x[first + 1] = STRETCH[np.int64(map_[used[0]]) >> 19] >> 1
    x[first + 2] = min(max(votes, -15), 15) << 6


@njit(cache=True, _nrt=False)
def votes_context(copies: Any) -> Integer:
    """0..63: the best and the second-best base's scores."""
    scores = copies[5]
    best: Integer = np.int64(0)
    second: Integer = np.int64(0)
    for b in range(4):
        if scores[b] > best:
            best, second = scores[b], best
        elif scores[b] > second:
            second = scores[b]
    return min(best >> 8, 7) * 8 + min(second >> 8, 7)


@njit(cache=True, _nrt=False)
def learn_votes(copies: Any, bit: Integer) -> None:
    """How the votes were borne out."""
    adapt(copies[4], copies[6][0], bit, 500)


@njit(cache=True, _nrt=False)
def _follow(table: Any, right: Any, base: Integer) -> None:
    """Move all copies past `base`; drop those that miss too often or run out."""
    for m in range(table.shape[0]):
        if table[m, LIVE]:
            missed = np.int64(table[m, BASE] != base)
            adapt(right, table[m, CELL], 1 - missed, 500)
            misses = table[m, MISSES]
            middle = (misses >> 15) & 1
            table[m, RECENT] += missed - middle
            table[m, OLDER] += middle - ((misses >> 31) & 1)
            table[m, MISSES] = ((misses << 1) | missed) & 0xFFFFFFFF
            table[m, AT] += table[m, STEP]
            if table[m, RECENT] + table[m, OLDER] > _MOST_MISSES or table[m, AT] < 0:
                table[m, LIVE] = 0


@njit(cache=True, _nrt=False)
def _misses(symbols: Any, t: Integer, at: Integer, step: Integer) -> Integer:
    """Which of the last 32 bases differ from those that end at `at` (its complements where step is -1)."""
    misses: Integer = np.int64(0)
    for i in range(_SPAN):
        there = np.int64(symbols[at - step * i]) & 3
        other = there if step > 0 else 3 - there
        misses |= np.int64(other != (np.int64(symbols[t - i]) & 3)) << i
    return misses


@njit(cache=True, _nrt=False)
def _bits(value: Integer) -> Integer:
    value = value - ((value >> 1) & 0x55555555)
    value = (value & 0x33333333) + ((value >> 2) & 0x33333333)
    value = (value + (value >> 4)) & 0x0F0F0F0F
    return ((value * 0x01010101) & 0xFFFFFFFF) >> 24


@njit(cache=True, _nrt=False)
def _admit(table: Any, symbols: Any, t: Integer, at: Integer, step: Integer) -> None:
    """Take the stretch that ends at `at` among the copies, unless it is one, or worse than all of them."""
    worst: Integer = np.int64(-1)
    worst_misses: Integer = np.int64(-1)
    for m in range(table.shape[0]):
        if not table[m, LIVE]:
            worst, worst_misses = m, np.int64(99)
        elif table[m, STEP] == step and table[m, AT] == at + step:
            return
        elif table[m, RECENT] + table[m, OLDER] > worst_misses:
            worst, worst_misses = m, table[m, RECENT] + table[m, OLDER]
    misses = _misses(symbols, t, at, step)
    count = _bits(misses)
    if count <= _NEW_MISSES and count < worst_misses and at + step >= 0:
        recent = _bits(misses & 0xFFFF)
        table[worst, LIVE], table[worst, AT], table[worst, STEP] = 1, at + step, step
        table[worst, MISSES], table[worst, RECENT], table[worst, OLDER] = misses, recent, count - recent


@njit(cache=True, _nrt=False)
def find_copies(copies: Any, forward: Integer, inverse: Integer, symbols: Any, t: Integer) -> None:
    """Follow the copies past symbol t, look for further ones, and note what each expects next."""
    table, heads, earlier, right, _, _, _ = copies
    mask = heads.shape[0] - 1
    _follow(table, right, np.int64(symbols[t]) & 3)
    if t >= _SPAN + LONGEST:
        slot = (hash_bases(forward & _SEEDS_MASK) >> 5) & mask
        place = np.int64(heads[slot])
        for _ in range(_CHAIN):
            if place <= _SPAN or t + 1 - place > mask:
                break
            _admit(table, symbols, t, place - 1, 1)
            place = np.int64(earlier[place & mask])
        other = (hash_bases(inverse >> (2 * (LONGEST - SEED))) >> 5) & mask
        place = np.int64(heads[other])
        for _ in range(_CHAIN):
            if place <= _SPAN or t + 1 - place > mask or place - SEED + _SPAN > t:
                break
            _admit(table, symbols, t, place - SEED, -1)
            place = np.int64(earlier[place & mask])
        earlier[(t + 1) & mask] = heads[slot]
        heads[slot] = t + 1
    for m in range(table.shape[0]):
        if table[m, LIVE]:
            there = np.int64(symbols[table[m, AT]]) & 3
            table[m, BASE] = there if table[m, STEP] > 0 else 3 - there
