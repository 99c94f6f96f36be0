"""Writes the golden archives anew: `python tests/golden/archive_make.py`. For a new format version only.

`archive_v1.bin` pins every byte; `archive_v1_deflated.bin` has deflated fields, whose bytes depend on the
zlib at hand, and pins that they can be read.
"""

from __future__ import annotations

from pathlib import Path

from ktray.testing.archives import bytes_block, encoded, golden_blocks, write_archive

HERE = Path(__file__).parent


def main() -> None:
    write_archive(HERE / "archive_v1.bin", golden_blocks()[:1], {"prior": "fake"})
    many = bytes_block({f"file {i}": bytes([i]) for i in range(100)}, 16)
    settings = {f"setting {i}": i for i in range(30)}
    write_archive(HERE / "archive_v1_deflated.bin", [*golden_blocks(), encoded(many)], settings)


if __name__ == "__main__":
    main()
