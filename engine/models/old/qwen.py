"""Qwen-7B(-Chat) and its sizes of 2023 as Transformers' Qwen2, under other names."""

from typing import Any

from transformers import Qwen2Config, Qwen2ForCausalLM

from engine.models.old.conversion import reads_old
from engine.models.old.qwen_tokenizer import load_tokenizer

__all__ = ["load_tokenizer", "model_class", "native_config"]

_ENDS = (151645, 151643)  # <|im_end|> and <|endoftext|> of every published vocabulary


def native_config(old: dict[str, Any]) -> Qwen2Config:
    """`old`: a config.json that `recognise` lets pass, of August 2023 (n_embd, n_layer, ...) or
    later. The window is `seq_length`: what the original reads without stretching."""

    def either(later: str, august: str) -> Any:
        return old[august] if august in old else old[later]

    heads = either("num_attention_heads", "n_head")
    vocabulary = old.get("padded_vocab_size") or old["vocab_size"]
    ends = [one for one in _ENDS if one < vocabulary]
    return Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=either("hidden_size", "n_embd"),
        intermediate_size=either("intermediate_size", "ffn_hidden_size") // 2,  # of gate and up
        num_hidden_layers=either("num_hidden_layers", "n_layer"),
        num_attention_heads=heads,
        num_key_value_heads=heads,
        attention_dropout=old.get("attn_dropout_prob", 0.0),
        rms_norm_eps=old["layer_norm_epsilon"],
        max_position_embeddings=old["seq_length"],
        rope_parameters={"rope_type": "default", "rope_theta": float(old["rotary_emb_base"])},
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=ends or None,
        pad_token_id=ends[-1] if ends else None,
        dtype=old.get("torch_dtype"),
    )


def model_class() -> type[Qwen2ForCausalLM]:
    return OldQwenForCausalLM


@reads_old("qwen")
class OldQwenForCausalLM(Qwen2ForCausalLM):
    pass
