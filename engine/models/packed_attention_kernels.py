"""Triton kernels for attention over rows that lie one after the other (FlashAttention-2, Dao 2023),
with blocks of the whole sequence instead of blocks of each row.

All work on M queries and N keys at a time, `scale` times log2(e) because the GPU has exp2. `first`
[tokens] is the first token that each sees. Loaded only where there is a GPU.
"""

import triton
import triton.language as tl

_LN_2 = tl.constexpr(0.6931471805599453)


@triton.jit
def _places(at, tokens, head, HEADS: tl.constexpr, WIDTH: tl.constexpr, POWER: tl.constexpr):
    """Where tokens `at` of one head lie in [tokens, HEADS, WIDTH], and whether they do."""
    column = tl.arange(0, POWER)
    inside = (at < tokens)[:, None] & (column < WIDTH)[None]
    return (at.to(tl.int64)[:, None] * HEADS + head) * WIDTH + column[None], inside


@triton.jit
def forward(
    query, key, value, first, out, norms, scale, tokens,
    HEADS: tl.constexpr, GROUP: tl.constexpr, WIDTH: tl.constexpr, POWER: tl.constexpr,
    M: tl.constexpr, N: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """M queries of one head, over all keys that any of them sees."""
    head, begin = tl.program_id(0), tl.program_id(1) * M
    i = begin + tl.arange(0, M)
    at_q, in_q = _places(i, tokens, head, HEADS, WIDTH, POWER)
    q = tl.load(query + at_q, in_q, 0.0)
    mine = tl.load(first + i, i < tokens, tokens)
    top = tl.full((M,), -1e30, tl.float32)  # not infinite: a block may hold no key of a query
    total = tl.zeros((M,), tl.float32)
    sums = tl.zeros((M, POWER), tl.float32)
    for start in tl.range(tl.load(first + begin) // N * N, begin + M, N, num_stages=STAGES):
        j = start + tl.arange(0, N)
        at_k, in_k = _places(j, tokens, head // GROUP, HEADS // GROUP, WIDTH, POWER)
        k = tl.load(key + at_k, in_k, 0.0)
        v = tl.load(value + at_k, in_k, 0.0)
        seen = (j[None] >= mine[:, None]) & (j[None] <= i[:, None])
        scores = tl.where(seen, tl.dot(q, k.T) * scale, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        p = tl.exp2(scores - higher[:, None])
        shrink = tl.exp2(top - higher)
        total = total * shrink + tl.sum(p, 1)
        sums = tl.dot(p.to(v.dtype), v, sums * shrink[:, None])
        top = higher
    tl.store(out + at_q, (sums / total[:, None]).to(q.dtype), in_q)
    tl.store(norms + head * tokens + i, top + tl.log2(total), i < tokens)


@triton.jit
def backward_q(
    query, key, value, first, out, grad, norms, along, grad_q, scale, tokens,
    HEADS: tl.constexpr, GROUP: tl.constexpr, WIDTH: tl.constexpr, POWER: tl.constexpr,
    M: tl.constexpr, N: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """The gradient of M queries of one head; also into `along` [HEADS, tokens], for `backward_kv`,
    the products of their outputs and these outputs' gradients."""
    head, begin = tl.program_id(0), tl.program_id(1) * M
    i = begin + tl.arange(0, M)
    at_q, in_q = _places(i, tokens, head, HEADS, WIDTH, POWER)
    q = tl.load(query + at_q, in_q, 0.0)
    g = tl.load(grad + at_q, in_q, 0.0)
    said = tl.load(out + at_q, in_q, 0.0)
    back = tl.sum(g.to(tl.float32) * said.to(tl.float32), 1)
    tl.store(along + head * tokens + i, back, i < tokens)
    norm = tl.load(norms + head * tokens + i, i < tokens, 0.0)
    mine = tl.load(first + i, i < tokens, tokens)
    sums = tl.zeros((M, POWER), tl.float32)
    for start in tl.range(tl.load(first + begin) // N * N, begin + M, N, num_stages=STAGES):
        j = start + tl.arange(0, N)
        at_k, in_k = _places(j, tokens, head // GROUP, HEADS // GROUP, WIDTH, POWER)
        k = tl.load(key + at_k, in_k, 0.0)
        v = tl.load(value + at_k, in_k, 0.0)
        seen = (j[None] >= mine[:, None]) & (j[None] <= i[:, None])
        p = tl.where(seen, tl.exp2(tl.dot(q, k.T) * scale - norm[:, None]), 0.0)
        d = p * (tl.dot(g, v.T) - back[:, None])
        sums = tl.dot(d.to(k.dtype), k, sums)
    tl.store(grad_q + at_q, (sums * (scale * _LN_2)).to(q.dtype), in_q)


@triton.jit
def backward_kv(
    query, key, value, first, last, grad, norms, along, grad_k, grad_v, scale, tokens,
    HEADS: tl.constexpr, GROUP: tl.constexpr, WIDTH: tl.constexpr, POWER: tl.constexpr,
    M: tl.constexpr, N: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """The gradients of N keys and values, over all queries, of all heads that share them, that see
    any; `last` [tokens] is the first token after each that does not."""
    shared, begin = tl.program_id(0), tl.program_id(1) * N
    j = begin + tl.arange(0, N)
    at_k, in_k = _places(j, tokens, shared, HEADS // GROUP, WIDTH, POWER)
    k = tl.load(key + at_k, in_k, 0.0)
    v = tl.load(value + at_k, in_k, 0.0)
    sums_k = tl.zeros((N, POWER), tl.float32)
    sums_v = tl.zeros((N, POWER), tl.float32)
    start = begin // M * M
    end = tl.load(last + tl.minimum(begin + N, tokens) - 1)
    blocks = tl.cdiv(end - start, M)
    for step in tl.range(0, blocks * GROUP, num_stages=STAGES):
        head = shared * GROUP + step // blocks
        i = start + step % blocks * M + tl.arange(0, M)
        at_q, in_q = _places(i, tokens, head, HEADS, WIDTH, POWER)
        q = tl.load(query + at_q, in_q, 0.0)
        g = tl.load(grad + at_q, in_q, 0.0)
        theirs = tl.load(first + i, i < tokens, tokens)
        norm = tl.load(norms + head * tokens + i, i < tokens, 0.0)
        back = tl.load(along + head * tokens + i, i < tokens, 0.0)
        seen = (j[:, None] >= theirs[None]) & (j[:, None] <= i[None])
        p = tl.where(seen, tl.exp2(tl.dot(k, q.T) * scale - norm[None]), 0.0)
        sums_v = tl.dot(p.to(g.dtype), g, sums_v)
        d = p * (tl.dot(v, g.T) - back[None])
        sums_k = tl.dot(d.to(q.dtype), q, sums_k)
    tl.store(grad_k + at_k, (sums_k * (scale * _LN_2)).to(k.dtype), in_k)
    tl.store(grad_v + at_k, sums_v.to(v.dtype), in_k)
