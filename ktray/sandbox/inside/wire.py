"""Frames between a program's process, the zygote and the caller. Every length is capped by its reader."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

#: Status bytes; their names are those of `ktray.programs.Outcome`, `ok` and `refused` (by the gate) apart.
STATUSES = (
    "ok",
    "bad_output_type",
    "syntax_error",
    "runtime_error",
    "timeout",
    "out_of_memory",
    "forbidden",
    "crashed",
    "refused",
)
(OK, BAD_OUTPUT_TYPE, SYNTAX_ERROR, RUNTIME_ERROR, TIMEOUT, OUT_OF_MEMORY, FORBIDDEN, CRASHED, REFUSED) = (
    range(9)
)

#: Caller to zygote: kind and number of the sources that follow, each after its LENGTH.
REQUEST = struct.Struct("<cI")
LENGTH = struct.Struct("<I")
CONFIRM, SCREEN = b"C", b"S"

#: A program's process to the zygote: nonce, status, seconds it ran, length of what follows.
FRAME = struct.Struct("<8sBdI")

#: Zygote to caller: status, seconds, length of what follows (output bytes, or a one-line detail).
REPLY = struct.Struct("<BdI")

DETAIL_BYTES = 300


def read_exactly(fd: int, count: int) -> bytes:
    """Return `count` bytes of `fd`; raises EOFError where it ends before."""
    parts: list[bytes] = []
    while count:
        part = os.read(fd, min(count, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def write_all(fd: int, data: bytes, write: Callable[[int, memoryview], int] = os.write) -> None:
    """Write all of `data` to `fd`; `write` is bound here so that nobody can patch it later."""
    view = memoryview(data)
    while view:
        view = view[write(fd, view) :]
