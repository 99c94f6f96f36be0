"""The LMIC baseline: what a sequence costs under a language model's own predictions (paper section 4, B.1).

Language modelling is compression (Deletang et al. 2024): an arithmetic coder that is given the model's
predictions spends the negative binary logarithm of each token's probability. Counted are those bits alone,
as published: neither the coder's last one or two bits a sequence nor the model's weights, which a decoder needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ktray.config import option
from ktray.errors import ConfigError
from ktray.samplers.engine import VllmSampler
from ktray.sequences import Values

FORMS = ("numbers", "text")
#: What stands between numbers, and costs nothing (paper: footnote 14).
_SEPARATORS = frozenset("[], ")


@dataclass(frozen=True, slots=True)
class LmicSettings:
    """How a model is shown a sequence."""

    form: str = option(
        "numbers", "numbers: decimal, separators free (the paper); text: a byte a character (Deletang et al.)"
    )

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ConfigError(f"lmic.form is {self.form!r}, expected {' or '.join(FORMS)}")


def written(values: Values, form: str) -> str:
    """Return a sequence as the model reads it; a byte of 128 or more is the code point of that number."""
    if form == "text":
        return values.tobytes().decode("latin-1")
    return "[" + ",".join(map(str, values.tolist())) + "]"


def lmic_bits(sampler: VllmSampler, sequences: Sequence[Values], form: str) -> list[float]:
    """Return the bits of each sequence (uint8, shape (length,)), without flag or end mark.

    Raises ConfigError for one that the model's context does not hold.
    """
    rated = sampler.log_probabilities([written(values, form) for values in sequences])
    return [sum(_bits(token, nats, form) for token, nats in tokens) for tokens in rated]


def _bits(token: str, nats: float, form: str) -> float:
    """Return a token's bits; in numbers, one of separators alone has none."""
    free = form == "numbers" and set(token) <= _SEPARATORS
    return 0.0 if free else -nats / math.log(2)
