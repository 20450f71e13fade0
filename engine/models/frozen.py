"""A frozen weight: plain, 4-bit or 8-bit (bitsandbytes), as operators take it and unpacked."""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.hardware import runs_kernels

_BLOCK = 4096  # numbers
PLAIN, INT8 = "plain", "int8"  # the other kinds are bitsandbytes' 4-bit types, nf4 and fp4


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
        return INT8, [weight.data, rows], numbers
    return PLAIN, [weight.data], numbers


def dense(
    packed: Sequence[Tensor], kind: str, numbers: Sequence[int], dtype: torch.dtype
) -> Tensor:
    """The weight [out, in] in `dtype`."""
    if kind == PLAIN:
        return packed[0]
    if kind == INT8:
        return _eight_bit(*packed, dtype)
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


def _eight_bit(weight: Tensor, rows: Tensor, dtype: torch.dtype) -> Tensor:
    """A scale a row, of its largest magnitude (LLM.int8, Dettmers 2022)."""
    out, scales = weight.new_empty(weight.shape, dtype=dtype), rows / 127
    if not runs_kernels(weight.device):
        return torch.mul(weight, scales[:, None], out=out)
    from engine.models.frozen_kernels import int8_rows

    # torch takes one number at a time where three dtypes meet.
    height, width = weight.shape
    grid = height, -(-width // _BLOCK)
    with torch.cuda.device(weight.device):
        int8_rows[grid](weight, scales, out, width, BLOCK=_BLOCK, num_warps=4)
    return out
