"""ChatGLM-6B on Transformers' own pieces: a GLM that reads its prompt both ways (arXiv 2103.10360).

What stands before `<sop>` is the prompt: every token sees all of it. What follows is written from
left to right. A token has two positions: its place in the prompt, where the answer has that of
[gMASK], and its place in the answer. Both follow from `input_ids` and `attention_mask`.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    Cache,
    DynamicCache,
    GenerationMixin,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.activations import ACT2FN
from transformers.masking_utils import create_causal_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, slice_logits_to_keep
from transformers.utils import can_return_tuple
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

_ROPE_THETA = 10000.0
_ALPHA = (2 * 28) ** 0.5  # of 28 layers, in the original whatever their number


class ChatGLMConfig(PreTrainedConfig):
    """Names as in Transformers; `mask_token_id` is [MASK], `gmask_token_id` [gMASK] and
    `bos_token_id` <sop>."""

    model_type = "chatglm_6b"
    keys_to_ignore_at_inference = ["past_key_values"]

    vocab_size: int = 130528
    hidden_size: int = 4096
    num_hidden_layers: int = 28
    num_attention_heads: int = 32
    intermediate_size: int = 16384
    max_position_embeddings: int = 2048
    layer_norm_eps: float = 1e-5
    initializer_range: float = 0.02
    use_cache: bool = True
    tie_word_embeddings: bool = False
    pad_token_id: int | None = 3
    bos_token_id: int | None = 130004
    eos_token_id: int | list[int] | None = 130005
    mask_token_id: int = 130000
    gmask_token_id: int = 130001


class Prompts(NamedTuple):
    """Of each row: how many keys its prompt fills, pads and virtual tokens before it counted in,
    and the position of its [gMASK]. Both [rows]; kept with the cache while an answer grows."""

    length: Tensor
    gmask: Tensor


class ChatGLMAttention(nn.Module):
    """Query, key and value lie side by side for each head, as in the original, in one layer."""

    def __init__(self, config: ChatGLMConfig, layer_idx: int):
        super().__init__()
        self.config, self.layer_idx = config, layer_idx
        self.head_dim = config.hidden_size // config.num_attention_heads
        self.scaling = self.head_dim**-0.5
        self.is_causal = True
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None,
        rotation: tuple[Tensor, Tensor],
        past_key_values: Cache | None = None,
        **kwargs,
    ) -> tuple[Tensor, Tensor | None]:
        rows, tokens, width = hidden_states.shape
        mixed = self.query_key_value(hidden_states)
        mixed = mixed.view(rows, tokens, -1, 3 * self.head_dim).transpose(1, 2)
        query, key, value = mixed.chunk(3, dim=-1)
        query, key = _rotated(query, *rotation), _rotated(key, *rotation)
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, _attend_eagerly
        )
        out, weights = attend(
            self, query, key, value, attention_mask, scaling=self.scaling, dropout=0.0, **kwargs
        )
        return self.dense(out.reshape(rows, tokens, width)), weights


class ChatGLMMLP(nn.Module):
    def __init__(self, config: ChatGLMConfig):
        super().__init__()
        self.dense_h_to_4h = nn.Linear(config.hidden_size, config.intermediate_size)
        self.dense_4h_to_h = nn.Linear(config.intermediate_size, config.hidden_size)
        self.activation = ACT2FN["gelu_pytorch_tanh"]

    def forward(self, hidden_states: Tensor) -> Tensor:
        return self.dense_4h_to_h(self.activation(self.dense_h_to_4h(hidden_states)))


class ChatGLMLayer(GradientCheckpointingLayer):
    """What goes on is the normed input, times alpha, and what the block makes of it."""

    def __init__(self, config: ChatGLMConfig, layer_idx: int):
        super().__init__()
        self.input_layernorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.attention = ChatGLMAttention(config, layer_idx)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.mlp = ChatGLMMLP(config)

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        rotation: tuple[Tensor, Tensor] | None = None,
        past_key_values: Cache | None = None,
        **kwargs,
    ) -> Tensor:
        normed = self.input_layernorm(hidden_states)
        attended, _ = self.attention(normed, attention_mask, rotation, past_key_values, **kwargs)
        normed = self.post_attention_layernorm(attended.add(normed, alpha=_ALPHA))
        return self.mlp(normed).add(normed, alpha=_ALPHA)  # one rounding in half precision


class ChatGLMPreTrainedModel(PreTrainedModel):
    config_class = ChatGLMConfig
    base_model_prefix = "transformer"
    supports_gradient_checkpointing = True
    reads_prompts_whole = True  # engine.models.attention: its rows cannot share a sequence
    _no_split_modules = ["ChatGLMLayer"]
    _skip_keys_device_placement = ["past_key_values"]
    _supports_sdpa = True
    _can_record_outputs = {"hidden_states": ChatGLMLayer, "attentions": ChatGLMAttention}
    _keys_to_ignore_on_load_unexpected = [r"attention\.rotary_emb\.inv_freq"]


class ChatGLMModel(ChatGLMPreTrainedModel):
    def __init__(self, config: ChatGLMConfig):
        super().__init__(config)
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            ChatGLMLayer(config, number) for number in range(config.num_hidden_layers)
        )
        self.final_layernorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.gradient_checkpointing = False
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.word_embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.word_embeddings = value

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> BaseModelOutputWithPast:
        """`input_ids` [rows, tokens]; `attention_mask` [rows, keys], 0 where a row is padded.
        `position_ids` [rows, 2, tokens] replace what is found; any of fewer dimensions count tokens
        only, as Transformers hands them to every model, and are not needed here."""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Give either input_ids or inputs_embeds.")
        if inputs_embeds is None:
            inputs_embeds = self.word_embeddings(input_ids)
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        tokens = inputs_embeds.shape[1]
        seen = past_key_values.get_seq_length() if past_key_values is not None else 0
        prompts = getattr(past_key_values, "prompts", None)
        is_new = prompts is None or (tokens > 1 and seen == 0)
        if is_new:
            prompts, places = self._read_prompts(input_ids, inputs_embeds, attention_mask, seen)
            if past_key_values is not None:
                past_key_values.prompts = prompts
        else:
            places = _places_after(prompts, seen, tokens)
        if position_ids is not None and position_ids.ndim == 3:
            places = position_ids
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            # Once an answer grows, whatever is there is behind it.
            or_mask_function=_sees_prompt(prompts.length) if is_new else None,
        )
        rotation = _rotation(places, self.layers[0].attention.head_dim, inputs_embeds.dtype)
        hidden = inputs_embeds
        for layer in self.layers:
            hidden = layer(
                hidden,
                attention_mask=mask,
                rotation=rotation,
                past_key_values=past_key_values,
                **kwargs,
            )
        return BaseModelOutputWithPast(
            last_hidden_state=self.final_layernorm(hidden), past_key_values=past_key_values
        )

    def _read_prompts(
        self, input_ids: Tensor | None, embeds: Tensor, attention_mask: Tensor | None, seen
    ) -> tuple[Prompts, Tensor]:
        """The prompts of rows that begin here, and the places [rows, 2, tokens] of their tokens.
        `seen` keys are there before them: virtual tokens. A row without <sop> has no prompt."""
        rows, tokens, _ = embeds.shape
        at = torch.arange(tokens, device=embeds.device)
        count = (at + 1).expand(rows, -1)  # of the row's tokens so far, pads left out
        if attention_mask is not None and attention_mask.ndim == 2:
            count = attention_mask[:, -tokens:].to(embeds.device).long().cumsum(-1)
        ids = self.config
        begin, has_begin = self._first(ids.bos_token_id, input_ids, embeds)
        gmask, has_gmask = self._first(ids.gmask_token_id, input_ids, embeds)
        mask, has_mask = self._first(ids.mask_token_id, input_ids, embeds)
        begin = torch.where(has_begin, begin, (count == 0).sum(-1, keepdim=True))
        marked = torch.where(has_gmask, gmask, torch.where(has_mask, mask, begin - 1))
        numbers = (count - 1).clamp(min=0)
        marked = numbers.gather(1, marked.clamp(min=0))
        place = torch.where(at < begin, numbers, marked)
        places = torch.stack([place, (at - begin + 1).clamp(min=0)], dim=1)
        return Prompts((begin + seen)[:, 0], marked[:, 0]), places

    def _first(
        self, token_id: int, input_ids: Tensor | None, embeds: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Where each row has this token first, and whether it has: both [rows, 1]. Embeddings that
        come without ids, as behind learned tokens, are known by being equal to the token's."""
        if input_ids is None:
            token = torch.tensor(token_id, device=embeds.device)
            found = (embeds == self.word_embeddings(token)).all(-1)
        else:
            found = input_ids == token_id
        return found.int().argmax(-1, keepdim=True), found.any(-1, keepdim=True)


