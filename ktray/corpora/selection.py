"""How much of a corpus is taken from its front (`--limit`); sequences keep the ids of the whole corpus."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from ktray.corpora.blocks import CorpusBlock
from ktray.errors import ConfigError

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_LIMIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many bits (of `element_bits` an element) and sequences; None where there is no limit.

    A limit in bytes takes whole files of an audio corpus and whole lines of `sequences` until it is
    reached, so that a little more may come; bytes and bases are cut exactly. A limit in sequences is exact.
    """

    bits: int | None = None
    sequences: int | None = None

    def elements(self, element_bits: int) -> int | None:
        """Return the limit in elements of `element_bits` bits, rounded up."""
        return None if self.bits is None else -(-self.bits // element_bits)

    def after(self, block: CorpusBlock) -> Limit:
        """Return what is left of the limit once `block` was taken."""
        taken = len(block.values) * block.element_bits
        return Limit(
            None if self.bits is None else max(0, self.bits - taken),
            None if self.sequences is None else max(0, self.sequences - len(block.lengths)),
        )

    @property
    def exhausted(self) -> bool:
        """Whether nothing more may be taken."""
        return self.bits == 0 or self.sequences == 0


NO_LIMIT = Limit()


def parse_limit(text: str | None, name: str = "--limit") -> Limit:
    """Return the limit that `text`, the value of option `name`, gives: `1MB`, `250KB`, `64KiB` or `500seq`;
    raises ConfigError.
    """
    if text is None:
        return NO_LIMIT
    match = _LIMIT.fullmatch(text)
    unit = match.group(2).upper() if match else ""
    if match and unit == "SEQ" and "." not in match.group(1) and int(match.group(1)) > 0:
        return Limit(sequences=int(match.group(1)))
    if match and unit in _UNITS and float(match.group(1)) > 0:
        return Limit(bits=8 * max(1, round(float(match.group(1)) * _UNITS[unit])))
    raise ConfigError(f"{name} {text}: expected a size such as 1MB or a number of sequences such as 500seq")


def selected_digest(digest: str, selection: object) -> str:
    """Return the digest of what `selection` takes of the corpus whose digest is given."""
    if selection == NO_LIMIT:
        return digest
    return hashlib.blake2b(f"{digest} {selection}".encode(), digest_size=16).hexdigest()
