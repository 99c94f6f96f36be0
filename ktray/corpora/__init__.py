"""Corpora: bytes in, sequences out, and back. Read `blocks` first, then the modality you want."""
