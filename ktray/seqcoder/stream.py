"""Pairs to train on, drawn while training goes on: a chunk is a function of settings, seed and number alone.

A chunk is cut into steps and each step into groups of pairs of like length, so that little is padding and
every step sees all lengths. No state is kept: a run that goes on at step n sees what it would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ktray.config import option
from ktray.corpora.pairs import sequence_hash
from ktray.corpora.synthetic import preset, sample_columns
from ktray.dsl.encoded import decode_program, encode_program
from ktray.dsl.parser import parse
from ktray.errors import ConfigError, ProgramError
from ktray.seqcoder.forms import Form
from ktray.seqcoder.sources import Sources
from ktray.seqcoder.tokens import Ids, Speller

#: Seeds of held-out pairs, out of reach of a run's own.
HELD_OUT_SEED = 1 << 40
_NONE = Sources()


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What pairs are drawn, and how many a step."""

    curriculum: tuple[str, ...] = option(
        ("published",), "presets in order, as a YAML list; the last is used for the rest"
    )
    stage_pairs: int = option(0, "pairs of each preset of the curriculum but the last")
    mix: tuple[str, ...] = option((), "presets that take turns with the last one, chunk by chunk")
    pairs: int = option(64, "pairs a step, over all processes")
    groups: int = option(4, "groups of like length that a step is cut into")
    chunk: int = option(8, "steps a chunk; longer chunks pad less")
    packing: bool = option(False, "fill rows of the model's context with pairs, instead of like lengths")
    seed: int = option(0, "seed of the pairs")

    def __post_init__(self) -> None:
        if not self.curriculum:
            raise ConfigError("data.curriculum is empty; expected one preset or more")
        for name in (*self.curriculum, *self.mix):
            preset(name)
        if not 1 <= self.groups <= self.pairs or self.pairs % self.groups or self.chunk < 1:
            raise ConfigError(
                f"data: pairs {self.pairs}, groups {self.groups}, chunk {self.chunk}; expected 1 or more each, "
                "and pairs a multiple of groups"
            )
        if self.seed < 0 or self.stage_pairs < 0 or self.seed >= HELD_OUT_SEED:
            raise ConfigError("data: seed and stage_pairs must not be negative")

    def preset_of(self, chunk: int) -> str:
        """Return the preset of a chunk."""
        size = self.pairs * self.chunk
        stage = chunk * size // self.stage_pairs if self.stage_pairs else len(self.curriculum)
        if stage < len(self.curriculum) - 1:
            return self.curriculum[stage]
        turns = (self.curriculum[-1], *self.mix)
        return turns[chunk % len(turns)]


