"""How the modules of old checkpoints are called today: for their weights, adapters and targets."""

from collections.abc import Iterator

CHATGLM_COPY = "chatglm_6b"  # the model_type of a ChatGLM-6B that was saved here
# Where the parts of the model lie.
PLACES = {
    "chatglm3": {
        "transformer.encoder.layers": "model.layers",
        "transformer.encoder.final_layernorm": "model.norm",
        "transformer.embedding.word_embeddings": "model.embed_tokens",
        "transformer.output_layer": "lm_head",
    },
    "qwen": {
        "transformer.h": "model.layers",
        "transformer.ln_f": "model.norm",
        "transformer.wte": "model.embed_tokens",
        "lm_head": "lm_head",
    },
}
# Within a layer; several names where one projection was fused, in the order of its rows.
PARTS = {
    "chatglm3": {
        "self_attention.query_key_value": (
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.v_proj",
        ),
        "self_attention.dense": ("self_attn.o_proj",),
        "mlp.dense_h_to_4h": ("mlp.gate_up_proj",),
        "mlp.dense_4h_to_h": ("mlp.down_proj",),
        "input_layernorm": ("input_layernorm",),
        "post_attention_layernorm": ("post_attention_layernorm",),
    },
    "qwen": {
        "attn.c_attn": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "attn.c_proj": ("self_attn.o_proj",),
        "mlp.w1": ("mlp.up_proj",),
        "mlp.w2": ("mlp.gate_proj",),
        "mlp.c_proj": ("mlp.down_proj",),
        "ln_1": ("input_layernorm",),
        "ln_2": ("post_attention_layernorm",),
    },
}
_OF_TODAY = {"glm": "chatglm3", "qwen2": "qwen"}  # by the model_type that they are read into


def old_kind(model_type: str) -> str:
    """The old kind that is read into models of this type, "" for none."""
    return _OF_TODAY.get(model_type, "")


def todays_modules(kind: str, full: str) -> tuple[str, ...]:
    """The full names today of a module's old full name; () when it is no such name."""
    for old, new in PLACES[kind].items():
        if full == old:
            return (new,)
        number, _, part = full.removeprefix(f"{old}.").partition(".")
        if full.startswith(f"{old}.") and number.isdigit() and part in PARTS[kind]:
            return tuple(f"{new}.{number}.{one}" for one in PARTS[kind][part])
    return ()


def todays_targets(kind: str, name: str) -> list[str]:
    """What the short or dotted end of an old module's name ("c_attn", "mlp.c_proj") ends in today;
    [] when no linear layer was called so."""
    return [one for old, new in _linear(kind) if ends_in(old, name) for one in new]


def _linear(kind: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    return ((old, new) for old, new in PARTS[kind].items() if "." in old)


def ends_in(full: str, name: str) -> bool:
    """Whether the last parts of a dotted name are `name`."""
    return full == name or full.endswith(f".{name}")
