"""Pilots: a few shards of a block are searched first, the others only where the programs found there pay.

On text or sound literals in context cost a fraction of what programs do, and searching them all for nothing
would take longer than everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from actors.encode import EncodePlan, shard_logs
from actors.rows import telling
from ktray.blockstore import block_path, read_block
from ktray.candidatelog import Shard, shards_of
from ktray.ports import Entry
from ktray.priors.adaptive import AdaptivePrior
from ktray.solve import cheapest_programs


def pilot_shards(shards: Sequence[Shard], count: int) -> list[Shard]:
    """Return `count` shards of a block, evenly spread; all of them where that is half of them or more."""
    if 2 * count >= len(shards):
        return list(shards)
    return [shards[(2 * i + 1) * len(shards) // (2 * count)] for i in range(count)]


class PilotActor:
    """Tells of one block a call whether its pilot's programs pay under the plan's prior; the plan has one log."""

    def __init__(self, plan: EncodePlan, count: int) -> None:
        self._plan, self._count = plan, count
        self._prior = AdaptivePrior(**plan.prior_settings)

    @telling
    def __call__(self, row: pa.Table) -> pa.Table:
        number = row["block"][0].as_py()
        return pa.table({"block": [number], "pays": [self._pays(number)]})

    def _pays(self, number: int) -> bool:
        block = read_block(block_path(Path(self._plan.blocks), number))
        sequences = list(block.sequences())
        shards = shards_of(number, len(sequences), self._plan.shard)
        ((folder, samples),) = self._plan.logs
        entries: list[Entry] = []
        for shard in pilot_shards(shards, self._count):
            pilot = sequences[shard.first : shard.last]
            ids = [sequence.id for sequence in pilot]
            logs = shard_logs(Path(self._plan.log), folder, shard, samples, ids)
            programs = cheapest_programs(logs, ids, samples, self._prior)
            entries.extend(Entry(s.values, p) for s, p in zip(pilot, programs, strict=True))
        return self._prior.programs_pay(entries)
