"""ChatGLM2-6B and ChatGLM3-6B as Transformers' Glm, under other names."""

from typing import Any

import torch
from transformers import GlmConfig, GlmForCausalLM
from transformers.models.glm.modeling_glm import GlmRMSNorm

from engine.models.old.chatglm3_tokenizer import load_tokenizer
from engine.models.old.conversion import reads_old

__all__ = ["load_tokenizer", "model_class", "native_config"]


def native_config(old: dict[str, Any]) -> GlmConfig:
    """`old`: a config.json that `recognise` lets pass."""
    return GlmConfig(
        vocab_size=old["padded_vocab_size"],
        hidden_size=old["hidden_size"],
        intermediate_size=old["ffn_hidden_size"],
        num_hidden_layers=old["num_layers"],
        num_attention_heads=old["num_attention_heads"],
        num_key_value_heads=old["multi_query_group_num"],
        head_dim=old["kv_channels"],
        attention_bias=old["add_qkv_bias"],
        attention_dropout=old.get("attention_dropout", 0.0),
        rms_norm_eps=old["layernorm_epsilon"],
        max_position_embeddings=old["seq_length"],
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0 * old.get("rope_ratio", 1),
            "partial_rotary_factor": 0.5,
        },
        tie_word_embeddings=False,
        eos_token_id=old.get("eos_token_id", 2),
        pad_token_id=old.get("pad_token_id", 0),
        dtype=old.get("torch_dtype"),
    )


def model_class() -> type[GlmForCausalLM]:
    return OldChatGLMForCausalLM


class _WholeRMSNorm(GlmRMSNorm):
    """Rounds once, after the product with its weight, as the original does; Glm's own rounds before
    it too, which in bfloat16 moves logits by 0.1."""

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.rms_norm(
            hidden_states, self.weight.shape, self.weight, self.variance_epsilon
        )


@reads_old("chatglm3")
class OldChatGLMForCausalLM(GlmForCausalLM):
    def __init__(self, config: GlmConfig):
        super().__init__(config)
        for module in self.modules():
            if isinstance(module, GlmRMSNorm):
                module.__class__ = _WholeRMSNorm
