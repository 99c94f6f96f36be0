"""Blocks of YAML settings."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ktray.inversion.datasets.pieces import WORDS, Category, address


def _yaml(block: Callable[[Random, int], str]) -> Category:
    def make(rng: Random, length: int) -> str:
        text, number = block(rng, 0), 0
        while len(text) < length:
            number += 1
            text += block(rng, number)
        return text

    return make


def _yaml_service(rng: Random, number: int) -> str:
    port = rng.randint(3000, 9000)
    name, image = rng.choice(WORDS), rng.choice(WORDS)
    return f"{name}{number}:\n  image: registry/{image}:1.{port % 10}\n  port: {port}\n"


def _yaml_settings(rng: Random, number: int) -> str:
    return f"section_{number}:\n  enabled: {rng.choice(['true', 'false'])}\n  limit: {rng.randrange(500)}\n"


def _yaml_steps(rng: Random, number: int) -> str:
    head = "jobs:\n  build:\n    steps:\n" if number == 0 else ""
    return head + f"      - run: make {rng.choice(WORDS)}\n        retries: {rng.randint(0, 3)}\n"


def _yaml_hosts(rng: Random, number: int) -> str:
    return f"- host: node-{number}\n  address: {address(rng)}\n  roles: [{', '.join(rng.sample(WORDS, 2))}]\n"


CATEGORIES: dict[str, Category] = {
    "yaml_service": _yaml(_yaml_service),
    "yaml_settings": _yaml(_yaml_settings),
    "yaml_steps": _yaml(_yaml_steps),
    "yaml_hosts": _yaml(_yaml_hosts),
}
