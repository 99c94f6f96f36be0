"""One model and one tape at work: quotes, codes and decodes programs, kinds of entries and plain literals.

The encoder's and the decoder's desks see the same calls in the same order, and so keep the same state.
"""

from __future__ import annotations

import numpy as np
from numba import int32, int64, uint8
from numpy.typing import NDArray

from ktray.coding.binary import READ_PAST, encode_bit, finish, new_decoder, new_encoder, reserve
from ktray.dsl.program import DslProgram
from ktray.errors import ArchiveError
from ktray.kernels import njit
from ktray.priors.adaptive.counts import Counts
from ktray.priors.adaptive.driver import (
    code_kind,
    code_literal,
    code_program,
    code_size,
    kind_cost,
    plain_bound,
)
from ktray.priors.adaptive.flat import Flat, unflatten
from ktray.priors.adaptive.machine import CELLS, OP, SET_LIST, TAPE, X, Y
from ktray.priors.adaptive.model import DECODE, ENCODE, EVENTS, MODEL, QUOTE, Bytes, one_record
from ktray.priors.adaptive.text import read_settled
from ktray.sequences import Values

NOTHING: Bytes = np.zeros(0, dtype=np.uint8)

#: Elements of a literal coded in one call.
STRETCH = CELLS // 2

#: The decoder's cell that counts the bytes read, and how many a sound stream may read past its end.
_READ = 4


class Desk:
    """A model that starts from `counts`, with a tape, and views of what Python looks at.

    A desk with `data` decodes it; one without encodes (see `Sink`) or quotes.
    """

    def __init__(self, counts: Counts, data: Bytes | None = None) -> None:
        self.models = one_record(MODEL)
        self.tapes = one_record(TAPE)
        model, tape = self.models[0], self.tapes[0]
        self.mode: NDArray[np.int64] = model["mode"]
        self.events: NDArray[np.int32] = model["events"]
        self.bits: NDArray[np.float64] = model["bits"]
        self.ledger: NDArray[np.float64] = model["ledger"]
        self.coder: NDArray[np.int64] = model["coder"]
        self.lines: NDArray[np.int64] = tape["lines"]
        self.items: NDArray[np.int64] = tape["items"]
        self.cells: NDArray[np.int64] = tape["cells"]
        self.begin: NDArray[np.int64] = tape["begin"]
        self.data = NOTHING if data is None else data
        self.history = 0
        self.mode[0] = ENCODE if data is None else DECODE
        if data is not None:
            self.coder[:] = new_decoder(data)
        self.restart(counts)

    def restart(self, counts: Counts) -> None:
        """Forget what was learned and start from `counts`."""
        self.models["counters"][0] = counts.counters
        self.models["weights"][0] = counts.weights

    def counts(self) -> Counts:
        """Return what was learned so far."""
        model = self.models[0]
        return Counts(model["counters"].copy(), model["weights"].copy())

    def spent(self) -> float:
        """Return the bits of everything walked through so far."""
        return float(sum(self.bits.tolist()))

    def load(self, flat: Flat) -> int:
        """Put a program on the tape; return its lines."""
        rows, items = flat
        self.lines[: len(rows)] = rows
        if items:
            self.items[: len(items)] = items
        return len(rows)

    def read(self, text: str) -> int:
        """Put a program on the tape that is in canonical form; return its lines, or -1 where it may be none."""
        return read_settled(self.tapes, text)

    def bound(self, lines: int, values: Values) -> int:
        """Return more bits than the program on the tape should cost where it gives `values`, or -1 (see
        `plain_bound`)."""
        return int(plain_bound(self.tapes, lines, values))

    def quote(self, lines: int) -> float | None:
        """Return the bits of the program on the tape as the model stands, or None where it cannot be coded."""
        self.mode[0], self.mode[3] = QUOTE, 0
        before = self.spent()
        done = code_program(self.models, NOTHING, self.tapes, lines)
        bits = self.spent() - before if done > 0 and self.mode[3] < EVENTS else None
        self.mode[0], self.mode[3] = ENCODE, 0
        return bits

    def program(self, lines: int) -> float:
        """Encode the program on the tape, which was quoted, or bounded, and so cannot fail; return its bits."""
        before = self.spent()
        code_program(self.models, NOTHING, self.tapes, lines)
        return self.spent() - before

    def output(self, lines: int) -> Values | None:
        """Return what the program just walked through puts out; None where that is not bytes."""
        made = self.cells[self.begin[lines - 1] : self.begin[lines]]
        values = made.astype(np.uint8)
        return values if (values == made).all() else None

    def next_program(self) -> tuple[DslProgram, Values]:
        """Decode a program; return it and its output. Raises ArchiveError where there is none."""
        n = code_program(self.models, self.data, self.tapes, 0)
        values = self.output(n) if n > 0 else None
        if values is None:
            raise ArchiveError("damaged: a program in a block of prior `adaptive` does not run")
        self.check()
        rows: list[list[int]] = self.lines[:n].tolist()
        used = max((row[X] + row[Y] for row in rows if row[OP] == SET_LIST), default=0)
        return unflatten(rows, self.items[:used].tolist()), values

    def kind(self, kind: int = 0) -> int:
        """Code what the next entry is, 0..3; return it."""
        kind = code_kind(self.models, self.data, self.history, kind)
        self.history = (self.history << 2 | kind) & 0xFF
        return kind

    def kind_bits(self, kind: int) -> float:
        """Return what `kind` would cost by now."""
        return float(kind_cost(self.models, self.history, kind))

    def size(self, size: int = 0) -> int:
        """Code the length of a literal; return it. Raises ArchiveError where it is negative."""
        size = code_size(self.models, self.data, size)
        if size < 0:
            raise ArchiveError("damaged: a literal of negative length")
        return size

    def literal(self, values: Values, learned: bool) -> Values:
        """Code at most STRETCH bytes, or decode as many; return them."""
        n = len(values)
        self.items[:n] = values
        code_literal(self.models, self.data, self.tapes, n, learned)
        return self.items[:n].astype(np.uint8)

    def check(self) -> None:
        """Raise ArchiveError where decoding ran past the end of the data."""
        if self.coder[_READ] > len(self.data) + READ_PAST:
            raise ArchiveError("damaged: a block of prior `adaptive` ends before its last entry")


@njit(uint8[::1](int64[::1], uint8[::1], int32[::1], int64), cache=True)
def _encode_events(coder: NDArray[np.int64], out: Bytes, events: NDArray[np.int32], n: int) -> Bytes:
    """Encode the first n events; return `out`, or a larger copy of it."""
    out = reserve(coder, out, n)
    for i in range(n):
        encode_bit(coder, out, events[i] >> 1, events[i] & 1)
    return out


class Sink:
    """The encoder's end of the stream."""

    def __init__(self) -> None:
        self._coder = new_encoder()
        self._out = np.empty(1 << 16, dtype=np.uint8)

    def take(self, events: NDArray[np.int32], n: int) -> None:
        """Encode the first n events (2 x probability + bit)."""
        self._out = _encode_events(self._coder, self._out, events, n)

    def drain(self, desk: Desk) -> None:
        """Encode what the desk has coded since it was drained last."""
        self.take(desk.events, int(desk.mode[3]))
        desk.mode[3] = 0

    def finish(self) -> bytes:
        """Return the whole stream; the sink is then spent."""
        self._out = reserve(self._coder, self._out, 0)
        return bytes(self._out[: finish(self._coder, self._out)])
