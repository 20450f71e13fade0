"""What a step of decoding does on a GPU, as operators that torch.compile and CUDA graphs take.

One token for each of a few rows (voices): `rows_linear` reads a frozen weight once for all of them
and adds to each row what its adapters give; `rows_attend` reads a cache that lies in place.
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from engine.models.frozen import INT8, PLAIN

MOST_ROWS = 16
SMALLEST_RANK = 16  # what a tensor core takes at once
_SPLITS = 16  # of the cache: rows and heads alone are too few programs for a large card
_LAUNCHES = 4096  # that have counters of their own
_APART = 4  # numbers; Triton compiles anew for places that are not aligned to 16 bytes
_WIDTH_SPLITS = 2  # of x, so that what the adapters make of it is there before the weight is read


def takes(x: Tensor) -> bool:
    """Whether x [rows, tokens, in] is one token for each of a few rows, where kernels run."""
    return (
        x.is_cuda
        and x.dim() == 3
        and x.shape[1] == 1
        and x.shape[0] <= MOST_ROWS
        and x.dtype in (torch.bfloat16, torch.float16)
    )


def fits(kind: str, numbers: Sequence[int]) -> bool:
    """Whether a weight as `frozen_weight` gives it lies as the kernels read it."""
    if kind in (PLAIN, INT8):
        return True
    return numbers[1] % numbers[2] == 0  # a block of one scale within one row


@torch.library.custom_op("greenroom::rows_linear", mutates_args=())
def rows_linear(
    x: Tensor,
    packed: Sequence[Tensor],
    kind: str,
    numbers: Sequence[int],
    bias: Tensor | None,
    a: Tensor | None,
    b: Tensor | None,
    scales: Tensor | None,
) -> Tensor:
    """x [rows, 1, in], at most MOST_ROWS rows, in 16 bit -> [rows, 1, out]. The frozen weight as
    `frozen_weight` gives it; a [rank, in] and b [out, rank] of all adapters one after the other
    (rank a power of two, SMALLEST_RANK or more) with scales [rows, rank], float32: what each row
    takes of each rank."""
    from engine.models import few_rows_kernels as kernels

    rows, (height, width) = x.shape[0], numbers[:2]
    flat = x.reshape(rows, width).contiguous()
    y = flat.new_empty(rows, height)
    rank = 0 if a is None else a.shape[0]
    h = flat.new_empty((_WIDTH_SPLITS, rows, rank), dtype=torch.float32)
    arrived = _counters(x.device, _stream(x.device)).next() if rank else None
    ends = (a, scales, h, arrived, b, bias, y, height, width, rows)
    given = {"RANK": rank, "SPLITS": _WIDTH_SPLITS, "BIAS": bias is not None}
    with torch.cuda.device(x.device):  # Triton launches on the current one, wherever tensors lie
        if kind in (PLAIN, INT8):
            _matrix(kernels, flat, packed, kind == INT8, ends, given)
        else:
            _four_bit(kernels, flat, packed, kind, numbers, ends, given)
    return y.view(rows, 1, height)


@rows_linear.register_fake
def _(x, packed, kind, numbers, bias, a, b, scales):
    return x.new_empty(x.shape[0], 1, numbers[0])


def count_anew(device: torch.device) -> None:
    """To be called first in what is captured as a CUDA graph: its launches then count from 0 each
    time it is replayed."""
    _counters(device, _stream(device)).begin()


def _stream(device: torch.device) -> int:
    return torch.cuda.current_stream(device).cuda_stream


@cache
def _counters(device: torch.device, stream: int) -> "_Counters":
    """Of launches that follow each other on a stream."""
    return _Counters(device)


class _Counters:
    """How many of a launch's programs are so far: a counter for each launch, 0 when it begins. When
    none is left all begin anew."""

    def __init__(self, device: torch.device):
        # They outlive the call that made them, and what is made in inference mode can be set to 0
        # nowhere else.
        with torch.inference_mode(False):
            self._all = torch.zeros(_LAUNCHES, _APART, dtype=torch.int32, device=device)
        self._used = 0

    def begin(self) -> None:
        self._all.zero_()
        self._used = 0

    def next(self) -> Tensor:
        if self._used == _LAUNCHES:
            self.begin()
        self._used += 1
        return self._all[self._used - 1]


def _shrinking(given: dict) -> int:
    """How many programs compute what the adapters make of x."""
    return given["RANK"] // SMALLEST_RANK * given["SPLITS"]


# Tile sizes: the best of a dozen each on an H200, over the layers of the 7B shape; for 4 bit also
# of 0.5B, 3B and 8B.
def _matrix(kernels, x, packed, int8: bool, ends: tuple, given: dict) -> None:
    height, width = ends[-3:-1]
    wide = not int8 and height >= 16384
    out, block, warps, stages = (64, 64, 4, 6) if wide else (16, 256, 2, 4)
    if int8:
        out, block, warps, stages = 32, 256, 4, 4
    kernels.matrix[(_shrinking(given) + -(-height // out),)](
        x, packed[0], packed[-1], *ends,
        INT8=int8, EVEN=height % out == 0 and width % block == 0, OUT=out, BLOCK=block,
        STAGES=stages, MOST=MOST_ROWS, num_warps=warps, **given,
    )  # fmt: skip


def _four_bit(kernels, x, packed, kind, numbers, ends: tuple, given: dict) -> None:
    weight, absmax, *nested = packed
    height, width, rows = ends[-3:]
    out, blocks = 16, 8
    if height >= 8192:
        out, blocks = 32, 4
    elif width > max(height, 4096):
        blocks = 16
    kernels.four_bit[(_shrinking(given) + -(-height // out),)](
        x, weight, absmax, *(nested or [None] * 3), *ends,
        NESTED=bool(nested), INNER=numbers[-1], OUT=out, BLOCKS=blocks, HALF=numbers[2] // 2,
        STAGES=3, MOST=8 if rows <= 8 else MOST_ROWS, DECODE=_decode(kind, x.dtype), num_warps=4,
        **given,
    )  # fmt: skip


@cache
def _decode(kind: str, dtype: torch.dtype) -> str:
    """PTX that makes of four bytes ($4) the 16-bit numbers that their eight 4-bit codes stand for,
    the first four ($0, $1) and the others ($2, $3); a byte's high code comes first.

    A code is looked up in registers: `prmt` picks bytes of a table of eight by three of its bits,
    the fourth chooses between two such tables, and high and low bytes of the numbers are looked up
    apart and put together.
    """
    from bitsandbytes.functional import get_4bit_type

    codes = get_4bit_type(kind, device="cpu").to(dtype).view(torch.int16)
    words = [word & 0xFFFF for word in codes.tolist()]
    lines = [
        ".reg .b32 low, high, odd, up, down, p, q, l, h;",
        "and.b32 low, $4, 0x77777777;",
        "shr.b32 high, low, 16;",
        "shl.b32 odd, $4, 4;",  # so that the fourth bit of each low code is a byte's sign too
        "prmt.b32 down, odd, $4, 0xd9c8;",
        "prmt.b32 up, odd, $4, 0xfbea;",
    ]
    for picked, fourth, first, second in (("low", "down", "$0", "$1"), ("high", "up", "$2", "$3")):
        for plane, shift in (("l", 0), ("h", 8)):
            table = [
                sum((words[4 * t + i] >> shift & 255) << 8 * i for i in range(4)) for t in range(4)
            ]
            lines += [
                f"prmt.b32 p, {table[0]:#x}, {table[1]:#x}, {picked};",
                f"prmt.b32 q, {table[2]:#x}, {table[3]:#x}, {picked};",
                f"lop3.b32 {plane}, p, q, {fourth}, 0xd8;",  # p where it is 0, else q
            ]
        lines += [f"prmt.b32 {first}, l, h, 0x4051;", f"prmt.b32 {second}, l, h, 0x6273;"]
    return "{" + " ".join(lines) + "}"


@torch.library.custom_op("greenroom::rows_attend", mutates_args=("keys", "values"))
def rows_attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    keys: Tensor,
    values: Tensor,
    starts: Tensor,
    written: Tensor,
    scale: float,
    window: int,
) -> Tensor:
    """Attention of one new token a row: q [rows, heads, 1, width], k and v [rows, fewer heads, 1,
    width] -> [rows, 1, heads, width].

    keys and values [rows, fewer heads, capacity, width] hold `written` tokens (int32 [1]), of which
    a row's own begin at `starts` (int32 [rows]); k and v are written behind them. `window`: how
    many tokens are heard, 0 for all.
    """
    from engine.models import few_rows_kernels as kernels

    rows, heads, _, width = q.shape
    groups, capacity = keys.shape[1], keys.shape[2]
    group = heads // groups
    sizes = {"width": width, "WIDTH": _power(width), "SPLITS": _SPLITS}
    tops = q.new_empty((rows, heads, _SPLITS), dtype=torch.float32)
    totals = torch.empty_like(tops)
    parts = q.new_empty((rows, heads, _SPLITS, width), dtype=torch.float32)
    out = q.new_empty((rows, 1, heads, width))
    with torch.cuda.device(q.device):
        kernels.attend_part[(rows * groups, _SPLITS)](
            q.contiguous(), k.contiguous(), v.contiguous(), keys, values, starts, written,
            parts, tops, totals, scale, window, capacity,
            GROUP=group, MEMBERS=max(16, _power(group)), HEADS=groups,
            BLOCK=32 if width <= 128 else 16, num_warps=4, num_stages=2, **sizes,
        )  # fmt: skip
        kernels.attend_whole[(rows * heads,)](parts, tops, totals, out, num_warps=2, **sizes)
    return out


@rows_attend.register_fake
def _(q, k, v, keys, values, starts, written, scale, window):
    return q.new_empty((q.shape[0], 1, q.shape[1], q.shape[3]))


def _power(number: int) -> int:
    """The next power of two."""
    return 1 << max(number - 1, 0).bit_length()
