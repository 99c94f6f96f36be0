"""Literal models restore what they coded, expand nothing, and refuse what is not theirs."""

from __future__ import annotations

import dataclasses
import zlib
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from ktray.coding.binary import finish, new_decoder, new_encoder, reserve
from ktray.errors import ArchiveError, ConfigError
from ktray.literals import (
    DECODE,
    ENCODE,
    PRESETS,
    PRICE,
    MixerSettings,
    decode_bytes,
    encode_bytes,
    general,
    make_literal_model,
    nucleotide,
    pricing_coder,
)
from ktray.literals.candidates import NucleotideModel, models_for
from ktray.literals.codec import choose_model
from ktray.literals.coding import price_all
from ktray.literals.filters import MAX_TAPS, WEIGHT_BITS, covary, solve
from ktray.literals.fixed import COST, LOGIT_LIMIT, NEXT_STATE, SQUASH, STATE_COUNTS, STRETCH, cost_of
from ktray.literals.records import MAX_PERIOD, fill_gaps, find_records, roughness_of
from ktray.sequences import Values


@cache
def text() -> Values:
    """12 KB of made-up words in lines."""
    random = np.random.default_rng(1)
    words = ["".join(chr(97 + c) for c in random.integers(0, 26, random.integers(2, 9))) for _ in range(120)]
    chosen = [words[int(i)] for i in np.minimum(random.zipf(1.4, 2500) - 1, 119)]
    lines = [" ".join(chosen[i : i + 9]).capitalize() + "." for i in range(0, len(chosen), 9)]
    return np.frombuffer("\n".join(lines).encode(), np.uint8)[:12_000].copy()


@cache
def dna() -> Values:
    """20,000 symbols: random bases, then copies of them with substitutions, and of their other strand."""
    symbols = copied(seed=2, n=4000, copies=4, substituted=0.03)
    symbols[3000:9000] += 4
    return symbols


def copied(seed: int, n: int, copies: int, substituted: float) -> Values:
    """n random bases, then copies of them from both strands in turn, each with substitutions of its own."""
    random = np.random.default_rng(seed)
    base = random.integers(0, 4, n).astype(np.uint8)
    parts = [base]
    for k in range(copies):
        copy = base if k % 2 else 3 - base[::-1]
        parts.append(
            np.where(random.random(n) < substituted, random.integers(0, 4, n), copy).astype(np.uint8)
        )
    return np.concatenate(parts)


def _voice(n: int) -> NDArray[np.float64]:
    random = np.random.default_rng(3)
    signal = np.zeros(n)
    drive = random.laplace(0, 30, n) * (1 + np.sin(np.arange(n) / 700))
    for t in range(2, n):
        signal[t] = 1.9 * signal[t - 1] - 0.95 * signal[t - 2] + drive[t]
    return signal


@cache
def speech16() -> Values:
    """5,000 little-endian samples of a resonance driven by noise."""
    return np.clip(_voice(5000), -32768, 32767).astype("<i2").view(np.uint8).copy()


@cache
def speech8() -> Values:
    """8,000 signed samples of the same."""
    return np.clip(_voice(8000) / 16, -128, 127).astype(np.int8).view(np.uint8).copy()


@cache
def mfcc() -> Values:
    """Records of 20 rows: a rough one, then ever smoother ones, modulo 256."""
    random = np.random.default_rng(4)
    rows = []
    for period in (90, 120, 75, 100, 140, 80):
        loudness = np.exp(random.normal(0, 0.8, period))
        for k in range(20):
            step = 60 if k == 0 else 12 - k / 2
            rows.append(np.cumsum(random.normal(0, step, period) * loudness) * 0.5)
    return (np.concatenate(rows).astype(np.int64) % 256).astype(np.uint8)


def noise(n: int) -> Values:
    """Random bytes."""
    return np.random.default_rng(5).integers(0, 256, n).astype(np.uint8)


KINDS = {"general": text, "nucleotides": dna, "samples16": speech16, "samples8": speech8, "records": mfcc}


@pytest.mark.parametrize("name", list(KINDS))
def test_block_is_restored_by_the_model_for_its_kind(name: str) -> None:
    data = KINDS[name]()
    payload = encode_bytes(data, hint=name)
    assert np.array_equal(decode_bytes(payload, len(data)), data)
    assert name in [model.name for model in models_for(data, "default")]
    if name != "records":  # random walks have no rows that resemble each other
        assert choose_model(data, "default").name == name


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("n", [0, 1, 2, 255, 257])
def test_short_blocks(preset: str, n: int) -> None:
    data = text()[:n]
    assert np.array_equal(decode_bytes(encode_bytes(data, preset), n), data)


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("name", [name for name in KINDS if name != "general"])
def test_every_preset_of_the_special_models_restores_what_it_coded(name: str, preset: str) -> None:
    data = KINDS[name]()[:6000]
    payload = encode_bytes(data, preset, hint=name)
    assert np.array_equal(decode_bytes(payload, len(data)), data)


