"""The numbers that the general model's parts share: cells of one int64 array, and how values are hashed."""

from __future__ import annotations

from ktray.kernels import njit
from ktray.literals.fixed import Integer

# The byte so far with a leading one, the node within its half, bits of it known; the last 4, 8 and 12 bytes;
# bytes seen; masks of the history, buckets and runs; the prediction.
(C0, NODE, BITS, C4, C8, C12, POS, HISTORY, BUCKETS, RUNS, MIXED) = range(11)
# Learning rates: of the first layer, what it has more at first, of the second.
(RATE, RATE_EXTRA, RATE2) = range(11, 14)
# Hashes of the present word and the three before; letters of it; what stood between it and the last word; first
# letters of the last words; the last letters.
(WORD, WORD1, WORD2, WORD3, LETTERS, GAP, INITIALS, LATEST) = range(14, 22)
# Where the present line and the one above begin, its first byte; classes of the last eight bytes; open brackets;
# the name of the innermost tag, and whether it is still being read.
(LINE, ABOVE, FIRST, CLASSES, BRACKETS, TAG, IN_TAG) = range(22, 29)
# Where inputs of doubts, runs (0: none) and matches begin; what is left out (0 but in measurements).
(DOUBT_INPUTS, RUN_INPUTS, MATCH_INPUTS, DIRECT_INPUTS, LEFT_OUT, KNOWN, LONGEST) = range(29, 36)
(DIRECT,) = range(36, 37)
SCALARS = 40


@njit(cache=True, _nrt=False)
def hash2(a: Integer, b: Integer) -> Integer:
    """A 32-bit hash of two values below 2**32."""
    h = ((a * 0x2F0B4C47) & 0xFFFFFFFF) ^ ((b * 0x1E35A7BD) & 0xFFFFFFFF)
    h = (h ^ (h >> 15)) * 0x2C1B3C6D
    return (h ^ (h >> 29)) & 0xFFFFFFFF
