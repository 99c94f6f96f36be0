"""General compressors at their strongest usual settings, to compare with. Nothing depends on what they give.

brotli, PPMd and zpaq come with `pip install ktray[compare]`; one that is not installed is left out.
"""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import zstandard

from ktray.config import nearest
from ktray.errors import ConfigError

Transform = Callable[[bytes], bytes]

#: Window of brotli (2^24 bytes, its largest standard one); order and memory of PPMd (variant I).
_BROTLI_WINDOW = 24
_PPMD_ORDER, _PPMD_MEMORY = 16, 256 << 20


@dataclass(frozen=True, slots=True)
class Peer:
    """A compressor and its inverse, and how it is called in tables."""

    title: str
    compress: Transform
    decompress: Transform


def _gzip() -> Peer:
    return Peer("gzip -9", lambda data: gzip.compress(data, 9, mtime=0), gzip.decompress)


def _xz() -> Peer:
    preset = 9 | lzma.PRESET_EXTREME
    return Peer("xz -9e", lambda data: lzma.compress(data, preset=preset), lzma.decompress)


def _zstd() -> Peer:
    return Peer(
        "zstd -22",
        lambda data: zstandard.ZstdCompressor(level=22).compress(data),
        lambda payload: zstandard.ZstdDecompressor().decompress(payload),
    )


def _brotli() -> Peer:
    brotli = import_module("brotli")
    return Peer(
        "brotli -11",
        lambda data: bytes(brotli.compress(data, quality=11, lgwin=_BROTLI_WINDOW)),
        lambda payload: bytes(brotli.decompress(payload)),
    )


def _ppmd() -> Peer:
    ppmd = import_module("pyppmd")
    return Peer(
        "PPMd",
        lambda data: bytes(ppmd.compress(data, max_order=_PPMD_ORDER, mem_size=_PPMD_MEMORY)),
        lambda payload: bytes(ppmd.decompress(payload, max_order=_PPMD_ORDER, mem_size=_PPMD_MEMORY)),
    )


def _zpaq() -> Peer:
    zpaq = import_module("zpaq")
    return Peer(
        "zpaq -m5", lambda data: bytes(zpaq.compress(data, 5)), lambda data: bytes(zpaq.decompress(data))
    )


_MAKERS = {"gzip": _gzip, "xz": _xz, "zstd": _zstd, "brotli": _brotli, "ppmd": _ppmd, "zpaq": _zpaq}
_MODULES = {"brotli": "brotli", "ppmd": "pyppmd", "zpaq": "zpaq"}
#: Every peer's name, the quickest first.
PEERS = tuple(_MAKERS)


def peer(name: str) -> Peer:
    """Return a peer. Raises ConfigError for a name that is not known, or where it is not installed."""
    if name not in _MAKERS:
        raise ConfigError(f"unknown compressor {name!r}{nearest(name, PEERS)}")
    if not _installed(name):
        raise ConfigError(f"{name} is not installed; install it with: pip install {_MODULES[name]}")
    return _MAKERS[name]()


def peers_at_hand() -> list[str]:
    """Return the names of those that are installed."""
    return [name for name in PEERS if _installed(name)]


def _installed(name: str) -> bool:
    return name not in _MODULES or find_spec(_MODULES[name]) is not None
