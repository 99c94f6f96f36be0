"""Laws of the range coder: what goes in comes out, at the price its probabilities say."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ktray.coding import binary as b
from ktray.coding.binary import Bytes

Step = tuple[str, tuple[int, ...]]


def _bits() -> st.SearchStrategy[Step]:
    extreme = st.sampled_from([1, 2, 32768, 65534, 65535])
    return st.tuples(st.just("bit"), st.tuples(st.one_of(extreme, st.integers(1, 65535)), st.integers(0, 1)))


def _uniforms() -> st.SearchStrategy[Step]:
    totals = st.integers(1, b.MAX_TOTAL)
    return totals.flatmap(
        lambda n: st.tuples(st.just("uniform"), st.tuples(st.integers(0, n - 1), st.just(n)))
    )


def _intervals() -> st.SearchStrategy[Step]:
    cuts = st.lists(st.integers(0, b.MAX_TOTAL), min_size=3, max_size=3, unique=True).map(sorted)
    return cuts.map(lambda c: ("interval", (c[0], c[1] - c[0], c[2])))


def _raws() -> st.SearchStrategy[Step]:
    widths = st.integers(0, 63)
    return widths.flatmap(
        lambda n: st.tuples(st.just("raw"), st.tuples(st.integers(0, (1 << n) - 1), st.just(n)))
    )


def _encode(steps: list[Step]) -> bytes:
    state, out = b.new_encoder(), np.empty(0, np.uint8)
    for kind, args in steps:
        out = b.reserve(state, out, 4)
        if kind == "bit":
            b.encode_bit(state, out, *args)
        elif kind == "uniform":
            b.encode_uniform(state, out, *args)
        elif kind == "interval":
            b.encode_interval(state, out, *args)
        else:
            b.encode_raw(state, out, *args)
    out = b.reserve(state, out, 0)
    return out[: b.finish(state, out)].tobytes()


def _check(steps: list[Step], data: Bytes) -> int:
    """Decode `steps` from `data` and compare; return the bytes looked at."""
    state = b.new_decoder(data)
    for kind, args in steps:
        if kind == "bit":
            assert b.decode_bit(state, data, args[0]) == args[1]
        elif kind == "uniform":
            assert b.decode_uniform(state, data, args[1]) == args[0]
        elif kind == "interval":
            assert args[0] <= b.decode_target(state, args[2]) < args[0] + args[1]
            b.consume_interval(state, data, args[0], args[1])
        else:
            assert b.decode_raw(state, data, args[1]) == args[0]
    return b.bytes_read(state)


def _price(step: Step) -> float:
    kind, args = step
    if kind == "bit":
        return b.bit_cost(*args)
    if kind == "uniform":
        return math.log2(args[1])
    return math.log2(args[2] / args[1]) if kind == "interval" else float(args[1])


@settings(deadline=None)
@given(st.lists(st.one_of(_bits(), _uniforms(), _intervals(), _raws()), max_size=200))
def test_steps_come_back_at_their_price(steps: list[Step]) -> None:
    payload = _encode(steps)
    looked = _check(steps, np.frombuffer(payload, np.uint8))
    # A raw step takes up to 63 bits, and zeros at the end are not stored.
    assert looked <= len(payload) + 6 + len(steps) * 8
    # A total of 2**24 against a range of 2**32 loses at most 2**-8 of an interval.
    assert 8 * len(payload) <= sum(map(_price, steps)) * 1.001 + 0.006 * len(steps) + 16


@settings(deadline=None)
@given(st.integers(1, 65535), st.integers(0, 1), st.integers(0, 3000))
def test_long_runs_carry(p1: int, bit: int, n: int) -> None:
    steps: list[Step] = [("bit", (p1, bit))] * n
    steps += [("bit", (p1, 1 - bit))]
    payload = _encode(steps)
    _check(steps, np.frombuffer(payload, np.uint8))
    assert 8 * len(payload) <= sum(map(_price, steps)) + 16


def test_empty_stream_is_empty() -> None:
    assert _encode([]) == b""


def test_price_of_a_long_stream_is_exact() -> None:
    rng = np.random.default_rng(1)
    p1 = rng.integers(1, 65536, 20_000)
    bits = (rng.integers(0, 65536, 20_000) < p1).astype(int)
    steps: list[Step] = [("bit", (int(p), int(x))) for p, x in zip(p1, bits, strict=True)]
    payload = _encode(steps)
    assert abs(8 * len(payload) - sum(map(_price, steps))) < 10
    _check(steps, np.frombuffer(payload, np.uint8))
