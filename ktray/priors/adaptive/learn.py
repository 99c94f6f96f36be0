"""Learns the counts that blocks start from: a pure function of seed, number, and the searched programs given."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from ktray.corpora.pairs import sequence_hash
from ktray.corpora.synthetic import SamplerSettings, sample_columns
from ktray.dsl.encoded import decode_program
from ktray.dsl.program import DslProgram
from ktray.priors.adaptive.block import cheapest, flat_variants
from ktray.priors.adaptive.counts import Counts, blank_counts
from ktray.priors.adaptive.desk import Desk
from ktray.priors.adaptive.flat import Flat, flatten
from ktray.priors.canonical import variants
from ktray.programs import Language, Program

_SHARD = 10_000

#: How often each searched program is learned from, in turn with as many sampled ones.
_ROUNDS = 3


def learned_counts(
    seed: int, pairs: int, searched: Sequence[Sequence[str]] = (), excluded: Container[int] = frozenset()
) -> Counts:
    """Return the counts after coding `pairs` sampled programs, each in the form that is cheapest by then.

    `searched` are texts of programs a sequence, of which the cheapest by then is learned from; they come in
    turn with the last of the sampled ones, so that counts know both. Sampled sequences excluded by hash are
    left out.
    """
    desk = Desk(blank_counts())
    late = [texts for _ in range(_ROUNDS) for texts in searched if texts]
    for i, forms in enumerate(_sampled(seed, pairs, excluded)):
        _learn(desk, forms)
        if (turn := i - (pairs - len(late))) >= 0:
            texts = late[turn]
            _learn(desk, [form for text in texts for form in flat_variants(Program(Language.DSL, text))])
    return desk.counts()


def _learn(desk: Desk, forms: list[Flat]) -> None:
    """Learn from the cheapest of the forms."""
    chosen = cheapest(desk, forms) if len(forms) != 1 else (0.0, forms[0])
    if chosen is not None:
        desk.program(desk.load(chosen[1]))
        desk.mode[3] = 0


def _sampled(seed: int, pairs: int, excluded: Container[int]) -> Iterator[list[Flat]]:
    """Yield the codable variants of each sampled program; none for one that is left out."""
    for shard, start in enumerate(range(0, pairs, _SHARD)):
        columns = sample_columns(SamplerSettings(), seed, shard, min(_SHARD, pairs - start))
        for encoded, values in columns.rows():
            left_out = sequence_hash(values.tobytes()) in excluded
            yield [] if left_out else _forms(decode_program(encoded.tolist()))


def _forms(program: DslProgram) -> list[Flat]:
    return [flat for flat in map(flatten, variants(program)) if flat is not None]
