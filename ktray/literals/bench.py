"""Measures literal models on files: `python -m ktray.literals.bench FILE... [--ablate] [--limit N]
[--preset P]`.

Each line is one file and one compressor: rate (bytes out over bytes in; for three-bit symbols also bits
out over 3 bits), CPU seconds and MB/s of encoding and decoding, one thread. What is decoded is compared
with the file.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ktray.errors import ConfigError, InputError, PipelineError
from ktray.literals import general, nucleotide, signal
from ktray.literals.candidates import BlockModel, GeneralModel, NucleotideModel, SignalModel
from ktray.literals.codec import choose_model, decode_bytes, encode_bytes
from ktray.literals.coding import price_all
from ktray.literals.settings import MAX_CONTEXTS, PRESETS, MixerSettings
from ktray.literals.shapes import Shape
from ktray.peers import peer, peers_at_hand
from ktray.sequences import Values

Codec = tuple[str, Callable[[bytes], bytes], Callable[[bytes], bytes]]


def codecs(n: int, presets: Sequence[str]) -> Iterator[Codec]:
    """The compressors to compare on n bytes: ours by preset, xz, and zpaq where it is installed."""
    for preset in presets:
        yield (
            f"ktray {preset}",
            lambda data, p=preset: encode_bytes(np.frombuffer(data, np.uint8), p),  # type: ignore[misc]
            lambda payload: decode_bytes(payload, n).tobytes(),
        )
    for name in ("xz", "zpaq"):
        if name in peers_at_hand():
            other = peer(name)
            yield other.title, other.compress, other.decompress


def measure(data: Values, codec: Codec) -> tuple[int, float, float]:
    """Bytes out, CPU seconds of encoding and of decoding; raises PipelineError where decoding differs."""
    name, encode, decode = codec
    plain = data.tobytes()
    t0 = time.process_time()
    payload = encode(plain)
    t1 = time.process_time()
    restored = decode(payload)
    t2 = time.process_time()
    if restored != plain:
        raise PipelineError(f"{name} restored other bytes than it was given")
    return len(payload), t1 - t0, t2 - t1


def report(path: Path, data: Values, presets: Sequence[str]) -> None:
    """Print one line a compressor."""
    model = choose_model(data, presets[0])
    symbols = 8 / 3 if len(data) and int(data.max()) < 8 else 0
    for codec in codecs(len(data), presets):
        size, encoding, decoding = measure(data, codec)
        rate = size / max(len(data), 1)
        note = f"  ({rate * symbols:.4f} of 3 bits)" if symbols else ""
        speed = (
            f"{len(data) / 1e6 / max(encoding, 1e-9):7.3f} {len(data) / 1e6 / max(decoding, 1e-9):7.3f} MB/s"
        )
        name = f"{codec[0]} ({model.name})" if codec[0].startswith("ktray") else codec[0]
        print(f"{path.name:20} {name:28} {size:9,d} {rate:.4f} {speed}{note}", flush=True)


class _Without(GeneralModel):
    """The general model with some of its parts silenced."""

    def __init__(self, settings: MixerSettings, parts: int) -> None:
        super().__init__(settings)
        self._parts = parts

    def begin(self) -> None:
        """An untrained mixer that lacks the parts."""
        super().begin()
        general.leave_out(self._state, self._parts)


class _Silenced(NucleotideModel):
    """The nucleotide model with some of its parts silenced."""

    def __init__(self, model: NucleotideModel, parts: int) -> None:
        super().__init__(*model.settings())
        self._parts = parts

    def begin(self) -> None:
        """An untrained model that lacks the parts."""
        super().begin()
        nucleotide.leave_out(self._state, self._parts)


@dataclass
class _Shaped(SignalModel):
    """The signal model in another shape than its kind has."""

    parts: Shape | None = None

    def begin(self) -> None:
        """Filters without weights."""
        self._state = signal.new_state(self.parts or self.shape(), self.records)


def general_variants(n: int, preset: str) -> Iterator[tuple[str, BlockModel]]:
    """The general model whole, then without each of its parts and with what only `max` has."""
    settings = MixerSettings.for_block(n, preset)
    yield "all", _Without(settings, 0)
    for bit, part in enumerate(general.PARTS):
        has = settings.with_doubts or part not in general.PARTS_OF_MAX
        if bit < settings.contexts or (bit >= MAX_CONTEXTS and has):
            yield f"without {part}", _Without(settings, 1 << bit)
    for name in ("with_doubts", "with_runs"):
        have = getattr(settings, name)
        other = (
            replace(settings, with_doubts=not have)
            if name == "with_doubts"
            else replace(settings, with_runs=not have)
        )
        what = {"with_doubts": "the further inputs and sets of max", "with_runs": "runs"}[name]
        yield f"{'without' if have else 'with'} {what}", _Without(other, 0)


def nucleotide_variants(model: NucleotideModel) -> Iterator[tuple[str, BlockModel]]:
    """The nucleotide model whole, then without each of its tables and pointers, and with or without its extras."""
    bases, log_rows, extras = model.settings()
    yield "all", model
    for name, bit in nucleotide.EXTRA_PARTS.items():
        verb = "without" if extras & bit else "with"
        yield f"{verb} {name}", NucleotideModel(bases, log_rows, extras ^ bit)
    for bit, part in enumerate(nucleotide.PARTS):
        yield f"without {part}", _Silenced(model, 1 << bit)


def signal_variants(model: SignalModel) -> Iterator[tuple[str, BlockModel]]:
    """The signal model whole, then without each filter but the first and without each stage."""
    shape = model.shape()
    yield "all", model
    for i, f in enumerate(shape.filters[1:], 1):
        kept = (*shape.filters[:i], *shape.filters[i + 1 :])
        yield f"without filter {i} ({len(f.lags)} taps)", _shaped(model, replace(shape, filters=kept))
    for i, (order, _) in enumerate(shape.stages):
        still = tuple((o, 0 if i == j else step) for j, (o, step) in enumerate(shape.stages))
        yield f"stage {i} ({order} taps) not learning", _shaped(model, replace(shape, stages=still))
    yield "blend of the first alone", _shaped(model, replace(shape, filters=shape.filters[:1], stages=()))


def _shaped(model: SignalModel, shape: Shape) -> _Shaped:
    return _Shaped(model.number, model.records, model.further, shape)


def ablate(path: Path, data: Values, preset: str) -> None:
    """Print what each part of the model chosen for `data` saves, and what it takes in time."""
    model = choose_model(data, preset)
    if isinstance(model, SignalModel):
        variants = signal_variants(model)
    elif isinstance(model, GeneralModel):
        variants = general_variants(len(data), preset)
    elif isinstance(model, NucleotideModel):
        variants = nucleotide_variants(model)
    else:
        raise ConfigError(f"{path}: the model of {model.name} has no parts to leave out; give another file")
    price_all(model.for_sample(0, 64), data[:64])  # compiles
    full, seconds = 0, 0.0
    for name, variant in variants:
        start = time.process_time()
        cost = price_all(variant, data)
        taken = time.process_time() - start
        full, seconds = full or cost, seconds or taken
        change = f"{100 * (cost / full - 1):+6.2f} % bytes {100 * (taken / seconds - 1):+6.1f} % time"
        print(f"{path.name:20} {name:34} {cost / 524288 / max(len(data), 1):.4f} {change}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="take so many bytes of each file (0: all)")
    parser.add_argument("--preset", action="append", choices=list(PRESETS), help="default: default")
    parser.add_argument("--ablate", action="store_true", help="the chosen model without each of its parts")
    options = parser.parse_args(arguments)
    warm = np.arange(64, dtype=np.uint8)
    try:
        decode_bytes(encode_bytes(warm), len(warm))
        for path in options.files:
            data = np.fromfile(path, dtype=np.uint8)
            data = data[: options.limit] if options.limit else data
            choose_model(data, "default")
            if options.ablate:
                ablate(path, data, (options.preset or ["default"])[0])
            else:
                report(path, data, options.preset or ["default"])
    except (InputError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
