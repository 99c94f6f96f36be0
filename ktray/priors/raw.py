"""The raw prior: a program costs its text, eight bits a byte (paper section B.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ktray.errors import ArchiveError
from ktray.priors.static import StaticPrior, text_bits


class RawCode:
    """Texts as they are, each ended by NUL; a text that holds NUL or that UTF-8 cannot hold has no price."""

    def published(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return eight bits a byte."""
        return np.array([text_bits(text) for text in texts])

    def prices(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return eight bits a byte, the end included."""
        return np.array([text_bits(text) + 8 if "\x00" not in text else np.inf for text in texts])

    def encode(self, texts: Sequence[str]) -> tuple[bytes, float]:
        """Return the texts one after another."""
        data = "".join(f"{text}\x00" for text in texts).encode()
        return data, 8.0 * len(data)

    def decode(self, data: bytes, n: int) -> list[str]:
        """Return the `n` texts; mirror of `encode`."""
        texts = data.decode().split("\x00")
        if len(texts) != n + 1 or texts[-1]:
            raise ArchiveError(f"damaged: {len(texts) - 1} program texts where {n} are expected")
        return texts[:-1]


def raw_prior() -> StaticPrior:
    """Return the raw prior."""
    return StaticPrior("raw", RawCode(), published_python="raw")
