"""The config of ChatGLM-6B's port, in Transformers' names."""

from transformers import PreTrainedConfig

from engine.models.old.names import CHATGLM_COPY


class ChatGLMConfig(PreTrainedConfig):
    """Names as in Transformers; `mask_token_id` is [MASK], `gmask_token_id` [gMASK] and
    `bos_token_id` <sop>."""

    model_type = CHATGLM_COPY
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
