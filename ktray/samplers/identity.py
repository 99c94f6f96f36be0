"""What tells models apart without loading them: a hub name with its revision, or a folder's content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ktray.errors import ConfigError

#: Files up to this size enter the identity whole, larger ones (weights) with their size and both ends.
_WHOLE = 1 << 20
#: What is written about a model changes nothing that it says.
_CARD = ".md"


def model_identity(model: str, revision: str = "") -> str:
    """Return `name@digest` of a local folder (moving it changes nothing), or `hub/name@revision`.

    Raises ConfigError where `model` looks like a folder and is none.
    """
    folder = Path(model)
    if folder.is_dir():
        return f"{folder.resolve().name}@{_digest(folder)}"
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise ConfigError(
            f"model folder {model} does not exist; give a folder with config.json or a hub name"
        )
    return f"{model}@{revision}" if revision else model


def _digest(folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=4)
    for file in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != _CARD):
        size = file.stat().st_size
        digest.update(f"{file.name}\0{size}\0".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(_WHOLE))
            if size > _WHOLE:
                stream.seek(max(_WHOLE, size - _WHOLE))
                digest.update(stream.read())
    return digest.hexdigest()
