"""Triton kernels for a step of decoding: a frozen matrix, and a cache, read once for a few rows.

With so few rows all the time goes into reading the weights, so each kernel reads them as they lie,
16 bit, 8 bit or 4 bit, and does the rest on the way. Loaded only where there is a GPU.
"""

import triton
import triton.language as tl


@triton.jit
def shrink(
    x, a, scales, h, halves, width, rows,
    RANK: tl.constexpr, HALVE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """h [rows, rank] = (x [rows, width] a [rank, width]') * scales [rows, rank]: a program a rank
    and row. With HALVE also x in float32, its even numbers before its odd ones."""
    rank, row = tl.program_id(0), tl.program_id(1)
    at = tl.arange(0, BLOCK)
    if RANK > 0:
        if rank < RANK:
            total = tl.zeros([BLOCK], tl.float32)
            for k in range(0, width, BLOCK):
                inside = k + at < width
                left = tl.load(x + row * width + k + at, inside, 0.0).to(tl.float32)
                right = tl.load(a + rank * width + k + at, inside, 0.0).to(tl.float32)
                total += left * right
            scale = tl.load(scales + row * RANK + rank)
            tl.store(h + row * RANK + rank, tl.sum(total, 0) * scale)
    if HALVE:
        if rank == RANK:
            for k in range(0, width, BLOCK):
                inside = k + at < width
                number = tl.load(x + row * width + k + at, inside, 0.0).to(tl.float32)
                place = (at % 2) * (width // 2) + (k + at) // 2
                tl.store(halves + row * width + place, number, inside)


@triton.jit
def matrix(
    x, w, row_scales, h, b, bias, y, height, width, rows,
    RANK: tl.constexpr, BIAS: tl.constexpr, INT8: tl.constexpr, EVEN: tl.constexpr,
    OUT: tl.constexpr, BLOCK: tl.constexpr, STAGES: tl.constexpr, MOST: tl.constexpr,
):  # fmt: skip
    """y [rows, height] of a 16-bit or 8-bit w [height, width] and what the adapters add, b
    [height, rank] times h; a program OUT rows of w. EVEN: it divides into whole tiles."""
    out = tl.program_id(0) * OUT + tl.arange(0, OUT)
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
    if RANK > 0:
        rank = tl.arange(0, RANK)
        grow = tl.load(b + out[:, None] * RANK + rank[None, :], known[:, None], 0.0)
        small = tl.load(h + row[None, :] * RANK + rank[:, None], heard[None, :], 0.0)
        total = tl.dot(grow.to(tl.float32), small, total, input_precision="ieee")
    if BIAS:
        total += tl.load(bias + out, known, 0.0).to(tl.float32)[:, None]
    kept = known[:, None] & heard[None, :]
    tl.store(y + row[None, :] * height + out[:, None], total.to(y.dtype.element_ty), kept)


@triton.jit
def _scaled(halves, k, left, high, low, scale, width, BLOCKS: tl.constexpr, HALF: tl.constexpr):
    """What a tile of 4-bit numbers gives with one row of x, a sum for each of its blocks."""
    at = k // 2 + tl.arange(0, BLOCKS)[:, None] * HALF + tl.arange(0, HALF)[None, :]
    inside = (tl.arange(0, BLOCKS) < left)[:, None]
    even = tl.load(halves + at, inside, 0.0)[None, :, :]
    odd = tl.load(halves + width // 2 + at, inside, 0.0)[None, :, :]
    return tl.sum(high * even + low * odd, 2) * scale


@triton.jit
def _grown(total, row, out, h, b, bias, y, height, RANK: tl.constexpr, BIAS: tl.constexpr):
    """Adds what the adapters and the bias give to one row's sums [out], and stores them."""
    known = out < height
    if RANK > 0:
        rank = tl.arange(0, RANK)
        grow = tl.load(b + out[:, None] * RANK + rank[None, :], known[:, None], 0.0)
        total += tl.sum(grow.to(tl.float32) * tl.load(h + row * RANK + rank)[None, :], 1)
    if BIAS:
        total += tl.load(bias + out, known, 0.0).to(tl.float32)
    tl.store(y + row * height + out, total.to(y.dtype.element_ty), known)


@triton.jit
def _read(
    w, absmax, inner_absmax, number, there, NESTED: tl.constexpr, INNER: tl.constexpr,
    HALF: tl.constexpr,
):  # fmt: skip
    """A tile of 4-bit blocks as it lies: bytes, and their scales or the codes of these."""
    byte = number[:, :, None] * HALF + tl.arange(0, HALF)[None, None, :]
    bytes = tl.load(w + byte, there[:, :, None], 0)
    scale = tl.load(absmax + number, there, 0)
    inner = scale
    if NESTED:
        inner = tl.load(inner_absmax + number // INNER, there, 0.0)
    return bytes, scale, inner


@triton.jit
def four_bit(
    halves, w, absmax, code, offset, inner_code, inner_absmax, h, b, bias, y, height, width, first,
    NESTED: tl.constexpr, INNER: tl.constexpr, RANK: tl.constexpr, BIAS: tl.constexpr,
    PAIR: tl.constexpr, OUT: tl.constexpr, BLOCKS: tl.constexpr, HALF: tl.constexpr,
):  # fmt: skip
    """The same of bitsandbytes' 4-bit w for the row `first`, and with PAIR the one behind it: a
    byte holds an even number's code above an odd one's, a block of 2 HALF numbers has one scale,
    itself a code where it is nested. A tile is read while the one before is computed."""
    out = tl.program_id(0) * OUT + tl.arange(0, OUT)
    known = out < height
    block = tl.arange(0, BLOCKS)
    blocks = width // (2 * HALF)  # in a row of w
    shift = tl.load(offset) if NESTED else 0.0
    one = halves + first * width
    number = out[:, None].to(tl.int64) * blocks + block[None, :]
    there = known[:, None] & (block < blocks)[None, :]
    bytes, scale, inner = _read(w, absmax, inner_absmax, number, there, NESTED, INNER, HALF)
    sum0 = tl.zeros([OUT, BLOCKS], tl.float32)
    sum1 = tl.zeros([OUT, BLOCKS], tl.float32)
    for begin in range(0, blocks, BLOCKS):
        number += BLOCKS
        there = known[:, None] & (begin + BLOCKS + block < blocks)[None, :]
        ahead = _read(w, absmax, inner_absmax, number, there, NESTED, INNER, HALF)
        unit = scale
        if NESTED:
            unit = tl.load(inner_code + scale.to(tl.int32)) * inner + shift
        codes = bytes.to(tl.int32)
        high, low = tl.load(code + (codes >> 4)), tl.load(code + (codes & 15))
        k, left = begin * 2 * HALF, blocks - begin
        sum0 += _scaled(one, k, left, high, low, unit, width, BLOCKS, HALF)
        if PAIR:
            sum1 += _scaled(one + width, k, left, high, low, unit, width, BLOCKS, HALF)
        bytes, scale, inner = ahead
    _grown(tl.sum(sum0, 1), first, out, h, b, bias, y, height, RANK, BIAS)
    if PAIR:
        _grown(tl.sum(sum1, 1), first + 1, out, h, b, bias, y, height, RANK, BIAS)


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
