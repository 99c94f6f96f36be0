"""Draws data sets: count texts of a source, spread over its categories, no text twice, from one seed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random

from ktray.config import nearest
from ktray.inversion.datasets.pieces import Category
from ktray.inversion.datasets.sources import SOURCES
from ktray.inversion.kinds import InversionError
from ktray.inversion.tasks import Item

#: Draws without a new text in a row after which a category counts as exhausted.
_PATIENCE = 200


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """What to draw: comma-separated sources (or `mixed`), categories (empty: all of the sources), how many
    texts, their least and greatest length in characters (ends included), and the seed."""

    source: str = "mixed"
    categories: tuple[str, ...] = ()
    count: int = 250
    least: int = 8
    greatest: int = 300
    seed: int = 0


def generate(spec: DatasetSpec, exclude: Collection[str] = ()) -> list[Item]:
    """Return `spec.count` distinct items, none of whose texts is in `exclude`.

    Raises InversionError for an unknown source or category, an impossible length range, or where the
    categories cannot give that many distinct texts.
    """
    if spec.count < 1 or not 1 <= spec.least <= spec.greatest:
        raise InversionError(
            f"{spec.count} texts of {spec.least} to {spec.greatest} characters; expected at least 1 text and "
            "1 <= least <= greatest"
        )
    rng = Random(f"ktray inversion {spec.seed}")
    seen = set(exclude)
    items: list[Item] = []
    alive = dict(chosen_categories(spec))
    turns = cycle(list(alive))
    while len(items) < spec.count and alive:
        name = next(turns)
        if name not in alive:
            continue
        text = _new_text(rng, alive[name][1], spec, seen)
        if text is None:
            del alive[name]
            continue
        seen.add(text)
        items.append(Item(text, name, alive[name][0]))
    if len(items) < spec.count:
        raise InversionError(
            f"only {len(items)} distinct texts of {spec.least} to {spec.greatest} characters where "
            f"{spec.count} were asked for; widen the length range or take more categories"
        )
    return items


def chosen_categories(spec: DatasetSpec) -> dict[str, tuple[str, Category]]:
    """Return the categories of a spec by name, each with its source.

    Raises InversionError for an unknown source.
    """
    named = [name.strip() for name in spec.source.split(",")]
    for name in named:
        if name != "mixed" and name not in SOURCES:
            raise InversionError(f"unknown source {name!r}{nearest(name, [*SOURCES, 'mixed'])}")
    sources = list(SOURCES) if "mixed" in named else named
    known = {name: (source, make) for source in sources for name, make in SOURCES[source].items()}
    for name in spec.categories:
        if name not in known:
            raise InversionError(f"unknown category {name!r}{nearest(name, list(known))}")
    return {name: known[name] for name in (spec.categories or known)}


def split(items: Sequence[Item], test_share: float) -> tuple[list[Item], list[Item]]:
    """Return (train, test) by the hash of each text, so that a text is on one side in every data set.

    Raises InversionError for a share outside 0 to 1.
    """
    if not 0 <= test_share <= 1:
        raise InversionError(f"test share {test_share}; expected 0 to 1")
    limit = int(test_share * 2**64)
    test = [i for i in items if int(i.id, 16) < limit]
    return [i for i in items if int(i.id, 16) >= limit], test


def _new_text(rng: Random, make: Category, spec: DatasetSpec, seen: set[str]) -> str | None:
    for _ in range(_PATIENCE):
        text = make(rng, rng.randint(spec.least, spec.greatest))[: spec.greatest]
        if len(text) >= spec.least and text not in seen:
            return text
    return None
