"""ModelScope, through its own library, which is an optional extra: `pip install modelscope`.

Its files lie in one folder a model, of our own choice, so that they are found without the library.
"""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from engine.errors import UserError, first_line
from engine.models.sources.files import File, has_small, small
from engine.models.sources.names import MODELSCOPE, wrong

_BEGUN = ".greenroom"  # an empty file, made when config and tokenizer are whole


def folder_of(id: str) -> Path:
    """The model's folder; it need not be there."""
    home = os.environ.get("MODELSCOPE_CACHE") or Path.home() / ".cache" / "modelscope"
    return Path(home) / "greenroom" / id


def folders() -> Iterator[tuple[str, Path]]:
    """(id, folder) of each model that has been begun here."""
    for begun in sorted(folder_of("").glob(f"*/*/{_BEGUN}")):
        yield f"{begun.parent.parent.name}/{begun.parent.name}", begun.parent


def here(id: str) -> Path | None:
    """The folder with config and tokenizer, perhaps with weights, without asking the network."""
    folder = folder_of(id)
    return folder if (folder / _BEGUN).is_file() and has_small(folder) else None


def listing(id: str) -> list[File]:
    """What the repository holds. Raises UserError."""
    _require()
    try:
        from modelscope.hub.api import HubApi

        found = HubApi().get_model_files(id, recursive=False)
    except Exception as error:  # its errors are many, and differ from version to version
        raise _explained(id, error) from error
    return [File(one["Path"], one.get("Size") or 0) for one in found if one.get("Type") != "tree"]


def fetch_small(id: str) -> Path:
    """Config, tokenizer and templates. Raises UserError."""
    _fetch(id, small(listing(id)))
    (folder_of(id) / _BEGUN).touch()
    return folder_of(id)


def fetch_all(id: str, files: list[File]) -> None:
    """These files; the library goes on where an earlier time ended. Raises UserError."""
    fetch_small(id)
    _fetch(id, files)


def _fetch(id: str, files: list[File]) -> None:
    _require()
    folder = folder_of(id)
    try:
        from modelscope import snapshot_download

        snapshot_download(id, local_dir=str(folder), allow_patterns=[one.name for one in files])
    except Exception as error:
        raise _explained(id, error) from error


def bytes_here(id: str, file: File) -> int:
    """How much of a file is here."""
    whole = folder_of(id) / file.name
    for path in (whole, whole.with_name(f"{file.name}.incomplete")):
        if path.is_file():
            return path.stat().st_size
    return 0


def _require() -> None:
    if importlib.util.find_spec("modelscope") is None:
        raise wrong(
            "Models of ModelScope are fetched by its own library, which is not installed; run "
            "pip install modelscope, or take the model from the Hub.",
            "从 ModelScope 下载模型需要它自己的库，尚未安装；"
            "请运行 pip install modelscope，或改用 Hub 上的模型。",
        )


def _explained(id: str, error: Exception) -> UserError:
    why = f"{type(error).__name__}: {first_line(error)}"
    return wrong(
        f"{MODELSCOPE}{id} could not be had from ModelScope ({why}); check its spelling and the "
        "network, or take the model from the Hub.",
        f"无法从 ModelScope 获取 {MODELSCOPE}{id}（{why}）；"
        "请检查写法和网络，或改用 Hub 上的模型。",
    )
