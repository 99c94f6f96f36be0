"""The `.kt` container. Read first: `format` (the bytes on disk), then `blocks`, `writer`, `reader`.

What a reader hands out is what the writer was given, or an `ArchiveError`: there is no third case.
"""

from ktray.archive.blocks import DecodedBlock, EncodedBlock, decode_block, encode_block
from ktray.archive.format import BlockInfo
from ktray.archive.reader import ArchiveReader, Restored, Span, decode_in_process, restore_file
from ktray.archive.writer import ArchiveWriter

__all__ = [
    "ArchiveReader",
    "ArchiveWriter",
    "BlockInfo",
    "DecodedBlock",
    "EncodedBlock",
    "Restored",
    "Span",
    "decode_block",
    "decode_in_process",
    "encode_block",
    "restore_file",
]
