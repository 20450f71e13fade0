"""ChatGLM-6B as published, read into an own native port: its config, its class, its tokenizer."""

from typing import TYPE_CHECKING, Any

from engine.errors import UserError
from engine.models.old.chatglm_tokenizer import load_tokenizer as load_tokenizer

if TYPE_CHECKING:
    from engine.models.old.chatglm_config import ChatGLMConfig
    from engine.models.old.chatglm_model import ChatGLMForCausalLM


# Original names that have another in Transformers.
_NAMES = {
    "num_layers": "num_hidden_layers",
    "inner_hidden_size": "intermediate_size",
    "layernorm_epsilon": "layer_norm_eps",
    "max_sequence_length": "max_position_embeddings",
    "torch_dtype": "dtype",
}
_SAME = (
    "vocab_size hidden_size num_attention_heads use_cache tie_word_embeddings "
    "pad_token_id bos_token_id eos_token_id mask_token_id gmask_token_id"
).split()
_FIRST_VOCABULARY = 150528  # of March 2023: 20,000 image tokens before the words
# What the port does not do, with the values that ask for nothing.
_OFF = {
    "pre_seq_len": (None, 0),
    "quantization_bit": (None, 0),
    "position_encoding_2d": (None, True),
}


def native_config(old: dict[str, Any]) -> "ChatGLMConfig":
    """The port's config for the original's config.json. Raises UserError (its field is
    "model_name_or_path") for what the port does not know, by its name."""
    from engine.models.old.chatglm_config import ChatGLMConfig

    for name, allowed in _OFF.items():
        if old.get(name) not in allowed:
            raise _unknown(name, old[name])
    if old.get("vocab_size") == _FIRST_VOCABULARY:
        raise _unknown("vocab_size", old["vocab_size"])
    known = {_NAMES.get(name, name): old[name] for name in (*_NAMES, *_SAME) if name in old}
    return ChatGLMConfig(**known)


def model_class() -> type["ChatGLMForCausalLM"]:
    """The port; from the first call on, Transformers' Auto classes know its saved copies."""
    from engine.models.old.chatglm_model import ChatGLMForCausalLM

    return ChatGLMForCausalLM


def _unknown(name: str, value: Any) -> UserError:
    return UserError(
        f"This ChatGLM-6B says {name}: {value}, which is not read here; take the plain model as "
        "it is published today (THUDM/chatglm-6b), and quantise it with the option in the form.",
        f"这个 ChatGLM-6B 的配置里有 {name}: {value}，这里无法读取；"
        "请使用现在发布的原版模型（THUDM/chatglm-6b），量化请在表单里选择。",
        field="model_name_or_path",
    )
