"""ChatGLM2-6B and ChatGLM3-6B as Transformers' Glm, under other names."""

from functools import cache
from typing import TYPE_CHECKING, Any

from engine.models.old.chatglm3_tokenizer import load_tokenizer
from engine.models.old.conversion import reads_old

if TYPE_CHECKING:
    from transformers import GlmConfig, GlmForCausalLM

__all__ = ["load_tokenizer", "model_class", "native_config"]


def native_config(old: dict[str, Any]) -> "GlmConfig":
    """`old`: a config.json that `recognise` lets pass."""
    from transformers import GlmConfig

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


@cache
def model_class() -> type["GlmForCausalLM"]:
    from transformers import GlmForCausalLM

    return reads_old(GlmForCausalLM, "chatglm3")
