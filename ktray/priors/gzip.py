"""The gzip prior: a program costs its gzipped text; a block's texts are deflated together (paper section 4).

What a text costs in a block depends on its neighbours, so the archive's fixed price is its own deflate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ktray.priors.static import StaticPrior, gzip_text_bits
from ktray.priors.texts import deflate_bits, pack_texts, unpack_texts


class GzipCode:
    """All texts of a block in one raw deflate stream."""

    def published(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the bits of each text as a gzip file of its own, header included."""
        return np.array([gzip_text_bits(text) for text in texts])

    def prices(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return 8 x the length of each text's own raw deflate."""
        return np.array([deflate_bits(text) for text in texts])

    def encode(self, texts: Sequence[str]) -> tuple[bytes, float]:
        """Return the joint stream."""
        data = pack_texts(texts)
        return data, 8.0 * len(data)

    def decode(self, data: bytes, n: int) -> list[str]:
        """Return the `n` texts; mirror of `encode`."""
        return unpack_texts(data, n)


def gzip_prior() -> StaticPrior:
    """Return the gzip prior."""
    return StaticPrior("gzip", GzipCode())
