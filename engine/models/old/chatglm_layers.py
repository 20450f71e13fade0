"""The layers of ChatGLM-6B: attention with two rotations, and a residual that is normed first."""

import torch
from torch import Tensor, nn
from transformers import Cache
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from engine.models.old.chatglm_config import ChatGLMConfig

_ROPE_THETA = 10000.0
_ALPHA = (2 * 28) ** 0.5  # of 28 layers, in the original whatever their number


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


def rotation_of(places: Tensor, head_dim: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
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
