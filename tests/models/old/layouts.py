"""Tiny random checkpoints in the layouts of 2023, and their rules written out: what a native class
must answer. The rules follow the papers and the published configurations, one step a line."""

import base64
import json

import torch
from safetensors.torch import save_file

CHATGLM3 = {
    "model_type": "chatglm",
    "auto_map": {"AutoModel": "modeling_chatglm.ChatGLMForConditionalGeneration"},
    "add_bias_linear": False,
    "add_qkv_bias": True,
    "apply_residual_connection_post_layernorm": False,
    "ffn_hidden_size": 48,
    "fp32_residual_connection": False,
    "hidden_size": 32,
    "kv_channels": 16,
    "layernorm_epsilon": 1e-5,
    "multi_query_attention": True,
    "multi_query_group_num": 2,
    "num_attention_heads": 4,
    "num_layers": 2,
    "original_rope": True,
    "padded_vocab_size": 320,
    "post_layer_norm": True,
    "rmsnorm": True,
    "seq_length": 128,
    "torch_dtype": "float32",
    "eos_token_id": 2,
    "pad_token_id": 0,
}
QWEN = {
    "model_type": "qwen",
    "auto_map": {"AutoModelForCausalLM": "modeling_qwen.QWenLMHeadModel"},
    "hidden_size": 32,
    "intermediate_size": 96,
    "kv_channels": 16,
    "layer_norm_epsilon": 1e-6,
    "no_bias": True,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "rotary_emb_base": 10000,
    "rotary_pct": 1.0,
    "scale_attn_weights": True,
    "seq_length": 64,
    "tie_word_embeddings": False,
    "use_dynamic_ntk": True,
    "use_logn_attn": True,
    "vocab_size": 512,
}
CHATGLM = {
    "model_type": "chatglm",
    "architectures": ["ChatGLMModel"],
    "auto_map": {"AutoModel": "modeling_chatglm.ChatGLMForConditionalGeneration"},
    "vocab_size": 96,
    "hidden_size": 64,
    "inner_hidden_size": 128,
    "num_layers": 2,
    "num_attention_heads": 2,
    "layernorm_epsilon": 1e-5,
    "max_sequence_length": 64,
    "torch_dtype": "float16",
    "position_encoding_2d": True,
    "pad_token_id": 3,
    "mask_token_id": 90,
    "gmask_token_id": 91,
    "bos_token_id": 94,
    "eos_token_id": 95,
}
AUGUST = {  # what the first release called them
    "hidden_size": "n_embd",
    "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
    "intermediate_size": "ffn_hidden_size",
}


def chatglm3_weights(config=CHATGLM3):
    width, ffn = config["hidden_size"], config["ffn_hidden_size"]
    queries = config["num_attention_heads"] * config["kv_channels"]
    fused = queries + 2 * config["multi_query_group_num"] * config["kv_channels"]
    shapes = {
        "transformer.embedding.word_embeddings.weight": (config["padded_vocab_size"], width),
        "transformer.encoder.final_layernorm.weight": (width,),
        "transformer.output_layer.weight": (config["padded_vocab_size"], width),
    }
    for n in range(config["num_layers"]):
        at = f"transformer.encoder.layers.{n}"
        shapes |= {
            f"{at}.input_layernorm.weight": (width,),
            f"{at}.post_attention_layernorm.weight": (width,),
            f"{at}.self_attention.query_key_value.weight": (fused, width),
            f"{at}.self_attention.query_key_value.bias": (fused,),
            f"{at}.self_attention.dense.weight": (width, queries),
            f"{at}.mlp.dense_h_to_4h.weight": (2 * ffn, width),
            f"{at}.mlp.dense_4h_to_h.weight": (width, ffn),
        }
    weights = _random(shapes)
    # Every published checkpoint holds it, and no model needs it.
    return weights | {"transformer.rotary_pos_emb.inv_freq": torch.ones(4)}


