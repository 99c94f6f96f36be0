"""Hints: what each element of a sequence is to its neighbours, told to a model as part of the element's token.

Three kinds, 33 in all: whether it begins or continues a run of equal steps (0, 1, 2 to 5, others; then also
every second element), and whether it lies in a stretch that came before, or came before backwards. A model
this small would need most of its training to see as much by itself. Values and places are untouched.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ktray.kernels import njit
from ktray.sequences import Values

#: Letters of runs: none; begin and go on with steps of 0, 1, 2 to 5, others; begin and go on at every second.
RUNS = ("", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
#: Letters of repetitions: none, forwards, backwards.
REPEATS = ("", "C", "R")
HINTS = tuple(run + repeat for repeat in REPEATS for run in RUNS)

_LEAST_RUN, _LEAST_SECOND, _LEAST_REPEAT = 3, 4, 4


def hints(values: Values) -> NDArray[np.int64]:
    """Return the number in HINTS of each element's hint, shape (len(values),)."""
    found: NDArray[np.int64] = _hints(np.asarray(values, np.int64))
    return found


@njit(cache=True)
def _hints(x: NDArray[np.int64]) -> NDArray[np.int64]:
    runs = np.zeros(len(x), np.int64)
    _mark_runs(x, runs)
    _mark_seconds(x, runs)
    runs += 11 * _repeats(x)
    return runs


@njit(cache=True)
def _mark_runs(x: NDArray[np.int64], runs: NDArray[np.int64]) -> None:
    """Mark maximal runs of equal steps, from left to right."""
    at = 0
    while at + _LEAST_RUN <= len(x):
        step = x[at + 1] - x[at]
        end = at + 2
        while end < len(x) and x[end] - x[end - 1] == step:
            end += 1
        if end - at < _LEAST_RUN:
            at += 1
            continue
        kind = 0 if step == 0 else 1 if step == 1 else 2 if 2 <= step <= 5 else 3
        runs[at], runs[at + 1 : end] = 1 + 2 * kind, 2 + 2 * kind
        at = end


@njit(cache=True)
def _mark_seconds(x: NDArray[np.int64], runs: NDArray[np.int64]) -> None:
    """Mark what is in no run but in one of every second element."""
    n = len(x)
    for at in range(n - 2 * (_LEAST_SECOND - 1)):
        step = x[at + 2] - x[at]
        if at >= 2 and x[at] - x[at - 2] == step:
            continue  # a run that began before
        end = at + 4
        while end < n and x[end] - x[end - 2] == step:
            end += 2
        if (end - at) // 2 >= _LEAST_SECOND:
            for i in range(at, end, 2):
                if runs[i] == 0:
                    runs[i] = 9 if i == at else 10


@njit(cache=True)
def _repeats(x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each element 1 where its stretch came before, 2 where it came before backwards, else 0."""
    n = len(x)
    found = np.zeros(n, np.int64)
    for i in range(_LEAST_REPEAT, n - _LEAST_REPEAT + 1):
        forwards, backwards = 0, 0
        for j in range(i):
            k = 0
            while i + k < n and j + k < i and x[i + k] == x[j + k]:
                k += 1
            forwards = max(forwards, k)
            k = 0
            while i + k < n and j - k >= 0 and x[i + k] == x[j - k]:
                k += 1
            backwards = max(backwards, k)
        if _is_level(x[i : i + max(forwards, backwards)]):
            continue
        if forwards >= _LEAST_REPEAT:
            found[i : i + forwards] = 1
        elif backwards >= _LEAST_REPEAT:
            for k in range(i, i + backwards):
                if found[k] == 0:
                    found[k] = 2
    return found


@njit(cache=True)
def _is_level(x: NDArray[np.int64]) -> bool:
    return len(x) == 0 or bool(np.all(x == x[0]))
