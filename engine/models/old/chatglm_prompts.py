"""Where ChatGLM-6B's prompts end, what sees them, and the two positions of each token."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from engine.models.old.chatglm_config import ChatGLMConfig


class Prompts(NamedTuple):
    """Of each row: how many keys its prompt fills, pads and virtual tokens before it counted in,
    and the position of its [gMASK]. Both [rows]; kept with the cache while an answer grows."""

    length: Tensor
    gmask: Tensor

    def of_rows(self, rows: Tensor) -> "Prompts":
        return Prompts(self.length[rows], self.gmask[rows])


def read_prompts(
    config: ChatGLMConfig,
    is_token: Callable[[int], Tensor],
    attention_mask: Tensor | None,
    seen: int | Tensor,
) -> tuple[Prompts, Tensor]:
    """The prompts of rows that begin here, and the places [rows, 2, tokens] of their tokens.

    `is_token` says of an id which tokens it is, [rows, tokens]; `attention_mask` [rows, keys] is 0
    where a row is padded; `seen` keys are there before them: virtual tokens. A row without <sop>
    has no prompt.
    """
    starts = is_token(config.bos_token_id)
    at = torch.arange(starts.shape[1], device=starts.device)
    count = (at + 1).expand_as(starts)  # of the row's tokens so far, pads left out
    if attention_mask is not None and attention_mask.ndim == 2:
        count = attention_mask[:, -len(at) :].to(starts.device).long().cumsum(-1)
    begin, has_begin = _first(starts)
    gmask, has_gmask = _first(is_token(config.gmask_token_id))
    mask, has_mask = _first(is_token(config.mask_token_id))
    begin = torch.where(has_begin, begin, (count == 0).sum(-1, keepdim=True))
    marked = torch.where(has_gmask, gmask, torch.where(has_mask, mask, begin - 1))
    numbers = (count - 1).clamp(min=0)
    marked = numbers.gather(1, marked.clamp(min=0))
    place = torch.where(at < begin, numbers, marked)
    places = torch.stack([place, (at - begin + 1).clamp(min=0)], dim=1)
    return Prompts((begin + seen)[:, 0], marked[:, 0]), places


def _first(found: Tensor) -> tuple[Tensor, Tensor]:
    """Where each row has it first, and whether it has: both [rows, 1]."""
    return found.int().argmax(-1, keepdim=True), found.any(-1, keepdim=True)


def places_after(prompts: Prompts, seen: int | Tensor, tokens: int) -> Tensor:
    """Places [rows, 2, tokens] of what follows `seen` keys in an answer that has begun."""
    at = torch.arange(tokens, device=prompts.length.device) + seen
    block = at - prompts.length[:, None] + 1
    return torch.stack([prompts.gmask[:, None].expand_as(block), block], dim=1)


def sees_prompt(prompts: Prompts) -> Callable[..., Tensor]:
    """For Transformers' masks: whether a key is one of the prompt's, whatever the query."""
    return lambda row, head, query, key: key < prompts.length[row]
