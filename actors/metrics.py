"""What the Ray dashboard shows of a run: candidates and verdicts a second, the share correct, bits saved.

Each actor reports what it has done itself; sums over actors are the dashboard's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ray.util.metrics import Counter, Gauge

from ktray.priors import make_prior
from ktray.programs import Candidate, Outcome, Verdict
from ktray.sequences import KtSequence

#: The prior whose fixed prices tell the bits saved: the dashboard's figure, not the archive's.
_PRIOR = "uniform"


class ProposeMetrics:
    """Counts candidates and their tokens as they are made."""

    def __init__(self, proposer: str) -> None:
        tags, self._tags = ("proposer",), {"proposer": proposer}
        self._candidates = Counter("ktray_candidates", "candidates proposed", tags)
        self._tokens = Counter("ktray_tokens", "tokens generated", tags)
        self._rate = Gauge("ktray_candidates_per_second", "candidates proposed a second by a replica", tags)

    def note(self, candidates: int, tokens: int, seconds: float) -> None:
        """Report one shard."""
        _add(self._candidates, candidates, self._tags)
        _add(self._tokens, tokens, self._tags)
        self._rate.set(candidates / max(seconds, 1e-9), self._tags)


class VerifyMetrics:
    """Counts verdicts, and the bits that correct programs save over their literals."""

    def __init__(self) -> None:
        self._verified = Counter("ktray_verified", "candidates verified", ("outcome",))
        self._rate = Gauge("ktray_verified_per_second", "candidates verified a second by a worker")
        self._share = Gauge("ktray_correct_fraction", "share of a worker's verdicts that are correct")
        self._saved = Counter("ktray_bits_saved", "bits saved over literals, under the uniform prior")
        self._prior = make_prior(_PRIOR)
        self._seen = self._correct = 0

    def note(
        self,
        candidates: Sequence[Candidate],
        verdicts: Sequence[Verdict],
        sequences: Mapping[str, KtSequence],
        started: float,
    ) -> None:
        """Report one shard, whose verification began at `started` (`time.monotonic`)."""
        for outcome in Outcome:
            count = sum(v.outcome is outcome for v in verdicts)
            _add(self._verified, count, {"outcome": outcome.value})
            self._correct += count if outcome is Outcome.CORRECT else 0
        self._seen += len(verdicts)
        self._rate.set(len(verdicts) / max(time.monotonic() - started, 1e-9))
        self._share.set(self._correct / max(1, self._seen))
        _add(self._saved, self._bits_saved(candidates, verdicts, sequences), {})

    def _bits_saved(
        self,
        candidates: Sequence[Candidate],
        verdicts: Sequence[Verdict],
        sequences: Mapping[str, KtSequence],
    ) -> float:
        correct = [
            (candidate.key.sequence_id, candidate.program)
            for candidate, verdict in zip(candidates, verdicts, strict=True)
            if verdict.outcome is Outcome.CORRECT and candidate.program is not None
        ]
        best: dict[str, float] = {}
        prices = (
            self._prior.prices([program for _, program in correct]).tolist() if correct else list[float]()
        )
        for (sequence_id, _), price in zip(correct, prices, strict=True):
            saved = 8.0 * len(sequences[sequence_id]) - price
            best[sequence_id] = max(best.get(sequence_id, 0.0), saved)
        return sum(best.values())


def _add(counter: Counter, amount: float, tags: dict[str, str]) -> None:
    if amount > 0:  # a counter refuses to add nothing
        counter.inc(amount, tags)
