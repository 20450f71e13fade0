"""Attention over rows one after the other, as operators that torch.compile takes.

A block of tokens reads from the beginning of its first row on, whatever rows it holds: short rows,
as most datasets have, fill the blocks that a kernel with blocks for each row leaves half empty.
"""

from functools import cache

import torch
from torch import Tensor

from engine.hardware import runs_kernels

_LOG2_E = 1.4426950408889634
_CAPABILITY = 9  # Hopper's: where they were measured to be faster than torch's
_NEAR = 0.02  # as a share; 16 bit rounds to 0.004
_ROWS = (24, 40)  # tokens of the two that it is tried with
# Queries and keys of a block, and stages of loading: the best of a dozen each on an H200, over rows
# of Alpaca packed to 1,024 tokens, heads of 128.
_FORWARD = {"M": 64, "N": 32, "STAGES": 3}
_BACKWARD_Q = {"M": 64, "N": 32, "STAGES": 2}
_BACKWARD_KV = {"M": 32, "N": 64, "STAGES": 3}


@cache
def holds(device: torch.device, dtype: torch.dtype, heads: int, key_heads: int, width: int) -> bool:
    """Whether the kernels run on the device for heads like these, and give what torch gives one row
    at a time, forward and backward. What it cannot run, for want of shared memory say, is printed.
    """
    if not runs_kernels(device) or torch.cuda.get_device_capability(device)[0] != _CAPABILITY:
        return False
    try:
        return _is_torchs(device, dtype, heads, key_heads, width)
    # Compilers and drivers fail in ways of their own, the launcher's C compiler among them.
    except Exception as error:
        print(f"No packed attention: {error}", flush=True)
        return False


@torch.enable_grad()
def _is_torchs(device, dtype, heads: int, key_heads: int, width: int) -> bool:
    source = torch.Generator(device).manual_seed(0)
    query, key, value, grad = (
        torch.randn(sum(_ROWS), count, width, device=device, dtype=dtype, generator=source)
        for count in (heads, key_heads, key_heads, heads)
    )
    ends = torch.tensor([0, _ROWS[0], sum(_ROWS)], dtype=torch.int32, device=device)
    ours = [one.requires_grad_() for one in (query, key, value)]
    theirs = [one.detach().float().requires_grad_() for one in ours]
    out = attend(*ours, ends, width**-0.5)
    alone = [
        torch.nn.functional.scaled_dot_product_attention(
            *(one.transpose(0, 1)[None] for one in row), is_causal=True, enable_gqa=True
        )[0].transpose(0, 1)
        for row in zip(*(one.split(_ROWS) for one in theirs), strict=True)
    ]
    expected = torch.cat(alone)
    said = [out, *torch.autograd.grad(out, ours, grad)]
    right = [expected, *torch.autograd.grad(expected, theirs, grad.float())]
    return all(
        (one - other).norm() < _NEAR * other.norm() for one, other in zip(said, right, strict=True)
    )


def attend(
    query: Tensor, key: Tensor, value: Tensor, ends: Tensor, scale: float, window: int = 0
) -> Tensor:
    """query [tokens, heads, width], key and value [tokens, fewer heads, width], contiguous, in 16
    bit; `ends` of the rows int32 [rows + 1], from 0 on; a token sees itself and those before it in
    its row, of the nearest `window` tokens if that is not 0. Gives [tokens, heads, width]."""
    first, last = spans(ends, query.shape[0], window)
    return packed_attention(query, key, value, first, last, scale)[0]


def spans(ends: Tensor, tokens: int, window: int = 0) -> tuple[Tensor, Tensor]:
    """int32 [tokens] each: the first token that each sees, and the first after it that does not see
    it."""
    at = torch.arange(tokens, dtype=torch.int32, device=ends.device)
    row = torch.searchsorted(ends, at, right=True)
    first, last = ends[row - 1], ends[row]
    if window:
        first, last = torch.maximum(first, at - window + 1), torch.minimum(last, at + window)
    return first, last


@torch.library.custom_op("greenroom::packed_attention", mutates_args=())
def packed_attention(
    query: Tensor, key: Tensor, value: Tensor, first: Tensor, last: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """As `attend`, with what `spans` gives; and for the backward pass, float32 [heads, tokens], the
    logarithms to base 2 of what each softmax divides by."""
    from engine.models import packed_attention_kernels as kernels

    tokens, heads, width = query.shape
    if key.shape != value.shape or key.shape[-1] != width:
        raise RuntimeError("keys, values and queries of different widths")
    out, norms = torch.empty_like(query), _numbers(query)
    with torch.cuda.device(query.device):
        kernels.forward[(heads, -(-tokens // _FORWARD["M"]))](
            query, key, value, first, out, norms, scale * _LOG2_E, tokens,
            **_sizes(query, key), **_FORWARD,
        )  # fmt: skip
    return out, norms


@packed_attention.register_fake
def _(query, key, value, first, last, scale):
    return torch.empty_like(query), _numbers(query)


@torch.library.custom_op("greenroom::packed_attention_backward", mutates_args=())
def packed_attention_backward(
    grad: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    first: Tensor,
    last: Tensor,
    out: Tensor,
    norms: Tensor,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of query, key and value."""
    from engine.models import packed_attention_kernels as kernels

    grad = grad.contiguous()
    tokens, heads, _ = query.shape
    grads = [torch.empty_like(one) for one in (query, key, value)]
    along = torch.empty_like(norms)  # what of a gradient lies along the answer itself
    given = {"scale": scale * _LOG2_E, "tokens": tokens} | _sizes(query, key)
    with torch.cuda.device(query.device):
        kernels.backward_q[(heads, -(-tokens // _BACKWARD_Q["M"]))](
            query, key, value, first, out, grad, norms, along, grads[0], **given, **_BACKWARD_Q
        )
        kernels.backward_kv[(key.shape[1], -(-tokens // _BACKWARD_KV["N"]))](
            query, key, value, first, last, grad, norms, along, *grads[1:], **given, **_BACKWARD_KV
        )
    return tuple(grads)


@packed_attention_backward.register_fake
def _(grad, query, key, value, first, last, out, norms, scale):
    return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


def _numbers(query: Tensor) -> Tensor:
    """float32 [heads, tokens]."""
    return query.new_empty((query.shape[1], query.shape[0]), dtype=torch.float32)


def _sizes(query: Tensor, key: Tensor) -> dict[str, int]:
    _, heads, width = query.shape
    power = 1 << max(width - 1, 15).bit_length()  # 16 is the least that a tensor core takes
    return {"HEADS": heads, "GROUP": heads // key.shape[1], "WIDTH": width, "POWER": power}


def _keep(ctx, inputs, output) -> None:
    *tensors, ctx.scale = inputs
    ctx.save_for_backward(*tensors, *output)
    ctx.mark_non_differentiable(output[1])


def _backward(ctx, grad, _):
    grads = packed_attention_backward(grad, *ctx.saved_tensors, ctx.scale)
    return *grads, None, None, None


packed_attention.register_autograd(_backward, setup_context=_keep)