def qwen_weights(config=QWEN):
    width, half = config["hidden_size"], config["intermediate_size"] // 2
    shapes = {
        "transformer.wte.weight": (config["vocab_size"], width),
        "transformer.ln_f.weight": (width,),
        "lm_head.weight": (config["vocab_size"], width),
    }
    for n in range(config["num_hidden_layers"]):
        at = f"transformer.h.{n}"
        shapes |= {
            f"{at}.ln_1.weight": (width,),
            f"{at}.ln_2.weight": (width,),
            f"{at}.attn.c_attn.weight": (3 * width, width),
            f"{at}.attn.c_attn.bias": (3 * width,),
            f"{at}.attn.c_proj.weight": (width, width),
            f"{at}.mlp.w1.weight": (half, width),
            f"{at}.mlp.w2.weight": (half, width),
            f"{at}.mlp.c_proj.weight": (width, half),
        }
    return _random(shapes)


def chatglm_weights(config=CHATGLM):
    """Large enough to show in the logits what is attended to, and where it stands."""
    torch.manual_seed(0)
    wide, inner = config["hidden_size"], config["inner_hidden_size"]
    shapes = {"transformer.word_embeddings": (config["vocab_size"], wide)}
    for number in range(config["num_layers"]):
        layer = f"transformer.layers.{number}"
        shapes |= {
            f"{layer}.input_layernorm": (wide,),
            f"{layer}.attention.query_key_value": (3 * wide, wide),
            f"{layer}.attention.dense": (wide, wide),
            f"{layer}.post_attention_layernorm": (wide,),
            f"{layer}.mlp.dense_h_to_4h": (inner, wide),
            f"{layer}.mlp.dense_4h_to_h": (wide, inner),
        }
    shapes |= {"transformer.final_layernorm": (wide,), "lm_head": (config["vocab_size"], wide)}
    made = {}
    for name, shape in shapes.items():
        made[f"{name}.weight"] = torch.randn(shape) * 0.2 + float(len(shape) == 1)
        if "embeddings" not in name and "head" not in name:
            made[f"{name}.bias"] = torch.randn(shape[0]) * 0.2
    made["transformer.word_embeddings.weight"] *= 5
    return made


def _random(shapes):
    """Large enough for what is attended to to show in the logits; norms about one."""
    torch.manual_seed(0)
    norms = ("norm.weight", "ln_1.weight", "ln_2.weight", "ln_f.weight")
    return {
        name: 0.25 * torch.randn(shape) + (1.0 if name.endswith(norms) else 0.0)
        for name, shape in shapes.items()
    }


