"""The one memory record of training, in GiB: predicted by part, and measured."""

from typing import Any

import psutil

from engine.config import TrainConfig
from engine.hardware import GIB
from engine.options.adapter import PROMPTS
from engine.training import ranks
from engine.training.activations import kept_by_layers, merged, of_the_loss
from engine.training.levers import Levers
from engine.training.shape import Shape

# Measured on 2026-11-21 with torch 2.13 (CPU): a process that has imported torch, transformers,
# peft and datasets and holds no model. A CUDA context takes about 0.5 GiB of the card.
RUNTIME_GIB = {"cpu": 0.62, "cuda": 0.5}
# Matrix products' own buffers, and what the allocator cannot use (measured with the above).
_WORKSPACE_GIB = {"cpu": 0.0, "cuda": 0.09}
_SLACK = 0.004
_BYTES_PER_WEIGHT = {"bfloat16": 2.0, "float16": 2.0, "float32": 4.0}
_LAYERS_GATHERED = 2
# A trained weight of 4 bytes; states of 8 bits stay so small for any weight.
_OPTIMIZER_BYTES = {
    "adamw_torch_fused": 8,
    "adamw_torch": 8,
    "adamw_8bit": 2,
    "paged_adamw_8bit": 2,
    "paged_adamw_32bit": 8,
    "lion_8bit": 1,
    "adafactor": 4,
    "sgd": 0,
}


def predict(
    config: TrainConfig,
    shape: Shape,
    levers: Levers,
    dtype: str,
    device: str,
    tokens: int,
    processes: int = 1,
) -> dict[str, float]:
    """GiB by part, in each of so many processes. `dtype` is what is computed in ("bfloat16" ...);
    `tokens` in a micro-step."""
    shared = processes > 1 and config.distributed_type == "fsdp"
    width = _BYTES_PER_WEIGHT[dtype]
    plain = 4.0 if config.keeps_float32_weights else width
    linear = plain
    if config.load_in_4bit:  # 0.5 byte and the block scales (QLoRA, Dettmers 2023)
        linear = 0.5 + (0.0159 if config.bnb_4bit_use_double_quant else 0.0625)
    elif config.load_in_8bit:
        linear = 1.0
    elif plain > width and not shared:  # autocast keeps a copy of these for the step
        linear = plain + width
    trainable = shape.trainable_parameters
    each = plain if config.peft_type == "full" else 4.0  # an adapter is float32
    if config.peft_type in PROMPTS:
        tokens += config.num_virtual_tokens * config.per_device_train_batch_size
    held, added = kept_by_layers(config, shape, levers, width)
    loss = of_the_loss(shape, levers, width, tokens)
    scale = 1.0 if config.optim.endswith("8bit") else each / 4
    parts = {
        "weights": shape.linear_parameters * linear + shape.other_parameters * plain,
        "adapter": 0.0 if config.peft_type == "full" else trainable * each,
        "gradients": trainable * each,
        "optimizer": trainable * _OPTIMIZER_BYTES[config.optim] * scale,
        "activations": tokens * (held + added) + merged(config, shape, width),
        # The loss is over when the backward pass of the layers begins.
        "loss_head": max(0.0, loss - tokens * added),
        "workspace": _WORKSPACE_GIB[device] * GIB + _SLACK * tokens * held,
        "runtime": RUNTIME_GIB[device] * GIB,
    }
    if shared:
        parts |= _shared_out(config, shape, parts, width, plain, processes)
    return {name: value / GIB for name, value in parts.items()}


def _shared_out(
    config: TrainConfig,
    shape: Shape,
    parts: dict[str, float],
    width: float,
    plain: float,
    processes: int,
) -> dict[str, float]:
    """Bytes of what engine.models.sharing shares out: with a layer that is computed with the next
    one is whole already, and what lies outside of the layers always is."""
    outside = shape.other_parameters
    if config.peft_type != "full":
        layers = parts["weights"] - outside * plain
        gathered = _LAYERS_GATHERED / shape.layers
        return {"weights": layers * (1 / processes + gathered) + outside * plain}
    whole = _LAYERS_GATHERED * shape.linear_parameters / shape.layers + outside
    return {
        "weights": parts["weights"] / processes + whole * width,
        # Those of what is whole are there as computed, and in float32 while they are averaged.
        "gradients": parts["gradients"] / processes + whole * (width + 4),
        "optimizer": parts["optimizer"] / processes,
    }


def measured(together: bool = False) -> dict[str, Any]:
    """What this process uses, by device and the most of any: on a GPU what tensors take now, what
    torch has reserved for them and the most that was; else its RAM. It is asked of the host, which
    waits for no GPU.

    `together`: of all processes of the run, which have to ask together then. They wait for each
    other at every step anyway.
    """
    name, devices = _in_use()
    if together and ranks.count() > 1:
        from accelerate.utils import gather_object

        devices = gather_object(devices)
    return {
        "device": f"{len(devices)} x {name}" if len(devices) > 1 else name,
        "own_gib": max(one["reserved_gib"] for one in devices),
        "peak_gib": max(one["peak_gib"] for one in devices),
        "devices": devices,
    }


def _in_use() -> tuple[str, list[dict[str, Any]]]:
    """What this process computes on, and the record of each device that has something of it."""
    import torch

    if not torch.cuda.is_initialized():  # a run on the processor leaves the cards alone
        return "RAM", [_ram()]
    mine, count = torch.cuda.current_device(), torch.cuda.device_count()
    used = [at for at in range(count) if at == mine or torch.cuda.max_memory_reserved(at)]
    return torch.cuda.get_device_name(mine), [
        _record(
            f"{torch.cuda.get_device_name(at)} (cuda:{at})",
            torch.cuda.memory_allocated(at),
            torch.cuda.memory_reserved(at),
            torch.cuda.max_memory_reserved(at),
        )
        for at in used
    ]


def _ram() -> dict[str, Any]:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts KiB
    now = psutil.Process().memory_info().rss
    return _record("RAM", now, now, peak)


def _record(device: str, now: int, reserved: int, peak: int) -> dict[str, Any]:
    """Of bytes."""
    sizes = {"now_gib": now, "reserved_gib": reserved, "peak_gib": peak}
    return {"device": device} | {name: round(size / GIB, 3) for name, size in sizes.items()}


def in_words(memory: dict[str, Any]) -> str:
    """A line of the log."""
    return "Memory: " + "; ".join(
        f"{one['device']} now {one['now_gib']:.2f} GiB, reserved {one['reserved_gib']:.2f}, "
        f"peak {one['peak_gib']:.2f}"
        for one in memory["devices"]
    )
