"""The prior `adaptive`: prices under the shipped counts, blocks under counts that learn as they go."""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ktray.errors import ArchiveError
from ktray.literals import PRESETS
from ktray.ports import CodedBlock, Entry, RunProgram
from ktray.priors.adaptive.block import BlockDecoder, BlockEncoder, cheapest, flat_variants, outside_price
from ktray.priors.adaptive.counts import Counts, shipped_counts
from ktray.priors.adaptive.desk import Desk
from ktray.priors.adaptive.literals import find_way
from ktray.priors.adaptive.whole import decode_whole, encode_whole, joined
from ktray.programs import Language, Program

#: The first byte of a payload: all literals as one stretch, or programs and literals in one stream.
_WHOLE, _STREAM = b"\x00", b"\x01"

#: What a stream is also tried with where literals may be noise, on which mixing is wasted.
_PLAIN_WAY = "order0"

#: The mixing model is tried in a stream where programs could save more than this share of the block, or where
#: literals take more than this share of a stream without it.
_WORTH_TRYING = 0.005
_FEW_LITERALS = 0.05

#: A stream this much smaller than the elements under a good general compressor leaves one stretch no hope (the
#: strongest mixing takes 0.7 of it).
_HOPELESS = 0.6
_LZMA = [{"id": lzma.FILTER_LZMA2, "preset": 6}]


class AdaptivePrior:
    """Codes programs and literals in one stream, with counts learned while coding (see `driver.py`).

    `literals` names how literal sequences are coded: "uniform", "order0" or a preset of the mixing model.
    With a preset, a block is coded in the cheapest of the forms that have a chance (its first byte tells which):
    all elements as one stretch by the model that suits them, or programs and literals in one stream. Each block
    starts from `counts`, by default the shipped ones. Raises ConfigError for an unknown name.
    """

    name = "adaptive"

    def __init__(self, literals: str = "order0", counts: Counts | None = None) -> None:
        find_way(literals, 0)
        self._literals = literals
        self._counts = shipped_counts() if counts is None else counts
        self._desk: Desk | None = None

    def __reduce__(self) -> tuple[type[AdaptivePrior], tuple[str, Counts]]:
        """A copy in another process makes its own tables."""
        return AdaptivePrior, (self._literals, self._counts)

    def published_bits(self, programs: Sequence[Program]) -> NDArray[np.float64]:
        """Return `prices`: the paper has no such prior."""
        return self.prices(programs)

    def prices(self, programs: Sequence[Program]) -> NDArray[np.float64]:
        """Return the bits of each program's canonical form as the first of a block, without its flag.

        Python programs cost 8 x their own raw deflate, DSL programs that the model cannot code (beyond its
        bounds, or of the second dialect) what the uniform code takes.
        """
        return np.array([self._price(program) for program in programs], dtype=np.float64)

    def encode(self, entries: Sequence[Entry], lengths: NDArray[np.int64] | None) -> CodedBlock:
        """Return the block; an entry is a literal where that is cheaper, or where its program fails."""
        if self._literals not in PRESETS:
            return _formed(_STREAM, self._stream(entries, lengths, self._literals))
        if not any(entry.program for entry in entries):
            return _formed(_WHOLE, encode_whole(entries, lengths, self._literals))
        plain = _formed(_STREAM, self._stream(entries, lengths, _PLAIN_WAY))
        if 8 * len(plain.payload) < _HOPELESS * _stretch_bits(entries):
            forms = [plain]
            mixing = plain.literal_bits > _FEW_LITERALS * 8 * len(plain.payload)
        else:
            forms = [_formed(_WHOLE, encode_whole(entries, lengths, self._literals)), plain]
            mixing = self._programs_may_pay(entries, forms[0].literal_bits)
        if mixing:
            forms.append(_formed(_STREAM, self._stream(entries, lengths, self._literals)))
        return min(forms, key=lambda form: len(form.payload))

    def _stream(self, entries: Sequence[Entry], lengths: NDArray[np.int64] | None, name: str) -> CodedBlock:
        way = find_way(name, sum(len(entry.values) for entry in entries))
        encoder = BlockEncoder(self._counts, way, lengths is None)
        return encoder.finish([encoder.add(entry) for entry in entries])

    def programs_pay(self, entries: Sequence[Entry]) -> bool:
        """Return whether a block that begins with `entries` would hold programs: whether theirs could save a
        share worth having of what literals take. Always true where literals are not mixed."""
        if self._literals not in PRESETS:
            return True
        lengths = np.array([len(entry.values) for entry in entries], np.int64)
        return self._programs_may_pay(entries, encode_whole(entries, lengths, self._literals).literal_bits)

    def _programs_may_pay(self, entries: Sequence[Entry], literal_bits: float) -> bool:
        """Whether programs could save a share of the block that coding it twice more is worth."""
        elements = sum(len(entry.values) for entry in entries)
        solved = [(entry, entry.program) for entry in entries if entry.program is not None]
        prices = self.prices([program for _, program in solved])
        literal = np.array([len(entry.values) for entry, _ in solved]) * (literal_bits / max(1, elements))
        return bool(np.maximum(0.0, literal - prices).sum() > _WORTH_TRYING * literal_bits)

    def decode(
        self, payload: bytes, n: int, lengths: NDArray[np.int64] | None, run: RunProgram
    ) -> list[Entry]:
        """Return the block's n entries; mirror of `encode`. Raises ArchiveError on a damaged payload."""
        form, payload = payload[:1], payload[1:]
        if form == _WHOLE:
            return decode_whole(payload, n, lengths)
        if form != _STREAM:
            raise ArchiveError("damaged: a block of prior `adaptive` has no form that this version knows")
        decoder = BlockDecoder(self._counts, payload, run)
        if lengths is None:
            return [decoder.next(None) for _ in range(n)]
        if len(lengths) != n:
            raise ArchiveError(f"damaged: {len(lengths)} lengths for {n} entries of a block")
        return [decoder.next(int(length)) for length in lengths]

    def _price(self, program: Program) -> float:
        if program.language is not Language.DSL:
            return outside_price(program)
        if self._desk is None:
            self._desk = Desk(self._counts)
        self._desk.bits[:] = 0.0  # so that no sum depends on what was priced before
        lines = self._desk.read(program.text)
        if (
            lines > 0
            and (bits := self._desk.quote(lines)) is not None
            and self._desk.output(lines) is not None
        ):
            return bits
        quoted = cheapest(self._desk, flat_variants(program))
        return quoted[0] if quoted else outside_price(program)


def _stretch_bits(entries: Sequence[Entry]) -> float:
    """Return what the elements of all entries take under LZMA: a quick look at what literals alone could do."""
    return 8.0 * len(lzma.compress(joined(entries).tobytes(), format=lzma.FORMAT_RAW, filters=_LZMA))


def _formed(form: bytes, block: CodedBlock) -> CodedBlock:
    return replace(block, payload=form + block.payload)
