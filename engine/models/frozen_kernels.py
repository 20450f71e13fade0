"""A Triton kernel that unpacks an 8-bit weight as fast as memory takes it. Loaded only where there
is a GPU."""

import triton
import triton.language as tl


@triton.jit
def int8_rows(weight, scales, out, width, BLOCK: tl.constexpr):
    """out = weight [height, width] times a scale a row, float32 until it is rounded once."""
    row = tl.program_id(0).to(tl.int64)
    col = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = col < width
    at = row * width + col
    whole = tl.load(weight + at, inside, 0).to(tl.float32) * tl.load(scales + row)
    tl.store(out + at, whole.to(out.dtype.element_ty), inside)
