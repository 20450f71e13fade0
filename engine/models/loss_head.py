"""The loss over the trained tokens alone, in tiles: their logits are never all there at once."""

import functools
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_TILE_TOKENS = 1024  # 0.3 GiB of logits at 152,000 pieces in 16 bit; larger tiles are no faster


def give_loss_head(model: "PreTrainedModel", compiled: bool) -> bool:
    """Lets the causal language model under its adapter answer a call that says where which token
    is trained (`targets` [n], `at` [n] flat positions) with their summed cross entropy, float32.

    All that wraps the model hands such a call on (PEFT, DDP, FSDP), and a call without them is
    answered as ever. `compiled` fuses the tiles. False, and nothing given, where logits are more
    than the head's product.
    """
    if not _has_plain_head(model):
        return False
    plain_forward = model.forward

    @functools.wraps(plain_forward)
    def forward(*args, targets=None, at=None, **kwargs):
        if targets is None:
            return plain_forward(*args, **kwargs)
        return _loss_sum(model, kwargs, targets, at, compiled)

    model.forward = forward
    return True


def _loss_sum(
    model: "PreTrainedModel", inputs: dict[str, Any], targets: Tensor, at: Tensor, compiled: bool
) -> Tensor:
    given = {name: value for name, value in inputs.items() if value is not None}
    hidden = model.base_model(**given, use_cache=False).last_hidden_state
    hidden = hidden.reshape(-1, hidden.shape[-1])
    head = model.get_output_embeddings()
    where = head.weight.device  # of several that a model may lie on; a tied one lies on the first
    hidden, targets = hidden[at.to(hidden.device)].to(where), targets.to(where)
    if head.weight.requires_grad:  # its gradient is wanted too: each tile is computed anew for it
        tiles = zip(hidden.split(_TILE_TOKENS), targets.split(_TILE_TOKENS), strict=True)
        losses = [checkpoint(_tile_loss, head, *one, use_reentrant=False) for one in tiles]
        return torch.stack(losses).sum()
    return _FrozenHead.apply(hidden, head.weight, head.bias, targets, compiled)


@torch.no_grad()
def _has_plain_head(model: "PreTrainedModel") -> bool:
    """Whether logits are the head's product with the last hidden states and nothing more (no cap,
    no scale, no adapter): looked at in a call, since every family names such things differently."""
    head, body = model.get_output_embeddings(), model.base_model
    if type(head) is not torch.nn.Linear or body is model:
        return False
    seen: dict[torch.nn.Module, tuple[Any, Any]] = {}
    hooks = [
        one.register_forward_hook(
            lambda module, args, output: seen.update({module: (args, output)})
        )
        for one in (head, body)
    ]
    try:
        logits = model(input_ids=torch.arange(3, 11, device=model.device)[None]).logits
    finally:
        for hook in hooks:
            hook.remove()
    if len(seen) < 2:
        return False
    (given, *_), product = seen[head]
    hidden = seen[body][1].last_hidden_state
    # A model that lies on several devices hands its logits back to the first.
    return torch.equal(hidden, given.to(hidden)) and torch.equal(logits, product.to(logits))


def _tile_loss(head: torch.nn.Linear, hidden: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(head(hidden).float(), targets, reduction="sum")


class _FrozenHead(torch.autograd.Function):
    """With a frozen head the gradient of the hidden states is known as soon as the loss is."""

    @staticmethod
    def forward(ctx, hidden, weight, bias, targets, compiled):
        fused = _compiled_tile if compiled else _tile
        grads, total = torch.empty_like(hidden), hidden.new_zeros((), dtype=torch.float32)
        for begin in range(0, len(hidden), _TILE_TOKENS):
            end = begin + _TILE_TOKENS
            logits = F.linear(hidden[begin:end], weight, bias)
            loss, change = fused(logits, targets[begin:end])
            total += loss
            grads[begin:end] = change @ weight  # autocast knows no `out`
            del logits, change  # before the next tile has its own
        ctx.save_for_backward(grads)
        return total

    @staticmethod
    def backward(ctx, grad):
        (grads,) = ctx.saved_tensors
        return grads * grad.to(grads.dtype), None, None, None, None


def _tile(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The summed loss of a tile, and softmax - onehot in the logits' precision. The logits are used
    up: in float32 they become the latter."""
    wide = logits.float()
    # Written out, since torch.compile can join the two then; those of torch.logsumexp it does not.
    top = wide.amax(-1, keepdim=True)
    lse = top + (wide - top).exp_().sum(-1, keepdim=True).log()
    loss = (lse - wide.gather(-1, targets[:, None])).sum()
    hit = torch.arange(logits.shape[-1], device=logits.device) == targets[:, None]
    return loss, wide.sub_(lse).exp_().sub_(hit.to(torch.int8)).to(logits.dtype)


_compile = torch.compile(_tile)


def _compiled_tile(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Of any number of tokens, the last tile's too, but one vocabulary: on an H200 a kernel that
    knows neither takes 1.5 times as long as one that knows both (0.55 and 0.36 ms)."""
    if logits.dtype == torch.float32:
        return _tile(logits, targets)  # compiled, torch 2.11 reads what it has used up already
    for one in (logits, targets):
        torch._dynamo.maybe_mark_dynamic(one, 0)
    return _compile(logits, targets)
