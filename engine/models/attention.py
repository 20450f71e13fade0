"""Attention over rows that lie one after the other: torch's varlen kernels, no mask, no padding."""

import inspect
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "varlen"
_WIDEST_HEAD = 256  # of the flash kernels in torch
# torch 2.11 takes fewer key heads as they are, 2.13 wants to be told.
_TAKES_GROUPS = "enable_gqa" in inspect.signature(varlen_attn).parameters


def knows_boundaries(model: "PreTrainedModel") -> bool:
    """Whether softmax over what a row and its window hold is all there is: no sinks (a family that
    has them does without torch's sdpa), no cap, no chunks. The model may lie on the meta device."""
    text = model.config.get_text_config()
    heads = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    more = ("attn_logit_softcapping", "attention_chunk_size")
    return (
        model._supports_attention_backend
        and model._supports_sdpa
        and heads <= _WIDEST_HEAD
        and not any(getattr(text, name, None) for name in more)
    )


def reads_prompts_whole(model: "PreTrainedModel") -> bool:
    """Whether each token of a prompt sees all of it, as in ChatGLM-6B: a row is then known by its
    start mark, so that no two can share a sequence, and nothing can be learned of its prompt."""
    return getattr(model, "reads_prompts_whole", False)


def use_varlen(model: "PreTrainedModel") -> bool:
    """Switches the model to varlen attention and proves it on two rows; says whether it holds.

    The boundaries then come with every call (`cu_seq_lens_q`, `max_length_q`, as Transformers names
    them); without them, as in generating, a call is answered by torch's sdpa.
    """
    # No mask is registered: Transformers makes none for it then. With one it would ask the GPU at
    # each call whether rows share a sequence, and wait for all that the GPU has to do before.
    AttentionInterface.register(NAME, _attend)
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    if rows_are_alone(model):
        return True
    model.set_attn_implementation(before)
    return False


@torch.no_grad()
def rows_are_alone(model: "PreTrainedModel") -> bool:
    """Whether a row keeps its hidden states to the last bit when its neighbour is another one.

    A model whose layers do not hand the boundaries on would silently mix the rows. False too where
    the kernels refuse the model's heads.
    """
    first = torch.arange(3, 11, device=model.device)
    ids = torch.stack([torch.cat([first, first]), torch.cat([first.flip(0), first])])
    ends = torch.tensor([0, 8, 16], dtype=torch.int32, device=model.device)
    positions = torch.arange(8, device=model.device).repeat(2)[None]
    rows = {"position_ids": positions, "use_cache": False} | boundaries(ends, 8)
    try:
        packs = [model.base_model(input_ids=one[None], **rows).last_hidden_state for one in ids]
    except RuntimeError as error:
        print(f"No varlen attention: {error}", flush=True)
        return False
    return bool(torch.equal(packs[0][0, 8:], packs[1][0, 8:]))


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
    module, query, key, value, attention_mask, scaling=None, dropout=0.0, **kwargs
) -> tuple[torch.Tensor, None]:
    """Tensors [1, heads, tokens, width]; gives [1, tokens, heads, width]."""
    ends = kwargs.get("cu_seq_lens_q")
    if ends is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
    grouped = {"enable_gqa": query.shape[1] != key.shape[1]} if _TAKES_GROUPS else {}
    longest = kwargs["max_length_q"]
    back = (kwargs.get("sliding_window") or 0) - 1
    # Laid out as the kernel likes it; compiled, the rotation before it writes them so at once.
    wide = query.dtype
    narrow = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else wide
    query, key, value = (
        one[0].transpose(0, 1).to(narrow).contiguous() for one in (query, key, value)
    )
    out = varlen_attn(
        query,
        key,
        value,
        ends,
        ends,
        longest,
        longest,
        scale=scaling,
        window_size=(back, 0),
        **grouped,
    )
    return out[None].to(wide), None