def write(folder, config, weights, files=1, kind="safetensors"):
    """As published: one file or several with their index, safetensors or .bin."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    stem, ending = {"safetensors": ("model", "safetensors"), "bin": ("pytorch_model", "bin")}[kind]
    names = sorted(weights)
    places = {}
    for n in range(files):
        part = f"-{n + 1:05}-of-{files:05}" if files > 1 else ""
        held = {name: weights[name] for name in names[n::files]}
        places |= dict.fromkeys(held, f"{stem}{part}.{ending}")
        if kind == "bin":
            torch.save(held, folder / f"{stem}{part}.bin")
        else:
            save_file(held, folder / f"{stem}{part}.safetensors", {"format": "pt"})
    if files > 1:
        index = {"metadata": {"total_size": 0}, "weight_map": places}
        (folder / f"{stem}.{ending}.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def write_ranks(folder):
    """A qwen.tiktoken of all bytes and a few merges, the longer built from the shorter."""
    merges = [b"he", b"ll", b"llo", b"hello", b" w", b"or", b" wor", b"\xe4\xbd", b"\xe4\xbd\xa0"]
    tokens = [bytes([b]) for b in range(256)] + merges
    lines = [f"{base64.b64encode(token).decode()} {rank}" for rank, token in enumerate(tokens)]
    (folder / "qwen.tiktoken").write_text("\n".join(lines) + "\n", encoding="ascii")
    return folder


def chatglm3_logits(weights, ids, config=CHATGLM3):
    """ids [tokens] -> logits [tokens, vocabulary], by the rules of ChatGLM2 and ChatGLM3."""
    heads, groups = config["num_attention_heads"], config["multi_query_group_num"]
    wide, eps = config["kv_channels"], config["layernorm_epsilon"]
    hidden = weights["transformer.embedding.word_embeddings.weight"][ids]
    for n in range(config["num_layers"]):

        def w(name, at=f"transformer.encoder.layers.{n}"):
            return weights[f"{at}.{name}"]

        x = _rms(hidden, w("input_layernorm.weight"), eps)
        fused = x @ w("self_attention.query_key_value.weight").T
        fused = fused + w("self_attention.query_key_value.bias")
        q, k, v = fused.split([heads * wide, groups * wide, groups * wide], -1)
        q, k, v = (one.view(len(ids), -1, wide).transpose(0, 1) for one in (q, k, v))
        q, k = (_turn_pairs(one, wide // 2) for one in (q, k))
        k, v = (one.repeat_interleave(heads // groups, 0) for one in (k, v))
        hidden = hidden + _attend(q, k, v) @ w("self_attention.dense.weight").T
        x = _rms(hidden, w("post_attention_layernorm.weight"), eps)
        gate, up = (x @ w("mlp.dense_h_to_4h.weight").T).chunk(2, -1)
        hidden = hidden + (torch.nn.functional.silu(gate) * up) @ w("mlp.dense_4h_to_h.weight").T
    hidden = _rms(hidden, weights["transformer.encoder.final_layernorm.weight"], eps)
    return hidden @ weights["transformer.output_layer.weight"].T


def qwen_logits(weights, ids, config=QWEN):
    """ids [tokens] -> logits [tokens, vocabulary], by the rules of Qwen v1 within seq_length."""
    wide, eps = config["kv_channels"], config["layer_norm_epsilon"]
    hidden = weights["transformer.wte.weight"][ids]
    for n in range(config["num_hidden_layers"]):

        def w(name, at=f"transformer.h.{n}"):
            return weights[f"{at}.{name}"]

        x = _rms(hidden, w("ln_1.weight"), eps)
        fused = x @ w("attn.c_attn.weight").T + w("attn.c_attn.bias")
        q, k, v = (one.view(len(ids), -1, wide).transpose(0, 1) for one in fused.chunk(3, -1))
        q, k = (_turn_halves(one, wide) for one in (q, k))
        hidden = hidden + _attend(q, k, v) @ w("attn.c_proj.weight").T
        x = _rms(hidden, w("ln_2.weight"), eps)
        inner = (x @ w("mlp.w1.weight").T) * torch.nn.functional.silu(x @ w("mlp.w2.weight").T)
        hidden = hidden + inner @ w("mlp.c_proj.weight").T
    return _rms(hidden, weights["transformer.ln_f.weight"], eps) @ weights["lm_head.weight"].T


def _rms(x, weight, eps):
    return x * (x.pow(2).mean(-1, keepdim=True) + eps).rsqrt() * weight


def _angles(length, turned):
    steps = 10000.0 ** (-torch.arange(0, turned, 2) / turned)
    angles = torch.arange(length)[:, None] * steps
    return angles.cos(), angles.sin()


def _turn_pairs(x, turned):
    """[heads, tokens, width]: neighbours are turned together, of the first `turned` numbers."""
    cos, sin = _angles(x.shape[1], turned)
    a, b = x[..., 0:turned:2], x[..., 1:turned:2]
    both = torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2)
    return torch.cat([both, x[..., turned:]], -1)


def _turn_halves(x, turned):
    """Each number of the first half is turned together with its like of the second."""
    cos, sin = _angles(x.shape[1], turned)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def _attend(q, k, v):
    length, wide = q.shape[1:]
    scores = q @ k.transpose(1, 2) / wide**0.5
    later = torch.ones(length, length, dtype=torch.bool).triu(1)
    out = scores.masked_fill(later, -torch.inf).softmax(-1) @ v
    return out.transpose(0, 1).reshape(length, -1)
