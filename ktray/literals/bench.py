"""Measures literal models on files: `python -m ktray.literals.bench FILE... [--ablate] [--limit N]
[--preset P]`.

Each line is one file and one compressor: rate (bytes out over bytes in; for three-bit symbols also bits
out over 3 bits), CPU seconds and MB/s of encoding and decoding, one thread. What is decoded is compared
with the file.
"""

from __future__ import annotations

import argparse
import lzma
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ktray.errors import InputError, PipelineError
from ktray.literals.candidates import GeneralModel
from ktray.literals.codec import choose_model, decode_bytes, encode_bytes
from ktray.literals.coding import price_all
from ktray.literals.settings import MAX_CONTEXTS, MIN_CONTEXTS, PRESETS, MixerSettings
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
    yield ("xz -9e", lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress)
    try:
        import zpaq
    except ImportError:
        return
    yield (
        "zpaq -m5",
        lambda data: bytes(zpaq.compress(data, 5)),
        lambda payload: bytes(zpaq.decompress(payload)),
    )


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


def ablate(path: Path, data: Values) -> None:
    """Print what the general model costs with ever fewer contexts."""
    full = 0
    for contexts in range(MAX_CONTEXTS, MIN_CONTEXTS - 1, -2):
        sizes = MixerSettings.for_block(len(data))
        settings = MixerSettings(sizes.buckets, sizes.history, sizes.runs, contexts)
        start = time.process_time()
        cost = price_all(GeneralModel(settings), data)
        full = full or cost
        change = f"{100 * (cost / full - 1):+.2f} %"
        seconds = f"{time.process_time() - start:.1f} s"
        print(f"{path.name:20} {contexts:2d} contexts {cost / 524288:11,.0f} bytes {change:>9} {seconds:>8}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="take so many bytes of each file (0: all)")
    parser.add_argument("--preset", action="append", choices=list(PRESETS), help="default: default")
    parser.add_argument("--ablate", action="store_true", help="the general model with ever fewer contexts")
    options = parser.parse_args(arguments)
    warm = np.arange(64, dtype=np.uint8)
    try:
        decode_bytes(encode_bytes(warm), len(warm))
        for path in options.files:
            data = np.fromfile(path, dtype=np.uint8)
            data = data[: options.limit] if options.limit else data
            choose_model(data, "default")
            if options.ablate:
                ablate(path, data)
            else:
                report(path, data, options.preset or ["default"])
    except (InputError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
