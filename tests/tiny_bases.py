"""Tiny random checkpoints of the families that the recipes name, each in the layout in which that
family is published."""

from functools import partial
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    FalconConfig,
    Gemma3Config,
    Gemma3TextConfig,
    GlmConfig,
    LlamaConfig,
    Qwen3Config,
)

from tests.models.old import layouts
from tests.models.old.vocabularies import BPE, UNIGRAM, model

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
}


def write_base(folder: Path, name: str, tokenizer) -> Path:
    """A checkpoint as that of this name on the Hub, in a new folder; `tokenizer` is used where its
    layout is today's."""
    kind = next(kind for kind in _WRITERS if kind in name.lower())
    _WRITERS[kind](folder, tokenizer)
    return folder


def _chatglm(folder, _):
    """ChatGLM-6B, its special tokens where its vocabulary has them."""
    at = {piece.text: number for number, piece in enumerate(UNIGRAM)}
    ids = {"mask": "[MASK]", "gmask": "[gMASK]", "bos": "<sop>", "eos": "<eop>", "pad": "<pad>"}
    named = {f"{name}_token_id": at[text] for name, text in ids.items()}
    config = layouts.CHATGLM | named | {"vocab_size": len(UNIGRAM), "max_sequence_length": 512}
    layouts.write(folder, config, layouts.chatglm_weights(config))
    (folder / "ice_text.model").write_bytes(model(UNIGRAM, unigram=True))


def _chatglm3(folder, _):
    """Its special tokens come behind the vocabulary."""
    config = layouts.CHATGLM3 | {"padded_vocab_size": len(BPE) + 64, "seq_length": 512}
    layouts.write(folder, config, layouts.chatglm3_weights(config), files=2, kind="bin")
    (folder / "tokenizer.model").write_bytes(model(BPE, unigram=False))
    (folder / "tokenizer_config.json").write_text('{"name_or_path": "THUDM/chatglm3-6b"}')


def _qwen(folder, _):
    config = layouts.QWEN | {"seq_length": 512}
    layouts.write_ranks(layouts.write(folder, config, layouts.qwen_weights(config), files=2))


def _falcon(folder, tokenizer):
    """A base without a chat template; positions by ALiBi, as the 1B of RefinedWeb."""

    def config(head_dim, num_key_value_heads, **small):  # it knows no such names
        own = {"alibi": True, "multi_query": False, "parallel_attn": False, "bias": True}
        return FalconConfig(**small, **own, new_decoder_architecture=False)

    _native(folder, tokenizer, config, has_template=False)


def _gemma4b(folder, tokenizer):
    """With the eyes that are not trained here."""

    def config(vocab_size, eos_token_id, pad_token_id, **small):
        seen = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
        seen |= {"num_attention_heads": 1, "image_size": 8, "patch_size": 4}
        text = small | {"vocab_size": vocab_size, "sliding_window": 64}
        return Gemma3Config(
            text_config=text,
            vision_config=seen,
            mm_tokens_per_image=4,
            eos_token_id=eos_token_id,
            pad_token_id=pad_token_id,
        )

    _native(folder, tokenizer, config)


def _native(folder, tokenizer, config, has_template=True):
    torch.manual_seed(0)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    made = config(**SMALL, **ends, vocab_size=len(tokenizer))
    AutoModelForCausalLM.from_config(made).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if not has_template:
        (folder / "chat_template.jinja").unlink()


_WRITERS = {  # by a part of the name, the longer ones first
    "chatglm3": _chatglm3,
    "chatglm": _chatglm,
    "qwen3": partial(_native, config=Qwen3Config),
    "qwen": _qwen,
    "falcon": _falcon,
    "gemma-3-4b": _gemma4b,
    "gemma": partial(_native, config=Gemma3TextConfig),
    "glm": partial(_native, config=GlmConfig),
    "llama": partial(_native, config=LlamaConfig),
    "smollm": partial(_native, config=LlamaConfig),
}
