"""LoRA in one pass: the frozen product, the adapter's two and their gradients, x saved once.

PEFT computes base and adapter apart and keeps what each needs. Here one operator does both over a
base that is plain, 4-bit or 8-bit (bitsandbytes), unpacked as it goes (W4A16, W8A16), in the
forward pass and again in the backward pass, so that no unpacked copy is kept. Layers that read one
x (queries, keys, values; gate, up) are one call of it: their adapters read x once, and its gradient
is summed within the large products. torch.compile sees the operators as one piece and fuses what
lies between them.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.models.frozen import dense, frozen_weight

if TYPE_CHECKING:
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer

# A model calls those of a line one after the other.
_SIBLINGS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))


def fuse(model: "PeftModel", siblings: bool = True) -> int:
    """Gives the LoRA layers that it fits the fused forward; returns how many layers that are.
    `siblings`: those that read one x together.

    DoRA, dropout, several adapters and layers that are not linear keep PEFT's.
    """
    from peft.tuners.lora import LoraLayer

    layers = [one for one in model.modules() if isinstance(one, LoraLayer) and _fits(one)]
    for layer in layers:
        layer.__class__ = _fused(type(layer))
        layer.siblings = None
    for parent in model.modules() if siblings else []:
        for names in _SIBLINGS:
            some = [getattr(parent, name, None) for name in names]
            together = [one for one in some if isinstance(one, _Fused)]
            if len(together) > 1 and len({_likeness(one) for one in together}) == 1:
                shared = _Siblings(together)
                for place, one in enumerate(together):
                    one.siblings, one.place = shared, place
    return len(layers)


def _likeness(layer: "LoraLayer") -> tuple:
    """Of layers that one call can take."""
    base, name = layer.get_base_layer(), layer.active_adapters[0]
    kind, packed, numbers = frozen_weight(base)
    same = kind, len(packed), tuple(numbers[1:]), base.weight.device, base.bias is None
    return *same, layer.scaling[name]


@cache
def _fused(kind: type) -> type:
    """One class for all layers of a kind: torch.compile takes another class for another program."""
    return type(f"Fused{kind.__name__}", (_Fused, kind), {})


def _fits(layer: "LoraLayer") -> bool:
    dropout = layer.lora_dropout.values()
    return (
        len(layer.lora_A) == 1
        and is_plain_lora(layer)
        and all(isinstance(one, torch.nn.Identity) for one in dropout)
    )


def is_plain_lora(layer: "LoraLayer") -> bool:
    """Whether all that a layer's adapters do is to add two products of x to a linear layer's."""
    return (
        isinstance(layer.get_base_layer(), torch.nn.Linear)
        and all(
            isinstance(one, torch.nn.Linear) and one.bias is None  # AdaLoRA's are bare parameters
            for one in (*layer.lora_A.values(), *layer.lora_B.values())
        )
        and not layer.lora_variant
        and not layer.fan_in_fan_out
    )


class _Fused:
    """Before PEFT's layer class among the bases of a layer."""

    def forward(self, x: Tensor, *args, **kwargs) -> Tensor:
        if self.disable_adapters or self.merged or kwargs.get("adapter_names") is not None:
            return super().forward(x, *args, **kwargs)
        if self.siblings:
            return self.siblings.product(self, x)
        return _together([self], x)[0]


class _Siblings:
    """Layers that a model calls in their order with the same x. The first call computes them all,
    and the others take what is theirs."""

    def __init__(self, layers: list["LoraLayer"]):
        self._layers = layers
        self._x: Tensor | None = None
        self._ready: list[Tensor] = []

    def product(self, layer: "LoraLayer", x: Tensor) -> Tensor:
        if layer.place == 0:
            self._x, self._ready = x, _together(self._layers, x)
            return self._ready[0]
        if x is not self._x:
            return _together([layer], x)[0]
        out = self._ready[layer.place]
        if layer.place + 1 == len(self._layers):
            self._x, self._ready = None, []
        return out


def _together(layers: list["LoraLayer"], x: Tensor) -> list[Tensor]:
    """What each of them gives for x."""
    bases = [one.get_base_layer() for one in layers]
    name = layers[0].active_adapters[0]
    frozen = [frozen_weight(one) for one in bases]
    kind, scaling = frozen[0][0], layers[0].scaling[name]
    packed = [tensor for _, tensors, _ in frozen for tensor in tensors]
    numbers = [number for _, _, some in frozen for number in some]
    a = [one.lora_A[name].weight.to(x.dtype) for one in layers]
    b = [one.lora_B[name].weight.to(x.dtype) for one in layers]
    a = torch.cat(a) if len(a) > 1 else a[0]
    # Outside of the operator, so that a layer computed anew need not compute its last product.
    h = (x.detach().reshape(-1, x.shape[-1]) @ a.detach().t()) * scaling
    biases = [one.bias for one in bases if one.bias is not None]
    return lora_linear(x, h, packed, kind, numbers, biases, a, b, scaling)


