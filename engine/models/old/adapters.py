"""Adapters that name the modules of an old layout, put onto today's where that is exact: LoRA."""

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import UserError
from engine.models.old.names import PLACES, old_kind, todays_modules

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

_KEY = re.compile(
    r"base_model\.model\.(.+?)\.(lora_[AB]\.weight|lora_embedding_[AB]|weight|bias)", re.DOTALL
)
# What PEFT adds to a plain LoRA that does not split with the rows of a projection.
_MORE = (
    *("use_dora", "lora_bias", "rank_pattern", "alpha_pattern", "layer_replication"),
    *("target_parameters", "trainable_token_indices", "use_qalora", "alora_invocation_tokens"),
)
_PLAIN_STARTS = (None, True, False, "gaussian")


@contextlib.contextmanager
def on_todays_modules(folder: Path, model: "PreTrainedModel") -> Iterator[Path]:
    """The adapter's folder as PEFT can load it onto `model`: itself, or for as long as it is open a
    converted copy. Raises UserError (field "adapter") where that cannot be exact."""
    kind = old_kind(model.config.model_type)
    state = _read(folder) if kind and (folder / "adapter_config.json").is_file() else {}
    if not any(_is_old(kind, key) for key in state):
        yield folder
        return
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    _refuse_more_than_lora(folder, config)
    moved = {}
    for key, tensor in state.items():
        moved |= _moved(folder, kind, key, tensor, model)
    with tempfile.TemporaryDirectory(prefix="greenroom-") as copy:
        _write(Path(copy), config, moved)
        yield Path(copy)


def _read(folder: Path) -> dict[str, "Tensor"]:
    import torch
    from safetensors.torch import load_file

    file = folder / "adapter_model.safetensors"
    if file.is_file():
        return load_file(file)
    return torch.load(folder / "adapter_model.bin", map_location="cpu", weights_only=True)


def _is_old(kind: str, key: str) -> bool:
    places = [old for old, new in PLACES[kind].items() if old != new]
    return any(key.startswith(f"base_model.model.{old}.") for old in places)


def _refuse_more_than_lora(folder: Path, config: dict[str, Any]) -> None:
    method = str(config.get("peft_type"))
    more = [name for name in _MORE if config.get(name)]
    if config.get("bias", "none") != "none":
        more.append("bias")
    if config.get("init_lora_weights") not in _PLAIN_STARTS:
        more.append(f"init_lora_weights: {config['init_lora_weights']}")
    if method != "LORA" or more:
        what = method if method != "LORA" else f"LoRA with {', '.join(more)}"
        raise _inexact(
            folder,
            f"it is {what}, and only plain LoRA stays exactly what it was",
            f"它是 {what}，只有普通 LoRA 能保持完全一致",
        )


def _moved(
    folder: Path, kind: str, key: str, tensor: "Tensor", model: "PreTrainedModel"
) -> dict[str, "Tensor"]:
    """A tensor under today's keys. Of a fused projection, A is what all its parts read and B holds
    their rows one after the other."""
    found = _KEY.fullmatch(key)
    names = todays_modules(kind, found[1]) if found else ()
    if len(names) < 2:
        if not names:
            raise _inexact(folder, f"it holds {key}", f"其中有 {key}")
        return {f"base_model.model.{names[0]}.{found[2]}": tensor}
    parts = [tensor.clone() for _ in names]
    if found[2] != "lora_A.weight":
        rows = [model.get_submodule(name).out_features for name in names]
        if found[2] != "lora_B.weight" or sum(rows) != len(tensor):
            raise _inexact(folder, f"it holds {key} {list(tensor.shape)}", f"其中有 {key}")
        parts = tensor.split(rows)
    return {
        f"base_model.model.{name}.{found[2]}": part.contiguous()
        for name, part in zip(names, parts, strict=True)
    }


def _write(copy: Path, config: dict[str, Any], state: dict[str, "Tensor"]) -> None:
    """The modules are named in full, so that no pattern of old names is left."""
    from safetensors.torch import save_file

    found = [_KEY.fullmatch(key) for key in state]
    adapted = {one[1] for one in found if one[2].startswith("lora_")}
    whole = {one[1] for one in found} - adapted
    targets = {"target_modules": sorted(adapted), "modules_to_save": sorted(whole) or None}
    unused = dict.fromkeys(("layers_to_transform", "layers_pattern", "exclude_modules"))
    text = json.dumps(config | targets | unused)
    (copy / "adapter_config.json").write_text(text, encoding="utf-8")
    save_file(state, copy / "adapter_model.safetensors", {"format": "pt"})


def _inexact(folder: Path, en: str, zh: str) -> UserError:
    return UserError(
        f"The adapter {folder.name} was made for an old layout of this model and cannot be moved "
        f"onto today's: {en}. Train it anew here, or merge it with the code that made it.",
        f"适配器 {folder.name} 是为这个模型的旧格式训练的，无法换到现在的格式：{zh}。"
        "请在这里重新训练，或用当时的代码先合并。",
        field="adapter",
    )