class ChatGLMForCausalLM(ChatGLMPreTrainedModel, GenerationMixin):
    _tied_weights_keys = {"lm_head.weight": "transformer.word_embeddings.weight"}

    def __init__(self, config: ChatGLMConfig):
        super().__init__(config)
        self.transformer = ChatGLMModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        self.lm_head = new_embeddings

    @staticmethod
    def create_masks_for_generate(attention_mask: Tensor | None, **kwargs) -> Tensor | None:
        """As it is: the mask of four dimensions is made in forward, which knows the prompts."""
        return attention_mask

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs,
    ) -> CausalLMOutputWithPast:
        """As ChatGLMModel; `labels` [rows, tokens], -100 where nothing is learned."""
        outputs = self.transformer(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        logits = self.lm_head(slice_logits_to_keep(outputs.last_hidden_state, logits_to_keep))
        loss = None
        if labels is not None:
            loss = self.loss_function(logits, labels, vocab_size=self.config.vocab_size, **kwargs)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


def _places_after(prompts: Prompts, seen: int | Tensor, tokens: int) -> Tensor:
    """Places [rows, 2, tokens] of what follows `seen` keys in an answer that has begun."""
    at = torch.arange(tokens, device=prompts.length.device) + seen
    block = at - prompts.length[:, None] + 1
    return torch.stack([prompts.gmask[:, None].expand_as(block), block], dim=1)


def _sees_prompt(length: Tensor):
    return lambda row, head, query, key: key < length[row]


def _rotation(places: Tensor, head_dim: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosine and sine [rows, 1, tokens, 2, head_dim / 2]: a half of each head for either place.
    The frequencies are rounded to float16, as the original keeps them."""
    width = head_dim // 2
    steps = torch.arange(0, width, 2, device=places.device, dtype=torch.float32) / width
    frequencies = (1.0 / _ROPE_THETA**steps).half().float()
    angles = places.transpose(1, 2)[:, None, :, :, None].float() * frequencies
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def _rotated(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Of [rows, heads, tokens, head_dim]."""
    states = states.unflatten(-1, (2, -1))
    first, second = states.chunk(2, dim=-1)
    turned = torch.cat([-second, first], dim=-1)
    return (states * cos + turned * sin).flatten(-2)


def _attend_eagerly(
    module: ChatGLMAttention,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    **kwargs,
) -> tuple[Tensor, Tensor]:
    """As the original: scores are kept small by the layer's number, or float16 would overflow."""
    small = module.layer_idx + 1
    scores = (query * (scaling / small)) @ key.transpose(2, 3)
    scores = scores.float() * small
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = scores.softmax(-1).to(query.dtype)
    return (weights @ value).transpose(1, 2), weights


AutoConfig.register(ChatGLMConfig.model_type, ChatGLMConfig, exist_ok=True)
AutoModelForCausalLM.register(ChatGLMConfig, ChatGLMForCausalLM, exist_ok=True)
