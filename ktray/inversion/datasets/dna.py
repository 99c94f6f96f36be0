"""Bases, with the structure that genomes have, and FASTA records."""

from __future__ import annotations

from random import Random

from ktray.inversion.datasets.pieces import Category, cycle, letters


def _dna_random(rng: Random, length: int) -> str:
    return letters(rng, "ACGT", length)


def _dna_motif(rng: Random, length: int) -> str:
    return cycle(letters(rng, "ACGT", rng.randint(2, 5)), length)


def _dna_reverse_complement(rng: Random, length: int) -> str:
    half = letters(rng, "ACGT", (length + 1) // 2)
    return half + half[::-1].translate(str.maketrans("ACGT", "TGCA"))


def _dna_microsatellite(rng: Random, length: int) -> str:
    third = max(1, length // 3)
    return letters(rng, "ACGT", third) + _dna_motif(rng, third) + letters(rng, "ACGT", length - 2 * third)


def _dna_gc_rich(rng: Random, length: int) -> str:
    return "".join(rng.choices("GCAT", weights=(4, 4, 1, 1), k=max(1, length)))


def _dna_fasta(rng: Random, length: int) -> str:
    bases = letters(rng, "ACGT", length)
    lines = [bases[i : i + 60] for i in range(0, len(bases), 60)]
    return "\n".join([f">seq_{rng.randrange(1000)}", *lines])


CATEGORIES: dict[str, Category] = {
    "dna_random": _dna_random,
    "dna_motif_repeat": _dna_motif,
    "dna_reverse_complement": _dna_reverse_complement,
    "dna_microsatellite": _dna_microsatellite,
    "dna_gc_rich": _dna_gc_rich,
    "dna_fasta": _dna_fasta,
}
