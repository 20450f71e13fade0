"""Which files of a model are fetched, and whether a folder has its weights: by their names alone.

Only the top of a repository counts: `original/`, `onnx/` and the like hold the same model again.
Programs, and weights in formats that Transformers would not load here, are never fetched.
"""

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from engine.hardware import GIB

# Config, tokenizer, templates, and the indexes of sharded weights.
SMALL = ("*.json", "*.jinja", "*.model", "*.tiktoken", "*.txt")
_WEIGHTS = (
    "model.safetensors",
    "model-*-of-*.safetensors",
    "pytorch_model.bin",  # only where there are no safetensors; read with weights_only
    "pytorch_model-*-of-*.bin",
)
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "*.model", "*.tiktoken")


class File(NamedTuple):
    """`etag` is its content's hash as the Hub names it, "" where that is not known."""

    name: str
    size: int  # bytes
    etag: str = ""


def small(files: list[File]) -> list[File]:
    """What estimates need: all but the weights."""
    return [one for one in files if _matches(one.name, SMALL)]


def weights(files: list[File]) -> list[File]:
    """The weights in the first format that is there, once."""
    for pattern in _WEIGHTS:
        found = [one for one in files if _matches(one.name, (pattern,))]
        if found:
            return found
    return []


def has_small(folder: Path) -> bool:
    """Whether config and a vocabulary lie there."""
    tokenizer = any(any(folder.glob(pattern)) for pattern in _VOCABULARIES)
    return (folder / "config.json").is_file() and tokenizer


def weights_in(folder: Path) -> list[Path]:
    """The weight files of a folder; [] when there are none or any is missing."""
    for single in ("model.safetensors", "pytorch_model.bin"):
        if (folder / single).is_file():
            return [folder / single]
        index = folder / f"{single}.index.json"
        if index.is_file():
            shards = [folder / name for name in _shards(index)]
            if shards and all(one.is_file() for one in shards):
                return shards
    return []


def gib_of(folder: Path) -> float:
    """Of the small files and the weights in a folder."""
    small = {one for pattern in SMALL for one in folder.glob(pattern)}
    return sum(one.stat().st_size for one in {*small, *weights_in(folder)} if one.is_file()) / GIB


def _shards(index: Path) -> list[str]:
    try:
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    except (OSError, ValueError, KeyError, AttributeError):  # a broken index names nothing
        return []
    return sorted(set(named))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return "/" not in name and any(fnmatchcase(name, pattern) for pattern in patterns)


def cache_folder() -> Path:
    return Path(constants.HF_HUB_CACHE)


def storage(id: str) -> Path:
    """The model's folder in the cache; it need not be there."""
    return cache_folder() / repo_folder_name(repo_id=id, repo_type="model")