@dataclass(frozen=True, slots=True)
class Example:
    """A pair as tokens: prompt and reply; `values` is the sequence."""

    prompt: Ids
    reply: Ids
    values: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.reply)


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded examples, arrays of shape (n, length): `targets[:, i]` is what follows `ids[:, i]`, and the
    masks tell where it is a value of the prompt or a token of the reply. `positions` are None where each
    row is one example, from position 0 on."""

    ids: Ids
    targets: Ids
    in_prompt: NDArray[np.bool_]
    in_reply: NDArray[np.bool_]
    positions: Ids | None = None


class PairStream:
    """Draws examples; `sources` tells what is never drawn, and what is trained on beside."""

    def __init__(
        self,
        settings: StreamSettings,
        form: Form,
        speller: Speller,
        context: int,
        sources: Sources = _NONE,
    ) -> None:
        self._settings, self._form, self._speller = settings, form, speller
        self._context, self._excluded = context, sources.excluded()
        self._own = self._spelled(sources.own_pairs())
        self._share = sources.share if self._own else 0.0
        self._made: tuple[int, list[list[Batch]]] = (-1, [])

    def step(self, step: int) -> list[Batch]:
        """Return the batches of a step, the longest first."""
        chunk = step // self._settings.chunk
        if self._made[0] != chunk:
            self._made = (chunk, self._steps(chunk))
        return self._made[1][step % self._settings.chunk]

    def _steps(self, chunk: int) -> list[list[Batch]]:
        s = self._settings
        examples = sorted(self._chunk(chunk), key=len, reverse=True)
        size = s.pairs // s.groups
        if s.packing:
            return [list(pack(examples[i :: s.chunk], self._context, s.groups)) for i in range(s.chunk)]
        batches = [batch_of(examples[i : i + size]) for i in range(0, len(examples), size)]
        rng = np.random.default_rng([s.seed, chunk])
        orders = [rng.permutation(s.chunk) + quantile * s.chunk for quantile in range(s.groups)]
        return [[batches[order[i]] for order in orders] for i in range(s.chunk)]

    def _chunk(self, chunk: int) -> list[Example]:
        s = self._settings
        wanted = s.pairs * s.chunk
        own = round(wanted * self._share)
        drawn = self.draw(s.preset_of(chunk), s.seed, chunk, wanted - own) if own < wanted else []
        rng = np.random.default_rng([s.seed, chunk, 1])
        return [*drawn, *(self._own[i] for i in rng.integers(0, max(1, len(self._own)), own))]

    def _spelled(self, pairs: Sequence[tuple[bytes, str]]) -> list[Example]:
        """Return pairs as examples, those left out that the form or the context has no room for."""
        made = (
            self._example(encode_program(parse(text)), np.frombuffer(values, np.uint8))
            for values, text in pairs
        )
        return [example for example in made if example is not None]

    def draw(self, name: str, seed: int, shard: int, wanted: int) -> list[Example]:
        """Return the first `wanted` pairs of a preset's shard that are not excluded and fit the model."""
        spare = max(8, wanted // 8)
        while True:
            pairs = sample_columns(preset(name), seed, shard, wanted + spare)
            found = [e for row in pairs.rows() if (e := self._example(row[0].tolist(), row[1])) is not None]
            if len(found) >= wanted:
                return found[:wanted]
            spare *= 2

    def held_out(self, wanted: int) -> list[Example]:
        """Return pairs of the published distribution from a seed of their own."""
        return self.draw("published", HELD_OUT_SEED, 0, wanted)

    def _example(self, flat: list[int], values: NDArray[np.uint8]) -> Example | None:
        if len(values) + 4 > self._context or _holds(self._excluded, sequence_hash(values.tobytes())):
            return None
        try:
            reply = self._speller.reply(self._form, decode_program(flat))
        except ProgramError:
            return None
        example = Example(self._speller.prompt(values), reply, values)
        return example if len(example) <= self._context else None


def _holds(hashes: NDArray[np.uint64], one: int) -> bool:
    at = int(np.searchsorted(hashes, np.uint64(one)))
    return at < len(hashes) and int(hashes[at]) == one


def pack(examples: Sequence[Example], length: int, groups: int) -> Iterator[Batch]:
    """Yield examples as at most `groups` batches of rows of `length` tokens; a row holds whole examples, each
    from position 0 on, so that a model that masks by position keeps them apart."""
    rows: list[list[Example]] = []
    for example in sorted(examples, key=len, reverse=True):
        row = next((r for r in rows if sum(map(len, r)) + len(example) <= length), None)
        if row is None:
            rows.append([example])
        else:
            row.append(example)
    size = -(-len(rows) // groups)
    for i in range(0, len(rows), size):
        yield _packed(rows[i : i + size], length)


def _packed(rows: Sequence[Sequence[Example]], length: int) -> Batch:
    shape = (len(rows), length)
    batch = Batch(
        np.zeros(shape, np.int64),
        np.zeros(shape, np.int64),
        np.zeros(shape, np.bool_),
        np.zeros(shape, np.bool_),
        np.zeros(shape, np.int64),
    )
    for row, examples in enumerate(rows):
        at = 0
        for example in examples:
            _write(batch, row, at, example)
            at += len(example) - 1
    return batch


def _write(batch: Batch, row: int, at: int, example: Example) -> None:
    """Write an example into a row from column `at` on; its last token is a target alone."""
    tokens = np.concatenate((example.prompt, example.reply))
    n, prompt = len(tokens) - 1, len(example.prompt)
    batch.ids[row, at : at + n], batch.targets[row, at : at + n] = tokens[:-1], tokens[1:]
    batch.in_prompt[row, at : at + prompt - 2] = True
    batch.in_reply[row, at + prompt - 1 : at + n] = True
    if batch.positions is not None:
        batch.positions[row, at : at + n] = np.arange(n)


def batch_of(examples: list[Example]) -> Batch:
    """Return examples as one batch."""
    shape = (len(examples), max(map(len, examples)) - 1)
    batch = Batch(
        np.zeros(shape, np.int64),
        np.zeros(shape, np.int64),
        np.zeros(shape, np.bool_),
        np.zeros(shape, np.bool_),
    )
    for row, example in enumerate(examples):
        _write(batch, row, 0, example)
    return batch
