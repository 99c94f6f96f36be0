"""Learns the counts that blocks start from, on sampled programs: a pure function of seed and number."""

from __future__ import annotations

from collections.abc import Iterator

from ktray.corpora.synthetic import SamplerSettings, sample_columns
from ktray.dsl.encoded import decode_program
from ktray.priors.adaptive.block import cheapest
from ktray.priors.adaptive.counts import Counts, blank_counts
from ktray.priors.adaptive.desk import Desk
from ktray.priors.adaptive.flat import Flat, flatten
from ktray.priors.canonical import variants

_SHARD = 10_000


def learned_counts(seed: int, pairs: int) -> Counts:
    """Return the counts after coding `pairs` sampled programs, each in the form that is cheapest by then."""
    desk = Desk(blank_counts())
    for forms in _sampled(seed, pairs):
        chosen = cheapest(desk, forms) if len(forms) > 1 else (0.0, forms[0])
        if chosen is not None:
            desk.program(desk.load(chosen[1]))
            desk.mode[3] = 0
    return desk.counts()


def _sampled(seed: int, pairs: int) -> Iterator[list[Flat]]:
    """Yield the codable variants of each sampled program."""
    for shard, start in enumerate(range(0, pairs, _SHARD)):
        columns = sample_columns(SamplerSettings(), seed, shard, min(_SHARD, pairs - start))
        for encoded, _ in columns.rows():
            forms = [flatten(variant) for variant in variants(decode_program(encoded.tolist()))]
            codable = [flat for flat in forms if flat is not None]
            if codable:
                yield codable
