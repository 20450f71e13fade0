"""What a model's name means: one of the Hub, one of ModelScope, or nothing that can be fetched."""

import re
from typing import NamedTuple

from engine.errors import UserError, quoted
from engine.places import SPROUT, on_disk

MODELSCOPE = "modelscope:"
_PART = r"[A-Za-z0-9][\w.-]{0,95}"
_HUB_ID = re.compile(rf"{_PART}(/{_PART})?", re.ASCII)
_MODELSCOPE_ID = re.compile(rf"{_PART}/{_PART}", re.ASCII)


class Source(NamedTuple):
    """`host` is "hub" or "modelscope", `id` the model's id there, `name` how a person writes it."""

    host: str
    id: str
    name: str


def is_elsewhere(name: str) -> bool:
    """Whether it is neither sprout nor a folder of this machine."""
    folder = on_disk(name)
    return name != SPROUT and not (name and folder and folder.is_dir())


def source_of(name: str) -> Source:
    """Raises UserError (field "model_name_or_path") for what is no id."""
    host, id = "hub", name
    if name.startswith(MODELSCOPE):
        host, id = "modelscope", name.removeprefix(MODELSCOPE)
    pattern = _MODELSCOPE_ID if host == "modelscope" else _HUB_ID
    if not pattern.fullmatch(id) or "--" in id or ".." in id:
        raise wrong(
            f"{quoted(name)} is neither sprout, nor a folder on this machine, nor a Hub id such as "
            f"Qwen/Qwen3-0.6B, nor {MODELSCOPE}owner/name; check its spelling.",
            f"{quoted(name)} 既不是 sprout，也不是本机的文件夹、Qwen/Qwen3-0.6B 这样的 Hub 名字，"
            f"或 {MODELSCOPE}owner/name，请检查写法。",
        )
    return Source(host, id, name)


def wrong(en: str, zh: str) -> UserError:
    """A sentence that belongs to the base model's field."""
    return UserError(en, zh, field="model_name_or_path")
