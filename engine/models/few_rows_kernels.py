"""Triton kernels for a step of decoding: a frozen matrix, and a cache, read once for a few rows.

With so few rows all the time goes into reading the weights, so each kernel reads them as they lie,
16 bit, 8 bit or 4 bit, and does the rest on the way. Loaded only where there is a GPU.
"""

import triton
import triton.language as tl


@triton.jit
def _shrink(
    x, a, scales, h, arrived, width, rows,
    RANK: tl.constexpr, SPLITS: tl.constexpr, MOST: tl.constexpr,
):  # fmt: skip
    """16 ranks of what the adapters make of x [rows, width], a [rank, width] times scales [rows,
    rank], over one of SPLITS parts of the width, into h [splits, rows, rank]; and one more has
    `arrived`."""
    rank = tl.program_id(0) // SPLITS * 16 + tl.arange(0, 16)
    split = tl.program_id(0) % SPLITS
    row, at = tl.arange(0, MOST), tl.arange(0, 256)
    each = tl.cdiv(tl.cdiv(width, SPLITS), 256) * 256
    end = tl.minimum(width, (split + 1) * each)
    total = tl.zeros([16, MOST], tl.float32)
    for k in tl.range(split * each, end, 256, num_stages=4):
        col = k + at
        inside = col < end
        left = tl.load(a + rank[:, None] * width + col[None, :], inside[None, :], 0.0)
        heard = (row < rows)[None, :] & inside[:, None]
        total = tl.dot(left, tl.load(x + row[None, :] * width + col[:, None], heard, 0.0), total)
    where = row[None, :] * RANK + rank[:, None]
    known = (row < rows)[None, :]
    total *= tl.load(scales + where, known, 0.0)
    tl.store(h + split * rows * RANK + where, total, known)
    tl.debug_barrier()  # all threads have stored when one of them says so
    tl.atomic_add(arrived, 1, sem="release")


@triton.jit
def matrix(
    x, w, row_scales, a, scales, h, arrived, b, bias, y, height, width, rows,
    RANK: tl.constexpr, SPLITS: tl.constexpr, BIAS: tl.constexpr, INT8: tl.constexpr,
    EVEN: tl.constexpr, OUT: tl.constexpr, BLOCK: tl.constexpr, STAGES: tl.constexpr,
    MOST: tl.constexpr,
):  # fmt: skip
    """y [rows, height] of a 16-bit or 8-bit w [height, width] and what the adapters add, b
    [height, rank] times h; a program OUT rows of w. EVEN: it divides into whole tiles.

    The first programs compute h while the others read w, and are waited for at the end: programs
    are started in their order, so nobody waits for one that has no place to run."""
    SHRINKING: tl.constexpr = RANK // 16 * SPLITS
    if RANK > 0 and tl.program_id(0) < SHRINKING:
        _shrink(x, a, scales, h, arrived, width, rows, RANK, SPLITS, MOST)
    else:
        out = (tl.program_id(0) - SHRINKING) * OUT + tl.arange(0, OUT)
        row, at = tl.arange(0, MOST), tl.arange(0, BLOCK)
        heard, known = row < rows, out < height
        lines = w + out[:, None].to(tl.int64) * width
        total = tl.zeros([OUT, MOST], tl.float32)
        for k in tl.range(0, width, BLOCK, num_stages=STAGES):
            col = k + at
            asked = x + row[None, :] * width + col[:, None]
            if EVEN:
                read = tl.load(lines + col[None, :])
                said = tl.load(asked, heard[None, :], 0.0)
            else:
                inside = col < width
                read = tl.load(lines + col[None, :], known[:, None] & inside[None, :], 0.0)
                said = tl.load(asked, heard[None, :] & inside[:, None], 0.0)
            total = tl.dot(read.to(said.dtype), said, total)
        if INT8:
            total *= (tl.load(row_scales + out, known, 0.0) / 127)[:, None]
        _grown(total, out, row, rows, h, arrived, b, bias, y, height, RANK, SPLITS, BIAS)


