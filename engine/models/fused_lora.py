"""LoRA in one pass: the frozen product, the adapter's two and their gradients, x saved once.

PEFT computes base and adapter apart and keeps what each needs. Here one operator does both over a
base that is plain, 4-bit or 8-bit (bitsandbytes), unpacked as it goes (W4A16, W8A16), in the
forward pass and again in the backward pass, so that no unpacked copy is kept. torch.compile sees
the operators as one piece and fuses what lies between them.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer

_PLAIN, _INT8 = "plain", "int8"  # the other kinds are bitsandbytes' 4-bit types, nf4 and fp4


def fuse(model: "PeftModel") -> int:
    """Gives the LoRA layers that it fits the fused forward; returns how many layers that are.

    DoRA, dropout, several adapters and layers that are not linear keep PEFT's.
    """
    from peft.tuners.lora import LoraLayer

    layers = [one for one in model.modules() if isinstance(one, LoraLayer) and _fits(one)]
    for layer in layers:
        layer.__class__ = _fused(type(layer))
    return len(layers)


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
        base, name = self.get_base_layer(), self.active_adapters[0]
        kind, packed, numbers = frozen_weight(base)
        a, b = self.lora_A[name].weight.to(x.dtype), self.lora_B[name].weight.to(x.dtype)
        scaling = self.scaling[name]
        # Outside of the operator, so that a layer computed anew need not compute its last product.
        h = (x.detach().reshape(-1, x.shape[-1]) @ a.detach().t()) * scaling
        return lora_linear(x, h, packed, kind, numbers, base.bias, a, b, scaling)


def frozen_weight(base: torch.nn.Linear) -> tuple[str, list[Tensor], list[int]]:
    """How the operators take a frozen weight: its kind, its tensors, and [out, in] followed by the
    block sizes of a 4-bit weight and of its scales."""
    weight, numbers = base.weight, [base.out_features, base.in_features]
    # FSDP hands a layer its weight as a plain parameter; the layer remembers what it is.
    state = getattr(weight, "quant_state", None) or getattr(base, "quant_state", None)
    if state is not None:
        packed = [weight.data, state.absmax]
        if state.nested:
            packed += [state.offset, state.state2.code, state.state2.absmax]
            return state.quant_type, packed, [*numbers, state.blocksize, state.state2.blocksize]
        return state.quant_type, packed, [*numbers, state.blocksize]
    if weight.dtype == torch.int8:
        rows = weight.SCB if weight.SCB is not None else base.state.SCB
        return _INT8, [weight.data, rows], numbers
    return _PLAIN, [weight.data], numbers


def dense(
    packed: Sequence[Tensor], kind: str, numbers: Sequence[int], dtype: torch.dtype
) -> Tensor:
    """The weight [out, in] in `dtype`."""
    if kind == _PLAIN:
        return packed[0]
    if kind == _INT8:  # a scale a row, of its largest magnitude (LLM.int8, Dettmers 2022)
        out = packed[0].new_empty(packed[0].shape, dtype=dtype)
        return torch.mul(packed[0], packed[1][:, None] / 127, out=out)
    from bitsandbytes.functional import QuantState, dequantize_4bit

    weight, absmax, *nested = packed
    inner = offset = None
    if nested:
        offset, code, scales = nested
        inner = QuantState(scales, code=code, blocksize=numbers[3], dtype=torch.float32)
    state = QuantState(
        absmax,
        shape=torch.Size(numbers[:2]),
        blocksize=numbers[2],
        quant_type=kind,
        dtype=dtype,
        offset=offset,
        state2=inner,
    )
    return dequantize_4bit(weight, state)


@torch.library.custom_op("greenroom::lora_linear", mutates_args=())
def lora_linear(
    x: Tensor,
    h: Tensor,
    packed: Sequence[Tensor],
    kind: str,
    numbers: Sequence[int],
    bias: Tensor | None,
    a: Tensor,
    b: Tensor,
    scaling: float,
) -> Tensor:
    """x [..., in], h = scaling x a' [tokens, r], a [r, in], b [out, r] -> y [..., out].

    The adapter's product comes first and the large one is added to it: a matrix product reads what
    it adds to while it computes, a small one would read and write y once more.
    """
    y = h @ b.t() if bias is None else torch.addmm(bias, h, b.t())
    y.addmm_(x.reshape(-1, x.shape[-1]), dense(packed, kind, numbers, x.dtype).t())
    return y.view(*x.shape[:-1], -1)


@lora_linear.register_fake
def _(x, h, packed, kind, numbers, bias, a, b, scaling):
    return x.new_empty(*x.shape[:-1], numbers[0])


@torch.library.custom_op("greenroom::lora_linear_backward", mutates_args=())
def lora_linear_backward(
    grad: Tensor,
    x: Tensor,
    h: Tensor,
    packed: Sequence[Tensor],
    kind: str,
    numbers: Sequence[int],
    a: Tensor,
    b: Tensor,
    scaling: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of x, a and b."""
    flat, g = x.reshape(-1, x.shape[-1]), grad.reshape(-1, grad.shape[-1])
    grad_h = (g @ b).mul_(scaling)
    grad_x = grad_h @ a
    grad_x.addmm_(g, dense(packed, kind, numbers, x.dtype))
    return grad_x.view(x.shape), grad_h.t() @ flat, g.t() @ h


@lora_linear_backward.register_fake
def _(grad, x, h, packed, kind, numbers, a, b, scaling):
    return x.new_empty(x.shape), torch.empty_like(a), torch.empty_like(b)


def _keep(ctx, inputs, output) -> None:
    x, h, packed, ctx.kind, ctx.numbers, _, a, b, ctx.scaling = inputs
    ctx.save_for_backward(x, h, a, b, *packed)


def _backward(ctx, grad):
    x, h, a, b, *packed = ctx.saved_tensors
    grads = lora_linear_backward(grad, x, h, packed, ctx.kind, ctx.numbers, a, b, ctx.scaling)
    grad_x, grad_a, grad_b = grads
    return grad_x, None, [None] * len(packed), None, None, None, grad_a, grad_b, None


lora_linear.register_autograd(_backward, setup_context=_keep)
