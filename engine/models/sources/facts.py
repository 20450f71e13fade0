"""What is known of a model before it is fetched: how large, how much is here, licence, room."""

import shutil
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import constants

from engine.errors import UserError
from engine.hardware import GIB
from engine.models.sources import hub, modelscope
from engine.models.sources.files import (
    File,
    cache_folder,
    gib_of,
    small,
    weights,
    weights_in,
)
from engine.models.sources.names import Source, is_elsewhere, source_of, wrong
from engine.places import DATA_DIR, SPROUT

_REMEMBERED_SECONDS = 60


class Facts(NamedTuple):
    """Sizes in bytes. `files` are those that are fetched; `page` is where the model is described,
    and where access to a gated one is asked for."""

    revision: str
    files: list[File]
    licence: str
    gated: bool
    page: str

    @property
    def total(self) -> int:
        return sum(one.size for one in self.files)


def local_folder(source: Source) -> Path | None:
    """Where at least config and tokenizer are, without asking the network."""
    return hub.here(source.id) if source.host == "hub" else modelscope.here(source.id)


def facts(source: Source) -> Facts:
    """From the network, remembered for a minute. Raises UserError."""
    return _facts(source, int(time.monotonic() / _REMEMBERED_SECONDS))


@lru_cache(maxsize=32)
def _facts(source: Source, minute: int) -> Facts:
    if source.host == "hub":
        revision, files, licence, gated = hub.listing(source.id)
        page = f"{constants.ENDPOINT}/{source.id}"
    else:
        revision, licence, gated = "", "", False
        files = modelscope.listing(source.id)
        page = f"https://modelscope.cn/models/{source.id}"
    fetched = small(files) + weights(files)
    if not weights(files):
        raise wrong(
            f"{source.name} holds no weights that Greenroom reads (model.safetensors or "
            "pytorch_model.bin, whole or in parts); choose a model that has them.",
            f"{source.name} 里没有 Greenroom 能读取的权重"
            "（model.safetensors 或 pytorch_model.bin，单个或分片）；请换一个有的模型。",
        )
    return Facts(revision, fetched, licence, gated, page)


def bytes_here(source: Source, known: Facts) -> int:
    if source.host == "hub":
        return sum(hub.bytes_here(source.id, known.revision, one) for one in known.files)
    return sum(modelscope.bytes_here(source.id, one) for one in known.files)


def free_bytes(source: Source) -> int:
    """Room on the disk onto which the model is fetched."""
    folder = cache_folder() if source.host == "hub" else modelscope.folder_of(source.id)
    while not folder.is_dir():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_room(source: Source, known: Facts) -> None:
    """Raises UserError when what is missing does not fit onto the disk."""
    missing, free = known.total - bytes_here(source, known), free_bytes(source)
    if missing <= free:
        return
    variable = "HF_HOME" if source.host == "hub" else "MODELSCOPE_CACHE"
    raise wrong(
        f"{source.name} needs {missing / GIB:.1f} GiB more and the disk has {free / GIB:.1f} GiB "
        f"left; free some room, move the cache with {variable}, or choose a smaller model.",
        f"{source.name} 还需要下载 {missing / GIB:.1f} GiB，而磁盘只剩 {free / GIB:.1f} GiB；"
        f"请腾出空间、用 {variable} 把缓存移到别处，或选择更小的模型。",
    )


def look(name: str) -> dict[str, Any]:
    """What a person is told of a model, for the page and the command line: `model`, `here` (all of
    it), `gib`, `here_gib`, and where it is not whole `free_gib`, `licence`, `gated` and `page`.
    Asks the network only when it is not whole. Raises UserError."""
    if not is_elsewhere(name):
        return _whole(name, DATA_DIR / SPROUT if name == SPROUT else Path(name).expanduser())
    source = source_of(name)
    folder = local_folder(source)
    if folder and weights_in(folder):
        return _whole(name, folder)
    known = facts(source)
    return {
        "model": name,
        "here": False,
        "gib": known.total / GIB,
        "here_gib": bytes_here(source, known) / GIB,
        "free_gib": free_bytes(source) / GIB,
        "licence": known.licence,
        "gated": known.gated,
        "page": known.page,
    }


def _whole(name: str, folder: Path) -> dict[str, Any]:
    gib = gib_of(folder)
    return {"model": name, "here": True, "gib": gib, "here_gib": gib}


def refusal(name: str) -> UserError | None:
    """Why a model surely cannot be loaded, as far as that is known before it is fetched; None for
    what is whole here, or can be fetched."""
    if not is_elsewhere(name):
        return None
    try:
        if not look(name)["here"]:
            source = source_of(name)
            check_room(source, facts(source))
    except UserError as error:
        return error
    return None
