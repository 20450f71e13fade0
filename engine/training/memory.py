"""The one memory record of training, in GiB: predicted by part, and measured."""

from dataclasses import dataclass
from typing import Any

import psutil

from engine.config import TrainConfig
from engine.hardware import GIB
from engine.options.adapter import PROMPTS, WITH_TARGETS

# Measured on 2026-11-21 with torch 2.13 (CPU): a process that has imported torch, transformers,
# peft and datasets and holds no model. A CUDA context takes about 0.5 GiB of the card.
RUNTIME_GIB = {"cpu": 0.62, "cuda": 0.5}
_BYTES_PER_WEIGHT = {"bfloat16": 2.0, "float16": 2.0, "float32": 4.0}
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


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model is known without its weights: counts, widths and names."""

    linear_parameters: int  # in linear layers without the head: what quantisation shrinks
    other_parameters: int
    trainable_parameters: int
    layers: int
    hidden_size: int
    intermediate_size: int
    vocab_size: int
    linear_names: tuple[str, ...] = ()  # what an adapter can sit on

    @property
    def total_parameters(self) -> int:
        return self.linear_parameters + self.other_parameters


def predict(config: TrainConfig, shape: Shape, dtype: str, device: str, longest: int) -> dict:
    """GiB by part. `dtype` is what is computed in ("bfloat16" ...); `longest` the longest row,
    tokens."""
    width = _BYTES_PER_WEIGHT[dtype]
    plain = 4.0 if config.keeps_float32_weights else width
    linear = plain
    if config.load_in_4bit:  # 0.5 byte and the block scales (QLoRA, Dettmers 2023)
        linear = 0.5 + (0.0159 if config.bnb_4bit_use_double_quant else 0.0625)
    elif config.load_in_8bit:
        linear = 1.01
    elif plain > width:  # autocast keeps a copy of these for the step
        linear = plain + width
    trainable = shape.trainable_parameters
    each = plain if config.peft_type == "full" else 4.0  # an adapter is float32
    scale = 1.0 if config.optim.endswith("8bit") else each / 4
    parts = {
        "weights": shape.linear_parameters * linear + shape.other_parameters * plain,
        "adapter": 0.0 if config.peft_type == "full" else trainable * each,
        "gradients": trainable * each,
        "optimizer": trainable * _OPTIMIZER_BYTES[config.optim] * scale,
        "activations": _activations(config, shape, width, longest),
        "runtime": RUNTIME_GIB[device] * GIB,
    }
    return {name: value / GIB for name, value in parts.items()}


def _activations(config: TrainConfig, shape: Shape, width: float, longest: int) -> float:
    """Bytes kept for the backward pass of one micro-step.

    Per layer and token, PEFT's LoRA keeps the inputs of seven linear layers twice (the base's and
    the adapter's float32 copy), the norms' and the products of the gate; the loss keeps the logits
    in the base's precision and in float32, with their gradient.
    """
    copies = 4 if config.peft_type in WITH_TARGETS else 0
    virtual = config.num_virtual_tokens if config.peft_type in PROMPTS else 0
    tokens = (longest + virtual) * config.per_device_train_batch_size
    hidden, between = shape.hidden_size, shape.intermediate_size
    a_layer = hidden * (6 * width + 4 * copies) + between * (4 * width + copies)
    if config.gradient_checkpointing:
        kept = shape.layers * hidden * width + a_layer
    else:
        kept = shape.layers * a_layer
    logits = shape.vocab_size * (2 * width + 2 * 4)
    return tokens * (kept + logits)


def measured() -> dict[str, Any]:
    """Memory of this process now and at its peak: on the GPU as allocated by torch, else RAM."""
    import torch

    if torch.cuda.is_initialized():  # a run on the processor leaves the cards alone
        return {
            "device": torch.cuda.get_device_name(),
            "own_gib": round(torch.cuda.memory_reserved() / GIB, 3),
            "peak_gib": round(torch.cuda.max_memory_reserved() / GIB, 3),
        }
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts KiB
    now = psutil.Process().memory_info().rss
    return {
        "device": "RAM",
        "own_gib": round(now / GIB, 3),
        "peak_gib": round(peak / GIB, 3),
    }
