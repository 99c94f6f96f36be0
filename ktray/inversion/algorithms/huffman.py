"""Huffman coding of characters into bytes; ties fall as in the published outputs.

The published tree compares counts alone and heapifies the characters in the order of first appearance,
so a tie's order is heapq's own; any other tie-break gives other bytes.
"""

from __future__ import annotations

from typing import Any

from ktray.inversion.algorithms.base import make
from ktray.inversion.kinds import Kind


def huffman_encode(text: str) -> tuple[list[int], list[Any]]:
    """Compress a text with Huffman coding; the side is [codebook, number of padding bits]."""
    import heapq

    class Node(tuple):  # type: ignore[type-arg]
        def __lt__(self, other):  # type: ignore[no-untyped-def]
            return self[0] < other[0]

    counts: dict[str, int] = {}
    for character in text:
        counts[character] = counts.get(character, 0) + 1
    # A leaf is (count, character); an inner node is (count, left, right). Only counts are compared.
    heap = [Node((count, character)) for character, count in counts.items()]
    heapq.heapify(heap)
    while len(heap) > 1:
        left = heapq.heappop(heap)
        right = heapq.heappop(heap)
        heapq.heappush(heap, Node((left[0] + right[0], left, right)))
    codebook = {}
    pending = [(node, "") for node in heap]
    while pending:
        node, path = pending.pop()
        if len(node) == 2:
            codebook[node[1]] = path or "0"
        else:
            pending.append((node[2], path + "1"))
            pending.append((node[1], path + "0"))
    bits = "".join([codebook[character] for character in text])
    padding = -len(bits) % 8
    bits += "0" * padding
    data = [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]
    return data, [codebook, padding]


def huffman_decode(data: list[int], side: list[Any]) -> str:
    """Restore a text from its Huffman bytes; the side is [codebook, number of padding bits]."""
    codebook, padding = side
    characters = {path: character for character, path in codebook.items()}
    bits = "".join([format(byte, "08b") for byte in data])
    text = ""
    path = ""
    for bit in bits[: len(bits) - padding]:
        path += bit
        if path in characters:
            text += characters[path]
            path = ""
    if path:
        raise ValueError("the bits end inside a Huffman code")
    return text


ALGORITHM = make(
    "huffman",
    "Huffman coding",
    ("Huffman",),
    Kind.BYTES,
    huffman_encode,
    huffman_decode,
    has_side=True,
)
