"""Expert iteration: pairs to train on from candidate logs, each sequence once with its shortest program.

A wrong program that runs is the right one for what it makes (hindsight). Programs no shorter than their
sequence's raw bits teach nothing and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ktray.commit import committed
from ktray.corpora.pairs import SCHEMA
from ktray.dsl.interpreter import interpret
from ktray.dsl.parser import parse
from ktray.errors import ConfigError, ProgramError
from ktray.priors.uniform import published_bits
from ktray.programs import Language, Outcome
from ktray.studies.logs import SampleSeries, read_series

#: What a pair is compared by: bits under the paper's uniform prior, then length, then text.
_Rank = tuple[float, int, str]


def mine(runs: Sequence[Path], path: Path, *, hindsight: bool = True) -> dict[str, int]:
    """Write the pairs that runs' logs hold to a Parquet file of `ktray.corpora.pairs.SCHEMA`; return counts.

    Raises RunDirectoryError for a path that is no run, ConfigError where the logs hold no pair.
    """
    best: dict[bytes, _Rank] = {}
    counts = {"correct": 0, "hindsight": 0}
    for series in read_series(runs):
        for kind, values, text in _pairs(series, hindsight):
            counts[kind] += 1
            _keep(best, values, text)
    if not best:
        raise ConfigError("--from-logs: no program of these runs is shorter than its sequence; sample more")
    _write(path, best)
    return {**counts, "pairs": len(best)}


def _pairs(series: SampleSeries, hindsight: bool) -> Iterator[tuple[str, bytes, str]]:
    """Yield what each DSL program makes: as correct for its sequence, or in hindsight."""
    for key, samples in series.samples.items():
        for sample in samples:
            if sample.program is None or sample.program.language is not Language.DSL:
                continue
            if sample.outcome is Outcome.CORRECT:
                yield "correct", series.targets[key].tobytes(), sample.program.text
            elif hindsight and sample.outcome is Outcome.WRONG_OUTPUT:
                made = interpret(parse(sample.program.text)).values
                if made is not None and len(made):
                    yield "hindsight", made.tobytes(), sample.program.text


def _keep(best: dict[bytes, _Rank], values: bytes, text: str) -> None:
    """Note a pair where it is the shortest of its sequence so far."""
    try:
        bits = published_bits(parse(text))
    except ProgramError:
        return
    rank = (bits, len(text), text)
    if bits < 8 * len(values) and (values not in best or rank < best[values]):
        best[values] = rank


def _write(path: Path, best: dict[bytes, _Rank]) -> None:
    rows = sorted((values, bits, text) for values, (bits, _, text) in best.items())
    columns = [
        pa.array([np.frombuffer(values, np.uint8) for values, _, _ in rows], SCHEMA.field("sequence").type),
        pa.array([text for _, _, text in rows], pa.string()),
        pa.array([bits for _, bits, _ in rows], pa.float64()),
    ]
    with committed(path) as temporary:
        pq.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), temporary, compression="zstd")
