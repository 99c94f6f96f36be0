"""The plain literal models: 8 bits a byte, and adaptive bytes without context. They follow the port
`LiteralModel`.
"""

from __future__ import annotations

import numpy as np

from ktray.literals.fixed import RECIPROCAL

_HALF = 1 << 15


class UniformModel:
    """Every bit costs one bit."""

    name = "uniform"

    def header(self) -> bytes:
        """The settings a decoder needs: none."""
        return b""

    def reset(self, header: bytes) -> None:
        """Start a block."""

    def predict(self) -> int:
        """P(1) = 1/2 of 65536."""
        return _HALF

    def update(self, bit: int) -> None:
        """Learn nothing."""


class Order0Model:
    """Each node of the byte's binary tree has one probability, averaged over what came there."""

    name = "order0"
    #: A counter forgets at this rate once it has seen as many bits.
    limit = 400

    def __init__(self) -> None:
        self.reset(b"")

    def header(self) -> bytes:
        """The settings a decoder needs: none."""
        return b""

    def reset(self, header: bytes) -> None:
        """Start a block with every probability at 1/2."""
        self._p = np.full(256, _HALF << 6, dtype=np.int64)
        self._seen = np.zeros(256, dtype=np.int64)
        self._node = 1

    def predict(self) -> int:
        """P(1) at the present node, 1..65535."""
        return min(max(int(self._p[self._node]) >> 6, 1), 65535)

    def update(self, bit: int) -> None:
        """Move the node's probability towards `bit`, and walk on."""
        node = self._node
        rate = int(RECIPROCAL[self._seen[node]])
        self._p[node] += (((bit << 22) - int(self._p[node])) * rate) >> 16
        self._seen[node] = min(int(self._seen[node]) + 1, self.limit)
        self._node = (node << 1 | bit) if node < 128 else 1
