"""Packages that only some installations have (extras of `pyproject.toml`), and how to get one that is missing."""

from __future__ import annotations

from ktray.errors import ConfigError

#: Package -> the extras that bring it.
EXTRAS = {
    "vllm": "cpu or gpu",
    "torch": "cpu or gpu",
    "transformers": "cpu or gpu",
    "openai": "api",
    "dotenv": "api",
    "matplotlib": "plots",
}


def missing(error: ModuleNotFoundError) -> ConfigError:
    """Return how to mend an import that failed. Raises `error` itself where no extra brings the package."""
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        raise error
    return ConfigError(
        f"the package {error.name} is not installed; pip install '.[EXTRA]', EXTRA being {extra}"
    )