def test_odd_number_of_bytes_as_16_bit_samples() -> None:
    data = speech16()[:2001]
    assert np.array_equal(decode_bytes(encode_bytes(data, hint="samples16"), 2001), data)


def test_noise_grows_by_one_byte_only() -> None:
    data = noise(5000)
    payload = encode_bytes(data)
    assert len(payload) <= len(data) + 1
    assert np.array_equal(decode_bytes(payload, len(data)), data)


@pytest.mark.parametrize("block", [np.zeros(1, np.uint8), np.arange(251, dtype=np.uint8)])
def test_repetition_costs_next_to_nothing(block: Values) -> None:
    data = np.resize(block, 60_000)
    payload = encode_bytes(data)
    assert len(payload) < 0.001 * len(data) + len(block) + 60
    assert np.array_equal(decode_bytes(payload, len(data)), data)


def test_models_are_worth_their_name() -> None:
    sizes = {name: len(encode_bytes(make(), hint=name)) for name, make in KINDS.items()}
    plain = {name: len(encode_bytes(make(), hint="general")) for name, make in KINDS.items()}
    own = [name for name in KINDS if name not in ("general", "records")]
    assert all(sizes[name] < plain[name] for name in own), (sizes, plain)


def test_unknown_names() -> None:
    with pytest.raises(ConfigError, match="known: fast, default, max"):
        encode_bytes(text()[:10], "best")
    with pytest.raises(ConfigError, match="uniform, order0"):
        make_literal_model("order9")
    with pytest.raises(ConfigError, match="leave the hint out"):
        encode_bytes(text()[:1000], hint="nucleotides")


@pytest.mark.parametrize("name", ["general", "nucleotides", "records"])
def test_cut_headers_are_archive_errors(name: str) -> None:
    data = KINDS[name]()
    payload = encode_bytes(data, hint=name)
    for keep in range(5):
        with pytest.raises(ArchiveError):
            decode_bytes(payload[:keep], len(data))


