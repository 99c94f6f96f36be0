"""Corpora: bytes in, sequences out, and back. Read `blocks` first, then the modality you want.

A new corpus is a module with an opener and a restorer, and a line in `registry` and `restoring`.
"""

from ktray.corpora.blocks import Corpus, CorpusBlock, Origin

__all__ = ["Corpus", "CorpusBlock", "Origin", "open_corpus", "restore"]

from ktray.corpora.registry import open_corpus
from ktray.corpora.restoring import restore
