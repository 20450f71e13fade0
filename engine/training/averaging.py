"""Several processes that have a copy of the model each: they begin with equal weights, and average
their gradients when each has taken its part of one step."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

_NUMBERS_AT_ONCE = 2**26  # 256 MiB in float32


def begin_equal(model: "PeftModel | PreTrainedModel") -> None:
    """All take the main process's weights: a start by chance, or out of the base's own directions,
    may differ a little from device to device."""
    for one in model.parameters():
        whole = one.data.contiguous()
        dist.broadcast(whole, src=0)
        one.data.copy_(whole)


def average_gradients(model: "PeftModel | PreTrainedModel") -> None:
    """Over all processes, of what each of them has whole; FSDP averages those of what it shares."""
    trained = [one for one in model.parameters() if one.requires_grad]
    for some in _at_once([one for one in trained if not isinstance(one, DTensor)]):
        for one in some:
            if one.grad is None:  # of an expert that this process had no token for
                one.grad = torch.zeros_like(one)
        flat = torch.cat([one.grad.flatten() for one in some])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        for one, mean in zip(some, flat.split([one.numel() for one in some]), strict=True):
            one.grad.copy_(mean.view_as(one))


def _at_once(parameters: list[torch.nn.Parameter]) -> Iterator[list[torch.nn.Parameter]]:
    """In their order, as many together as are worth a message: their gradients are copied for it,
    and those of a whole model would need its memory once more."""
    some: list[torch.nn.Parameter] = []
    numbers = 0
    for one in parameters:
        if some and numbers + one.numel() > _NUMBERS_AT_ONCE:
            yield some
            some, numbers = [], 0
        some.append(one)
        numbers += one.numel()
    if some:
        yield some
