"""What an export needs before it begins, memory and disk in GiB, and what stands against it."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import devices
from engine.errors import Sentence, UserError
from engine.export.source import Source
from engine.hardware import GIB, Device, memory_now, pick_device, ram
from engine.models.load import empty_model, load_config
from engine.options.adapter import PROMPTS

if TYPE_CHECKING:
    import torch

DTYPES = ("auto", "float32", "bfloat16", "float16")
QUANTIZATIONS = ("q8_0", "f16", "bf16")
GGUF_ARCHITECTURES = ("llama", "qwen2", "qwen3")
_BYTES = {"f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32}  # q8_0: 32 weights share a float16
_BESIDE = 1.15  # of the weights: activations, one tensor twice
_LIBRARIES_GIB = 0.6  # PyTorch, Transformers and PEFT once imported
_WITHOUT_WEIGHTS = (*PROMPTS, "adaption_prompt")


@dataclass(frozen=True, slots=True)
class Needs:
    """Of one export. `computes_in` is the precision it merges and checks in, on `device`."""

    parameters: int
    dtype: "torch.dtype"  # of the merged model
    device: Device
    size_gib: float  # of what is written and stays
    disk_gib: float  # of the most that lies on the disk meanwhile
    memory_gib: float


def refusal(source: Source, to: str) -> Sentence | None:
    """Why this adapter cannot leave this way, known without its base's weights. Raises UserError
    for a base whose config cannot be had."""
    if source.method in _WITHOUT_WEIGHTS:
        return Sentence(
            f"{source.method} learns tokens that stand before the prompt and changes no weight of "
            "the base, so there is nothing to merge; pass on the adapter itself.",
            f"{source.method} 学的是提示之前的虚拟 token，没有改动底座的权重，因此无法合并；"
            "请直接分发适配器。",
        )
    config = load_config(source.base)
    if getattr(config, "quantization_config", None):
        return Sentence(
            f"{source.base} is itself stored quantised, so it has no full precision to merge into; "
            "train on the unquantised checkpoint of the same model, or pass on the adapter.",
            f"{source.base} 的权重本身就是量化的，没有完整精度可供合并；"
            "请在同一模型的未量化版本上训练，或直接分发适配器。",
        )
    return _no_gguf(config) if to == "gguf" else None


def _no_gguf(config: Any) -> Sentence | None:
    if config.model_type not in GGUF_ARCHITECTURES:
        return Sentence(
            f"GGUF is written for Llama, Qwen2 and Qwen3 models here, and this one is "
            f"{config.model_type}; take the merged model, and convert that with llama.cpp.",
            f"这里只为 Llama、Qwen2 和 Qwen3 写 GGUF，而这个模型是 {config.model_type}；"
            "请导出合并后的模型，再用 llama.cpp 转换。",
        )
    kind = config.rope_parameters.get("rope_type", "default")
    if kind not in ("default", "llama3") or getattr(config, "use_sliding_window", False):
        return Sentence(
            f"This model stretches its window in a way ({kind}) that is not written into GGUF "
            "here; take the merged model, and convert that with llama.cpp.",
            f"这个模型扩展上下文的方式（{kind}）这里还不能写进 GGUF；"
            "请导出合并后的模型，再用 llama.cpp 转换。",
        )
    return None


def needs(source: Source, to: str, dtype: str = "auto", quantization: str = "q8_0") -> Needs:
    """Raises UserError for a precision that is not known, or a base that cannot be had."""
    import torch

    _check_choice("dtype", dtype, DTYPES)
    _check_choice("quantization", quantization, QUANTIZATIONS)
    empty = empty_model(source.base)
    parameters = sum(one.numel() for one in empty.parameters())
    stored = empty.config.dtype if dtype == "auto" else getattr(torch, dtype)
    stored = stored or torch.float32
    merged = parameters * stored.itemsize / GIB
    twice = to == "gguf" or source.method == "full"  # beside the tensors that are read; the base
    device, memory = _place(parameters, stored, copies=2 if twice else 1)
    size = parameters * _BYTES[quantization] / GIB if to == "gguf" else merged
    disk = size + merged if to == "gguf" else merged
    return Needs(parameters, stored, device, size, disk * 1.02, memory)


def check_room(wanted: Needs, folder: Path) -> None:
    """Raises UserError when disk or memory are surely too small; `folder` need not be there."""
    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    free = shutil.disk_usage(there).free / GIB
    if wanted.disk_gib > free:
        raise UserError(
            f"This needs {wanted.disk_gib:.1f} GiB on the disk of {there} and {free:.1f} GiB are "
            "free; free some room, or write it elsewhere.",
            f"这需要在 {there} 所在的磁盘上占用 {wanted.disk_gib:.1f} GiB，"
            f"现在只剩 {free:.1f} GiB；请腾出空间，或写到别处。",
            field="out",
        )
    free = free_gib(wanted.device)
    if wanted.memory_gib > free:
        raise UserError(
            f"Merging needs about {wanted.memory_gib:.1f} GiB of memory and {free:.1f} GiB are "
            "free; unload the chat, wait for runs to end, or do it on a larger machine. The "
            "adapter can leave as it is.",
            f"合并大约需要 {wanted.memory_gib:.1f} GiB 内存，现在只有 {free:.1f} GiB；"
            "请卸载对话、等训练结束，或换内存更大的机器。适配器本身可以直接导出。",
        )


def outlook(source: Source) -> dict[str, Any]:
    """For each way out {"refused": (en, zh)} or {"size_gib", "memory_gib", "disk_gib", "dtype"},
    a GGUF's for each quantization. Raises UserError for a base that cannot be had."""
    found: dict[str, Any] = {}
    for to, kinds in (("merged", ("q8_0",)), ("gguf", QUANTIZATIONS)):
        if reason := refusal(source, to):
            found[to] = {"refused": reason}
            continue
        for kind in kinds:
            wanted = needs(source, to, quantization=kind)
            found[to if to == "merged" else kind] = {
                "size_gib": wanted.size_gib,
                "memory_gib": wanted.memory_gib,
                "disk_gib": wanted.disk_gib,
                "dtype": precision(wanted.dtype),
            }
    return found


def free_gib(device: Device) -> float:
    if device.type == "cuda":  # by NVML, which makes no context on the card
        return memory_now()[devices.usable()[0]].free_gib
    return ram().free_gib


def _place(parameters: int, stored: "torch.dtype", copies: int) -> tuple[Device, float]:
    """Where and in which precision: in float32 where it fits, so that the weights are rounded once
    and the check sees nothing else; a GPU where it fits, else the processor. And the GiB."""
    import torch

    places = [pick_device("float32")]
    if places[0].type == "cuda":
        places.append(pick_device("float32", "cpu"))
    for dtype in dict.fromkeys((torch.float32, stored)):
        memory = parameters * dtype.itemsize * copies * _BESIDE / GIB + _LIBRARIES_GIB
        for place in places:
            device = pick_device(precision(dtype), "cpu" if place.type == "cpu" else "single")
            if memory <= free_gib(device):
                return device, memory
    return device, memory


def precision(dtype: "torch.dtype") -> str:
    """Its name as in `dtype`."""
    return str(dtype).removeprefix("torch.")


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(
            f"{name} is {value!r}; choose one of {', '.join(known)}.",
            f"{name} 是 {value!r}；可选 {'、'.join(known)}。",
            field=name,
        )
