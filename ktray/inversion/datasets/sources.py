"""The categories of generated inputs by source. A category draws one text of about the length asked for.

Everything comes from the generator given, so a seed fixes a data set.
"""

from __future__ import annotations

from ktray.inversion.datasets import dna, logs, scripts, strings, tables, yamls
from ktray.inversion.datasets.pieces import Category

SOURCES: dict[str, dict[str, Category]] = {
    "string": strings.CATEGORIES,
    "log": logs.CATEGORIES,
    "yaml": yamls.CATEGORIES,
    "tabular": tables.CATEGORIES,
    "dna": dna.CATEGORIES,
    "unicode": scripts.CATEGORIES,
}
