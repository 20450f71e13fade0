"""One model in several processes (FSDP2): each keeps a share of every layer's weights, and has a
layer whole only while it computes with it.

Only what is large is shared out. An adapter stays whole and in float32 in each process, as under
DDP, so that all that trains, reads and saves it needs no other process; so do the embeddings and
the head of a frozen base, which every step holds whole at its peak anyway. Where the base itself
is trained everything is shared out, its gradients and optimiser states too.

Whatever calls a shared model has to be called by all processes together.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from accelerate import PartialState
from torch.distributed.fsdp import (
    FSDPModule,
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from transformers.modeling_layers import GradientCheckpointingLayer

from engine.errors import UserError
from engine.hardware import Device

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

_PATIENCE = timedelta(minutes=30)  # as the Trainer has: one process may write a large checkpoint


def share_out(model: "PeftModel | PreTrainedModel", device: Device) -> None:
    """Shares the model out in place, layer by layer, and brings it to this process's device; all
    processes call it with equal weights. A frozen base needs an adapter around it.

    Raises UserError (field "distributed_type") for a model whose layers cannot be told apart.
    """
    PartialState(cpu=device.type == "cpu", timeout=_PATIENCE)
    base = getattr(model, "get_base_model", lambda: model)()
    vars(base).pop("hf_device_map", None)  # where it was loaded, not where it will lie
    layers = [one for one in model.modules() if isinstance(one, GradientCheckpointingLayer)]
    if not layers:
        raise UserError(
            "The layers of this model cannot be told apart, so FSDP cannot share it out; choose "
            "ddp, or device_map auto for a model that one card cannot hold.",
            "无法分辨这个模型的各层，FSDP 不能分摊它；请选择 ddp；"
            "单卡放不下的模型请把 device_map 设为 auto。",
            field="distributed_type",
        )
    here = torch.device("cpu" if device.type == "cpu" else torch.cuda.current_device())
    kept: set[torch.nn.Parameter] = set()
    policy = MixedPrecisionPolicy(param_dtype=device.dtype, reduce_dtype=torch.float32)
    if hasattr(model, "peft_config"):
        inside = {one for layer in layers for one in layer.parameters()}
        kept = {one for one in model.parameters() if one.requires_grad or one not in inside}
        policy = MixedPrecisionPolicy()  # a frozen weight is gathered as it lies
    for layer in layers:
        layer.to(here)
        fully_shard(layer, ignored_params=kept, mp_policy=policy)
    for one in (one for one in model.parameters() if one in kept):  # in one order everywhere
        one.data = one.data.to(here)
        if one.requires_grad:
            dist.broadcast(one.data, src=0)
    fully_shard(model, ignored_params=kept, mp_policy=policy)
    # FSDP2 takes the first module that is called for its root, and parts are called alone too.
    model._get_fsdp_state()._lazy_init()
    if kept:  # the Trainer sees to it for a model that is trained itself
        register_fsdp_forward_method(model, "generate")


def is_shared(model: "PeftModel | PreTrainedModel") -> bool:
    return isinstance(model, FSDPModule)


@contextmanager
def outside_of_layers_whole(model: "PeftModel | PreTrainedModel") -> Iterator[None]:
    """So that a part of a shared model can be called by itself; for others nothing changes."""
    if not is_shared(model):
        yield
        return
    model.unshard()
    try:
        yield
    finally:
        model.reshard()


def whole_state(model: "PeftModel | PreTrainedModel") -> dict[str, torch.Tensor] | None:
    """What `save_pretrained` needs to be given of a shared model: None for an adapter, which is
    whole already, else all weights, each once, in the main process's RAM ({} in the others)."""
    if not is_shared(model) or hasattr(model, "peft_config"):
        return None
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state = get_model_state_dict(model, options=options)
    once = dict(model.named_parameters())
    tied = dict(model.named_parameters(remove_duplicate=False)).keys() - once.keys()
    return {name: tensor for name, tensor in state.items() if name not in tied}
