"""Attention over rows that lie one after the other: a GPU's kernels or row by row, no padding."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from engine.models import packed_attention

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedConfig, PreTrainedModel

_OURS = ("varlen", "packed")
_WIDEST_HEAD = 256  # of the flash kernels in torch
# torch 2.11 takes fewer key heads as they are, 2.13 wants to be told.
_TAKES_GROUPS = "enable_gqa" in inspect.signature(varlen_attn).parameters


def knows_boundaries(model: "PreTrainedModel") -> bool:
    """Whether softmax over what a row and its window hold is all there is: no sinks (a family that
    has them does without torch's sdpa), no cap, no chunks. The model may lie on the meta device."""
    text = model.config.get_text_config()
    more = ("attn_logit_softcapping", "attention_chunk_size")
    return (
        model._supports_attention_backend
        and model._supports_sdpa
        and head_width(text) <= _WIDEST_HEAD
        and not any(getattr(text, name, None) for name in more)
    )


def head_width(text: "PreTrainedConfig") -> int:
    """Of the widest head; 0 where no layer has any, as in Mamba."""
    heads = most(text, "num_attention_heads")
    return heads and (most(text, "head_dim") or text.hidden_size // heads)


def most(text: "PreTrainedConfig", name: str) -> int:
    """The largest value of any layer, where these differ (Gemma 4; Gemma 3n lists them); 0 where
    none has it."""
    layers = text.per_layer_config[:] if text.is_heterogeneous else [text]
    found = [getattr(layer, name, None) or 0 for layer in layers]
    return max(max(one) if isinstance(one, list) else one for one in found)


def reads_prompts_whole(model: "PreTrainedModel") -> bool:
    """Whether each token of a prompt sees all of it, as in ChatGLM-6B: a row is then known by its
    start mark, so that no two can share a sequence, and nothing can be learned of its prompt."""
    return getattr(model, "reads_prompts_whole", False)


def use_varlen(model: "PreTrainedModel", ours: bool = True) -> bool:
    """Switches the model to attention over rows and proves it on two; says whether it holds. With
    our kernels where they can, if `ours`, else with torch's.

    The boundaries then come with every call (`cu_seq_lens_q`, `max_length_q`, as Transformers names
    them); without them a call is answered by torch's sdpa, and needs `reading_masks` where there
    is padding, or a window that is shorter than what is read.
    """
    before = model.config._attn_implementation
    for name, kernel in _kernels(model, ours):
        switch(model, name, kernel)
        if rows_are_alone(model):
            return True
    model.set_attn_implementation(before)
    return False


def _kernels(model: "PreTrainedModel", ours: bool) -> list[tuple[str, Callable[..., torch.Tensor]]]:
    """Those that may fit the model, the fastest first."""
    if model.device.type == "cpu":
        return [("varlen", _one_after_the_other)]
    text = model.config.get_text_config()
    heads = most(text, "num_attention_heads")
    shape = (heads, most(text, "num_key_value_heads") or heads, head_width(text))
    ours = ours and packed_attention.holds(model.device, model.dtype, *shape)
    return [("packed", _by_blocks)] * ours + [("varlen", _by_rows)]


def switch(model: "PreTrainedModel", name: str, kernel: Callable[..., torch.Tensor]) -> None:
    """Attention of this name is computed by the kernel from now on, and that of the model so."""
    # No mask is registered: Transformers makes none for it then. With one it would ask the GPU at
    # each call whether rows share a sequence, and wait for all that the GPU has to do before.
    AttentionInterface.register(name, functools.partial(_attend, kernel))
    model.set_attn_implementation(name)


@contextmanager
def reading_masks(model: "PeftModel | PreTrainedModel") -> Iterator[None]:
    """Within, Transformers makes the masks of a call without boundaries, as in generating: it makes
    none for attention of ours."""
    base = getattr(model, "get_base_model", lambda: model)()
    ours = base.config._attn_implementation
    if ours not in _OURS:
        yield
        return
    base.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        base.set_attn_implementation(ours)


@torch.no_grad()
def rows_are_alone(model: "PreTrainedModel") -> bool:
    """Whether a row keeps its hidden states to the last bit when its neighbour is another one.

    A model whose layers do not hand the boundaries on would silently mix the rows. False too where
    the kernels refuse the model's heads.
    """
    ends = torch.tensor([0, 8, 16], dtype=torch.int32, device=model.device)
    try:
        one, other = _behind_two(model, boundaries(ends, 8))
    except RuntimeError as error:
        print(f"No attention over rows: {error}", flush=True)
        return False
    return bool(torch.equal(one, other))


@torch.no_grad()
def positions_keep_rows_apart(model: "PreTrainedModel") -> bool:
    """Whether position_ids that begin anew are enough for a row not to see its neighbour.

    Not where a model makes its mask without them, as those with ALiBi, or hands a state or a
    convolution on from token to token. Experts round by how many tokens they have.
    """
    one, other = _behind_two(model, {})
    most = max(8 * torch.finfo(one.dtype).eps, 1e-4)
    return bool(((one - other).norm(dim=-1) <= most * one.norm(dim=-1)).all())


def _behind_two(model: "PreTrainedModel", more: dict[str, Any]) -> list[torch.Tensor]:
    """The hidden states (where they cannot be had, the logits) of one row behind each of two
    neighbours."""
    first = torch.arange(3, 11, device=model.device)
    ids = torch.stack([torch.cat([first, first]), torch.cat([first.flip(0), first])])
    positions = torch.arange(8, device=model.device).repeat(2)[None]
    rows = {"position_ids": positions, "use_cache": False} | more
    return [model.base_model(input_ids=one[None], **rows)[0][0, 8:] for one in ids]


def boundaries(ends: torch.Tensor, longest: int) -> dict[str, Any]:
    """What a call needs: `ends` int32 [rows + 1], from 0 on; `longest` row in tokens."""
    torch._dynamo.mark_dynamic(ends, 0)  # the one shape that differs from step to step
    return {
        "cu_seq_lens_q": ends,
        "cu_seq_lens_k": ends,
        "max_length_q": longest,
        "max_length_k": longest,
    }


def _attend(
    kernel, module, query, key, value, attention_mask, scaling=None, dropout=0.0, **kwargs
) -> tuple[torch.Tensor, None]:
    """Tensors [1, heads, tokens, width]; gives [1, tokens, heads, width]."""
    ends = kwargs.get("cu_seq_lens_q")
    if ends is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
    # Laid out as the kernels like it; compiled, the rotation before it writes them so at once.
    wide = query.dtype
    query, key, value = (
        one[0].transpose(0, 1).to(_narrow(wide)).contiguous() for one in (query, key, value)
    )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    window = kwargs.get("sliding_window") or 0
    return kernel(query, key, value, ends, kwargs["max_length_q"], scale, window)[None].to(
        wide
    ), None


def _narrow(dtype: torch.dtype) -> torch.dtype:
    """What the kernels are given."""
    return torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else dtype


def _by_blocks(query, key, value, ends, longest, scale, window) -> torch.Tensor:
    return packed_attention.attend(query, key, value, ends, scale, window)


def _by_rows(query, key, value, ends, longest, scale, window) -> torch.Tensor:
    grouped = {"enable_gqa": query.shape[1] != key.shape[1]} if _TAKES_GROUPS else {}
    seen = {"scale": scale, "window_size": (window - 1, 0)}
    return varlen_attn(query, key, value, ends, ends, longest, longest, **seen, **grouped)


def _one_after_the_other(query, key, value, ends, longest, scale, window) -> torch.Tensor:
    """For a processor: calls cost little there, and what a mask hides as much as what it shows."""
    lengths = ends.diff().tolist()
    rows = zip(*(one.split(lengths) for one in (query, key, value)), strict=True)
    return torch.cat([_one_row(*row, scale, window) for row in rows])


def _one_row(query, key, value, scale: float, window: int) -> torch.Tensor:
    slides, seen = 0 < window < len(query), None
    if slides:
        at = torch.arange(len(query))
        back = at[:, None] - at
        seen = (back >= 0) & (back < window)
    out = torch.nn.functional.scaled_dot_product_attention(
        *(one.transpose(0, 1)[None] for one in (query, key, value)),
        attn_mask=seen,
        is_causal=not slides,
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return out[0].transpose(0, 1)
