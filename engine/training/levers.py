"""What makes a run fast here: chosen once for its model and device, and said in its log."""

import functools
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from engine.config import TrainConfig
from engine.hardware import Device, can_compile
from engine.models.attention import use_varlen
from engine.models.fused_lora import fuse
from engine.models.loss_head import give_loss_head
from engine.options.adapter import PROMPTS

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Compiling a layer takes 10 to 30 s once and saves a sixth of the time after that.
_STEPS_WORTH_COMPILING = 50
# They prepend tokens, call past the model's own forward, or add a term to its loss.
_OWN_FORWARD = (*PROMPTS, "adaption_prompt", "adalora")


@dataclass(frozen=True, slots=True)
class Levers:
    """Which of them are pulled."""

    varlen: bool  # attention over rows one after the other
    fused_lora: bool  # every adapter layer, so that nothing needs autocast
    loss_head: bool  # logits in tiles, where a token is trained
    compiled: bool  # each decoder layer by itself, on one shape


def foresee(config: TrainConfig, device: Device, varlen: bool, max_steps: int) -> Levers:
    """What will be pulled. `varlen`: the model's attention can be told the boundaries of rows.

    The variable GREENROOM_WITHOUT names levers, with commas between, that a benchmark wants off;
    "packed" are our kernels for varlen.
    """
    without = _without()
    fused = config.peft_type == "lora" and not config.use_dora and not config.lora_dropout
    fused = fused and "fused_lora" not in without
    varlen = varlen and "varlen" not in without and can_varlen(device, config)
    return Levers(
        varlen=varlen,
        fused_lora=fused,
        loss_head="loss_head" not in without and config.peft_type not in _OWN_FORWARD,
        compiled=varlen
        and fused
        and device.type == "cuda"
        and "compiled" not in without
        and max_steps >= _STEPS_WORTH_COMPILING
        and (not device.is_here or can_compile()),
    )


def _without() -> list[str]:
    return os.environ.get("GREENROOM_WITHOUT", "").split(",")


def can_varlen(device: Device, config: TrainConfig) -> bool:
    """On a GPU the flash kernels in torch: 16 bit, compute capability 8.0 and later. Nowhere with a
    method that puts tokens before each row: no boundary knows of them."""
    if config.peft_type in PROMPTS:
        return False
    return device.type == "cpu" or (
        (not device.is_here or torch.cuda.get_device_capability() >= (8, 0))
        and device.dtype in (torch.bfloat16, torch.float16)
        and not config.keeps_float32_weights
    )


def pull(model, config: TrainConfig, foreseen: Levers) -> Levers:
    """Changes the model (a PeftModel, or the model itself) in place; returns what could be."""
    base: PreTrainedModel = getattr(model, "get_base_model", lambda: model)()
    adapted = sum(hasattr(one, "lora_A") for one in model.modules())
    # A compiler cannot follow what siblings hand each other through a layer that is computed anew.
    siblings = not config.gradient_checkpointing
    fused = foreseen.fused_lora and 0 < adapted == fuse(model, siblings)
    varlen = foreseen.varlen and use_varlen(base, ours="packed" not in _without())
    compiled = foreseen.compiled and fused and varlen
    head = foreseen.loss_head and give_loss_head(base, compiled)
    _wrap_layers(base, compiled, _checkpointed(config))
    levers = Levers(varlen, fused, head, compiled)
    pulled = ", ".join(name for name, on in asdict(levers).items() if on)
    attention = base.config._attn_implementation
    print(f"Levers: {pulled or 'none'}; attention: {attention}", flush=True)
    return levers


def _checkpointed(config: TrainConfig) -> int | None:
    """How many layers are computed anew in the backward pass; None is all of them."""
    if not config.gradient_checkpointing:
        return 0
    return config.gradient_checkpointing_layers or None


def _wrap_layers(base: "PreTrainedModel", compiled: bool, checkpointed: int | None) -> None:
    layers = [one for one in base.modules() if isinstance(one, GradientCheckpointingLayer)]
    for number, layer in enumerate(layers):
        forward = layer.forward
        if checkpointed is None or number < checkpointed:
            forward = functools.partial(checkpoint, forward, use_reentrant=False)
        layer.forward = _compiled(forward) if compiled else forward


def _compiled(forward: Callable) -> Callable:
    """Compiled for rows one after the other, which have one shape. Answers to the fixed questions
    grow by a token a call: they would use up all the recompilations that torch allows a layer, and
    training would go on without."""
    fast = torch.compile(forward, dynamic=False)

    def either(*args, **kwargs):
        return (fast if "cu_seq_lens_q" in kwargs else forward)(*args, **kwargs)

    return either
