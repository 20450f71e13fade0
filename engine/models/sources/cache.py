"""The models that lie on this machine already, found without a network."""

import json
import os
import re
from pathlib import Path
from typing import NamedTuple

from engine.models.sources import modelscope
from engine.models.sources.files import cache_folder, gib_of, has_small, weights_in
from engine.models.sources.names import MODELSCOPE

_WRITES_TEXT = re.compile(r"CausalLM|LMHead|ChatGLM")


class Here(NamedTuple):
    """A whole model, `name` as a person writes it."""

    name: str
    gib: float


def models_here() -> list[Here]:
    """Language models whose files are all here, by name."""
    found = [(_id_of(one), _snapshot(one)) for one in cache_folder().glob("models--*")]
    found += [(MODELSCOPE + id, folder) for id, folder in modelscope.folders()]
    return sorted(
        Here(name, gib_of(folder))
        for name, folder in found
        if folder and has_small(folder) and weights_in(folder) and _writes_text(folder)
    )


def _id_of(storage: Path) -> str:
    return storage.name.removeprefix("models--").replace("--", "/")


def _snapshot(storage: Path) -> Path | None:
    """The folder that `main` stood for when it was last asked."""
    try:
        revision = (storage / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return storage / "snapshots" / os.path.basename(revision)


def _writes_text(folder: Path) -> bool:
    """The cache also holds models for other ends."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return any(_WRITES_TEXT.search(one) for one in config["architectures"])
    except (OSError, ValueError, KeyError, TypeError):  # no config of a model that one could load
        return False