@torch.library.custom_op("greenroom::lora_linear", mutates_args=())
def lora_linear(
    x: Tensor,
    h: Tensor,
    packed: Sequence[Tensor],
    kind: str,
    numbers: Sequence[int],
    biases: Sequence[Tensor],
    a: Tensor,
    b: Sequence[Tensor],
    scaling: float,
) -> list[Tensor]:
    """x [..., in] -> y [..., out] of each of several layers.

    b [out, r] of each, and of each or of none a bias; a [all r, in] and h = scaling x a' [tokens,
    all r] of all; `packed` and `numbers` (as of `frozen_weight`) one layer after the other.

    The adapter's product comes first and the large one is added to it: a matrix product reads what
    it adds to while it computes, a small one would read and write y once more.
    """
    flat, made = x.reshape(-1, x.shape[-1]), []
    each = zip(*_of_each(h, packed, numbers, b), biases or [None] * len(b), b, strict=True)
    for part, weight, sizes, bias, high in each:
        made.append(x.new_empty(*x.shape[:-1], high.shape[0]))  # a view would be closed to `+=`
        y = made[-1].view(-1, high.shape[0])
        if bias is None:
            torch.mm(part, high.t(), out=y)
        else:
            torch.addmm(bias, part, high.t(), out=y)
        y.addmm_(flat, dense(weight, kind, sizes, x.dtype).t())
    return made


@lora_linear.register_fake
def _(x, h, packed, kind, numbers, biases, a, b, scaling):
    return [x.new_empty(*x.shape[:-1], one.shape[0]) for one in b]


def _of_each(
    h: Tensor, packed: Sequence[Tensor], numbers: Sequence[int], b: Sequence[Tensor]
) -> tuple[Sequence[Tensor], list[Sequence[Tensor]], list[Sequence[int]]]:
    """What of h, `packed` and `numbers` is each layer's."""
    parts = h.split([one.shape[1] for one in b], 1)
    return parts, *(
        [some[at : at + len(some) // len(b)] for at in range(0, len(some), len(some) // len(b))]
        for some in (packed, numbers)
    )


@torch.library.custom_op("greenroom::lora_linear_backward", mutates_args=())
def lora_linear_backward(
    grads: Sequence[Tensor],
    x: Tensor,
    h: Tensor,
    packed: Sequence[Tensor],
    kind: str,
    numbers: Sequence[int],
    a: Tensor,
    b: Sequence[Tensor],
    scaling: float,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The gradients of x, a and each b by those of each y."""
    flat = x.reshape(-1, x.shape[-1])
    grads = [one.reshape(-1, one.shape[-1]) for one in grads]
    parts, weights, sizes = _of_each(h, packed, numbers, b)
    grad_h = torch.empty_like(h)
    for g, high, into in zip(grads, b, grad_h.split([one.shape[1] for one in b], 1), strict=True):
        torch.mm(g, high, out=into)
    grad_x = grad_h.mul_(scaling) @ a
    for g, weight, size in zip(grads, weights, sizes, strict=True):
        grad_x.addmm_(g, dense(weight, kind, size, x.dtype))
    grad_b = [g.t() @ part for g, part in zip(grads, parts, strict=True)]
    return grad_x.view(x.shape), grad_h.t() @ flat, grad_b


@lora_linear_backward.register_fake
def _(grads, x, h, packed, kind, numbers, a, b, scaling):
    return x.new_empty(x.shape), torch.empty_like(a), [torch.empty_like(one) for one in b]


def _keep(ctx, inputs, output) -> None:
    x, h, packed, ctx.kind, ctx.numbers, biases, a, b, ctx.scaling = inputs
    ctx.count, ctx.biases = len(b), len(biases)
    ctx.save_for_backward(x, h, a, *b, *packed)


def _backward(ctx, grads):
    x, h, a, *more = ctx.saved_tensors
    b, packed = more[: ctx.count], more[ctx.count :]
    given = lora_linear_backward(grads, x, h, packed, ctx.kind, ctx.numbers, a, b, ctx.scaling)
    grad_x, grad_a, grad_b = given
    none = [None] * len(packed), None, None, [None] * ctx.biases
    return grad_x, None, *none, grad_a, grad_b, None


lora_linear.register_autograd(_backward, setup_context=_keep)