@triton.jit
def four_bit(
    x, w, absmax, offset, inner_code, inner_absmax,
    a, scales, h, arrived, b, bias, y, height, width, rows,
    RANK: tl.constexpr, SPLITS: tl.constexpr, BIAS: tl.constexpr, NESTED: tl.constexpr,
    INNER: tl.constexpr, OUT: tl.constexpr, BLOCKS: tl.constexpr, HALF: tl.constexpr,
    STAGES: tl.constexpr, MOST: tl.constexpr, DECODE: tl.constexpr,
):  # fmt: skip
    """The same of bitsandbytes' 4-bit w: a block of 2 HALF numbers lies in HALF bytes and has one
    scale, itself a code where it is nested. DECODE makes of four bytes their eight numbers, four
    and four; a warp adds up blocks of its own, which are put together at the end."""
    SHRINKING: tl.constexpr = RANK // 16 * SPLITS
    if RANK > 0 and tl.program_id(0) < SHRINKING:
        _shrink(x, a, scales, h, arrived, width, rows, RANK, SPLITS, MOST)
    else:
        out = (tl.program_id(0) - SHRINKING) * OUT + tl.arange(0, OUT)
        row, block, at = tl.arange(0, MOST), tl.arange(0, BLOCKS), tl.arange(0, HALF)
        heard, known = row < rows, out < height
        blocks = width // (2 * HALF)  # in a row of w
        shift = tl.load(offset) if NESTED else 0.0
        lines = block[:, None] + out[None, :].to(tl.int64) * blocks
        place = block[:, None, None] * (2 * HALF) + (at // 4 * 8 + at % 4)[None, :, None]
        place = tl.max_contiguous(tl.multiple_of(place, [1, 4, 1]), [1, 4, 1])
        asked = x + row[None, None, :] * width + place
        total = tl.zeros([BLOCKS, OUT, MOST], tl.float32)
        for begin in tl.range(0, blocks, BLOCKS, num_stages=STAGES):
            inside = begin + block < blocks
            there, said = known[None, :] & inside[:, None], heard & inside[:, None, None]
            number = lines + begin
            bytes = tl.load(w + number[:, :, None] * HALF + at, there[:, :, None], 0)
            unit = tl.load(absmax + number, there, 0)
            if NESTED:
                inner = tl.load(inner_absmax + number // INNER, there, 0.0)
                unit = tl.load(inner_code + unit.to(tl.int32)) * inner + shift
            first, second = tl.inline_asm_elementwise(
                DECODE, "=r,=r,=r,=r,r", [bytes], (x.dtype.element_ty, x.dtype.element_ty), True, 4
            )
            part = tl.dot(first, tl.load(asked + begin * (2 * HALF), said, 0.0))
            part = tl.dot(second, tl.load(asked + begin * (2 * HALF) + 4, said, 0.0), part)
            total += part * unit[:, :, None]
        whole = tl.sum(total, 0)
        _grown(whole, out, row, rows, h, arrived, b, bias, y, height, RANK, SPLITS, BIAS)


@triton.jit
def _grown(
    total, out, row, rows, h, arrived, b, bias, y, height,
    RANK: tl.constexpr, SPLITS: tl.constexpr, BIAS: tl.constexpr,
):  # fmt: skip
    """Adds what the adapters and the bias give to a program's sums [out, row], and stores them."""
    known, heard = out < height, row < rows
    if RANK > 0:
        rank = tl.arange(0, RANK)
        grow = tl.load(b + out[:, None] * RANK + rank[None, :], known[:, None], 0.0)
        _wait(arrived, RANK // 16 * SPLITS)
        small = tl.zeros([RANK, row.shape[0]], tl.float32)
        for split in tl.static_range(SPLITS):
            where = h + (split * rows + row[None, :]) * RANK + rank[:, None]
            small += tl.load(where, heard[None, :], 0.0, cache_modifier=".cg")
        coarse = small.to(grow.dtype)  # with what it leaves, on the tensor cores and to 16 bit
        total = tl.dot(grow, coarse, total)
        total = tl.dot(grow, (small - coarse.to(tl.float32)).to(grow.dtype), total)
    if BIAS:
        total += tl.load(bias + out, known, 0.0).to(tl.float32)[:, None]
    kept = known[:, None] & heard[None, :]
    tl.store(y + row[None, :] * height + out[:, None], total.to(y.dtype.element_ty), kept)


@triton.jit
def _wait(arrived, SHRINKING: tl.constexpr):
    """Until h is whole. Read and not added to: the programs of a launch are many, and additions to
    one place take turns."""
    there = 0
    while there < SHRINKING:
        there = tl.inline_asm_elementwise(
            "ld.acquire.gpu.global.s32 $0, [$1];", "=r,l", [arrived], tl.int32, False, 1
        )


@triton.jit
def attend_part(
    q, k_new, v_new, keys, values, starts, written, parts, tops, totals, scale, window, capacity,
    width: tl.constexpr, GROUP: tl.constexpr, MEMBERS: tl.constexpr, HEADS: tl.constexpr,
    WIDTH: tl.constexpr, SPLITS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One row and one head of the cache [rows, heads, capacity, width], for the GROUP of query
    heads that share it (padded to MEMBERS), over one of SPLITS parts of what was `written`, from
    where the row `starts`. The part that the new token falls into writes it into the cache.

    Softmax is kept as it grows (Dao, FlashAttention, 2022); the parts are put together after.
    """
    row_head, split = tl.program_id(0), tl.program_id(1)
    now = tl.load(written)
    member, at = tl.arange(0, MEMBERS), tl.arange(0, WIDTH)
    real, among = at < width, member < GROUP
    queries = q + (row_head * GROUP + member[:, None]) * width + at[None, :]
    asked = tl.load(queries, among[:, None] & real[None, :], 0.0)
    begin = tl.load(starts + row_head // HEADS)
    if window > 0:
        begin = tl.maximum(begin, now + 1 - window)
    each = tl.cdiv(now + 1 - begin, SPLITS)
    lo = begin + split * each
    hi = tl.minimum(lo + each, now + 1)
    base = row_head.to(tl.int64) * capacity * width
    fresh = row_head * width + at
    if (now >= lo) & (now < hi):
        tl.store(keys + base + now * width + at, tl.load(k_new + fresh, real), real)
        tl.store(values + base + now * width + at, tl.load(v_new + fresh, real), real)
    top = tl.zeros([MEMBERS], tl.float32) - 1e30
    total = tl.zeros([MEMBERS], tl.float32)
    mixed = tl.zeros([MEMBERS, WIDTH], tl.float32)
    for first in range(lo, hi, BLOCK):
        place = first + tl.arange(0, BLOCK)
        there = place < hi
        old = (there & (place < now))[:, None] & real[None, :]
        new = (place == now)[:, None] & real[None, :]
        where = base + place[:, None] * width + at[None, :]
        just = fresh[None, :] + tl.zeros([BLOCK, 1], tl.int32)
        k = tl.load(keys + where, old, 0.0) + tl.load(k_new + just, new, 0.0)
        v = tl.load(values + where, old, 0.0) + tl.load(v_new + just, new, 0.0)
        scores = tl.where(there[None, :], tl.dot(asked, tl.trans(k)) * scale, -1e30)
        higher = tl.maximum(top, tl.max(scores, 1))
        kept = tl.exp(top - higher)
        weights = tl.where(there[None, :], tl.exp(scores - higher[:, None]), 0.0)
        total = total * kept + tl.sum(weights, 1)
        mixed = tl.dot(weights.to(v.dtype), v, mixed * kept[:, None])
        top = higher
    part = (row_head * GROUP + member) * SPLITS + split
    tl.store(tops + part, top, among)
    tl.store(totals + part, total, among)
    where = parts + part[:, None] * width + at[None, :]
    tl.store(where, mixed, among[:, None] & real[None, :])


@triton.jit
def attend_whole(
    parts, tops, totals, out,
    width: tl.constexpr, WIDTH: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    """The parts of a query head put together."""
    head, split, at = tl.program_id(0), tl.arange(0, SPLITS), tl.arange(0, WIDTH)
    real = at < width
    top = tl.load(tops + head * SPLITS + split)
    weight = tl.exp(top - tl.max(top, 0))
    total = tl.sum(tl.load(totals + head * SPLITS + split) * weight, 0)
    place = (head * SPLITS + split)[:, None] * width + at[None, :]
    mixed = tl.load(parts + place, real[None, :], 0.0)
    mixed = tl.sum(mixed * weight[:, None], 0) / total
    tl.store(out + head * width + at, mixed.to(out.dtype.element_ty), real)