@pytest.mark.parametrize("name", ["general", "nucleotides", "samples8", "records"])
def test_payloads_that_end_early_are_archive_errors(name: str) -> None:
    data = KINDS[name]()
    payload = encode_bytes(data, hint=name)
    with pytest.raises(ArchiveError, match="end before their last value"):
        decode_bytes(payload[: len(payload) // 2], len(data))


def test_headers_ask_for_no_more_than_a_writer_does() -> None:
    largest = MixerSettings.for_block(1 << 40, "max")
    for field in ("buckets", "history", "runs"):
        larger = dataclasses.replace(largest, **{field: getattr(largest, field) + 1})
        with pytest.raises(ArchiveError, match="damaged"):
            MixerSettings.from_header(larger.header())
    with pytest.raises(ArchiveError, match="no bases"):
        decode_bytes(bytes([7, *range(8), 23, 0]), 100)


@pytest.mark.parametrize("table", [[0, 1], [0, MAX_PERIOD + 1], [0, 16] * 1000])
def test_tables_of_records_that_no_writer_wrote_are_archive_errors(table: list[int]) -> None:
    packed = zlib.compress(np.array(table, dtype="<u4").reshape(-1, 2).T.tobytes(), 9)
    with pytest.raises(ArchiveError, match="table of records"):
        decode_bytes(b"\x0a" + len(packed).to_bytes(4, "little") + packed, 500)


def test_unknown_model_number_is_an_archive_error() -> None:
    with pytest.raises(ArchiveError, match="newer version"):
        decode_bytes(b"\xff\x01\x02", 3)


@pytest.mark.parametrize("name", ["uniform", "order0", "fast", "default"])
def test_port_gives_probabilities_and_restarts(name: str) -> None:
    model = make_literal_model(name, 1000)
    bits = [int(b) for b in np.unpackbits(text()[:40])]

    def run() -> list[int]:
        seen = []
        for bit in bits:
            seen.append(model.predict())
            model.update(bit)
        return seen

    first = run()
    model.reset(model.header())  # type: ignore[attr-defined]
    assert run() == first
    assert all(1 <= p <= 65535 for p in first)


def test_port_and_coding_loop_agree() -> None:
    data = text()[:60].copy()
    model = make_literal_model("default", 1000)
    cost = 0
    for bit in np.unpackbits(data):
        p = model.predict()
        cost += int(cost_of(p if bit else 65536 - p))
        model.update(int(bit))
    coder = pricing_coder()
    state = general.new_state(MixerSettings.for_block(1000))
    general.code_bytes(PRICE, coder, np.zeros(1, np.uint8), state, data, 0, len(data))
    assert int(coder[-1]) == cost


def test_price_is_the_coded_length() -> None:
    data = text()[:4000].copy()
    settings = MixerSettings.for_block(len(data))
    price, coder = pricing_coder(), new_encoder()
    general.code_bytes(PRICE, price, np.zeros(1, np.uint8), general.new_state(settings), data, 0, len(data))
    out = reserve(coder, np.empty(16, np.uint8), 8 * len(data))
    general.code_bytes(ENCODE, coder, out, general.new_state(settings), data, 0, len(data))
    payload = out[: finish(coder, out)].copy()
    assert abs(8 * len(payload) - int(price[-1]) / 65536) < 48
    restored = np.zeros(len(data), np.uint8)
    general.code_bytes(
        DECODE, new_decoder(payload), payload, general.new_state(settings), restored, 0, len(data)
    )
    assert np.array_equal(restored, data)


def test_settings_survive_their_header() -> None:
    for n in (0, 1, 10**4, 10**6, 10**9):
        for preset, (memory, *_) in PRESETS.items():
            settings = MixerSettings.for_block(n, preset)
            assert MixerSettings.from_header(settings.header()) == settings
            assert 16 << settings.buckets <= memory << 20
    for damaged in (b"\xff\xff\xff\xff", bytes([20, 20, 20, 35]), bytes([20, 20, 20, 6])):
        with pytest.raises(ArchiveError, match="damaged"):
            MixerSettings.from_header(damaged)


def test_tables() -> None:
    x = np.arange(-LOGIT_LIMIT, LOGIT_LIMIT + 1) / 256
    assert np.abs(65536 / (1 + np.exp(-x)) - SQUASH).max() <= 1
    assert np.all(np.diff(STRETCH) >= 0)
    assert np.abs(SQUASH[STRETCH[100:-100] + LOGIT_LIMIT] - (np.arange(100, 3996) * 16 + 8)).max() < 140
    assert np.abs(-np.log2(np.arange(1, 4097) / 4096) * 65536 - COST[1:]).max() < 2


def test_bit_histories_count_and_forget() -> None:
    state, zeros = 0, []
    for _ in range(60):
        state = int(NEXT_STATE[state, 0])
        zeros.append(int(STATE_COUNTS[state, 0]))
    assert zeros == sorted(zeros)
    assert zeros[-1] >= 25
    after = STATE_COUNTS[NEXT_STATE[state, 1]]
    assert after[1] == 1
    assert after[0] < zeros[-1] / 2


def test_records_are_found_where_they_are() -> None:
    data = mfcc()
    found = find_records(data)
    assert found[0] == (0, 90)
    assert find_records(noise(30_000)) == ()
    assert find_records(text()) == ()


def test_gaps_between_records_are_filled_where_one_or_two_records_fit() -> None:
    data, periods = mfcc(), (90, 120, 75, 100, 140, 80)
    records = [(20 * sum(periods[:i]), period) for i, period in enumerate(periods)]
    for missing in ({0}, {3}, {5}, {2, 3}):
        kept = [record for i, record in enumerate(records) if i not in missing]
        assert fill_gaps(roughness_of(data), kept, len(data)) == tuple(records)


def test_copies_vote_for_what_most_of_them_hold() -> None:
    """Eight copies of one stretch on both strands, each with its own substitutions in a tenth of its bases."""
    data = copied(seed=7, n=3000, copies=8, substituted=0.1)
    bases = bytes(range(8))
    plain, voting = (price_all(NucleotideModel(bases, 16, extras), data) for extras in (0, nucleotide.COPIED))
    assert voting < 0.97 * plain


def test_least_squares_find_weights_of_regressors_of_very_different_size() -> None:
    random = np.random.default_rng(8)
    n, true = 3, np.array([0.002, 0.75, -40.0])
    products, with_target = np.zeros((MAX_TAPS, MAX_TAPS), np.int64), np.zeros(MAX_TAPS, np.int64)
    weights, a = np.zeros(MAX_TAPS, np.int64), np.zeros((MAX_TAPS, MAX_TAPS), np.int64)
    for _ in range(4000):
        x = np.zeros(MAX_TAPS, np.int32)
        x[:n] = random.normal(0, [8000, 200, 5]).round()
        covary(products, with_target, x, round(float(x[:n] @ true)), n, 10, 1 << 18)
    solve(products, with_target, weights, a, n, 18)
    assert weights[:n] / 2**WEIGHT_BITS == pytest.approx(true, rel=0.02, abs=2e-4)
