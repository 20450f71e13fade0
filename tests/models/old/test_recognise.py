"""Which old kind a config.json is of; what the mapping does not know is refused by its name."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.errors import UserError
from engine.models.old.recognise import (
    Old,
    kind_of,
    know_saved_port,
    recognise,
    refuse_unknown,
)
from tests.models.old.layouts import CHATGLM3, QWEN


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (CHATGLM3, "chatglm3"),
        (QWEN, "qwen"),
        ({"model_type": "chatglm", "inner_hidden_size": 16384}, "chatglm"),
        ({"model_type": "qwen2"}, None),
        ({"model_type": "glm"}, None),
        ({}, None),
    ],
)
def test_the_kind(config, kind):
    assert kind_of(config) == kind


@pytest.mark.parametrize(
    ("kind", "changes", "sentence"),
    [
        ("chatglm3", {"pre_seq_len": 128}, "pre_seq_len = 128: it carries trained prompts"),
        ("chatglm3", {"quantization_bit": 4}, "quantization_bit = 4: its weights are packed"),
        ("chatglm3", {"rmsnorm": False}, "rmsnorm = False: its layers are built otherwise"),
        ("chatglm3", {"post_layer_norm": False}, "post_layer_norm = False"),
        ("chatglm3", {"multi_query_attention": False}, "multi_query_attention = False"),
        ("chatglm3", {"multi_query_attention": None}, "multi_query_attention = None"),
        ("chatglm3", {"original_rope": False}, "original_rope = False"),
        ("chatglm3", {"add_bias_linear": True}, "add_bias_linear = True"),
        ("chatglm3", {"fp32_residual_connection": True}, "fp32_residual_connection = True"),
        (
            "chatglm3",
            {"apply_residual_connection_post_layernorm": True},
            "apply_residual_connection_post_layernorm = True",
        ),
        ("chatglm3", {"padded_vocab_size": 151552}, "that is GLM-4; take it in today's layout"),
        (
            "chatglm3",
            {"rope_ratio": 16, "_name_or_path": "THUDM/chatglm2-6b-32k"},
            "rope_ratio = 16: ChatGLM2-32k squeezes its positions",
        ),
        ("qwen", {"quantization_config": {"bits": 4}}, "quantization_config = {'bits': 4}"),
        ("qwen", {"no_bias": False}, "no_bias = False"),
        ("qwen", {"rotary_pct": 0.25}, "rotary_pct = 0.25"),
        ("qwen", {"scale_attn_weights": False}, "scale_attn_weights = False"),
        ("qwen", {"tie_word_embeddings": True}, "tie_word_embeddings = True"),
        ("qwen", {"visual": {"layers": 48}}, "visual = {'layers': 48}: it also sees or hears"),
    ],
)
def test_what_is_not_known_is_refused_by_name(kind, changes, sentence):
    config = {"chatglm3": CHATGLM3, "qwen": QWEN}[kind]
    with pytest.raises(UserError) as raised:
        refuse_unknown(kind, config | changes)
    assert sentence in str(raised.value)
    assert next(iter(changes)) in raised.value.sentence.zh
    assert raised.value.field == "model_name_or_path"


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("chatglm3", {}),
        ("chatglm3", {"pre_seq_len": None, "quantization_bit": 0}),
        ("chatglm3", {"rope_ratio": 50, "_name_or_path": "THUDM/chatglm3-6b-32k"}),
        ("qwen", {}),
        ("qwen", {"pos_emb": "rotary", "activation": "swiglu"}),
    ],
)
def test_what_was_published_passes(kind, changes):
    refuse_unknown(kind, {"chatglm3": CHATGLM3, "qwen": QWEN}[kind] | changes)


def test_a_folder_of_today_and_no_folder_are_none_of_it(tiny_model_folder):
    assert recognise(str(tiny_model_folder)) is None
    assert recognise("Qwen/Qwen3-0.6B") is None


@pytest.mark.parametrize(
    ("changes", "length"),
    [({}, "64"), ({"use_dynamic_ntk": False, "use_logn_attn": False}, None)],
)
def test_where_the_original_qwen_would_stretch_is_said(changes, length, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(QWEN | changes))
    note = recognise(str(tmp_path)).note
    assert (note and f"Past {length} tokens the original Qwen" in note.en) == (length and True)
    assert note is None or f"超过 {length} 个" in note.zh


def test_with_the_config_the_auto_classes_know_the_model(monkeypatch):
    """A port of our own is registered by the import of its class, and an estimate asks for the
    config alone."""
    asked = []
    room = SimpleNamespace(
        model_class=lambda: asked.append("class"), native_config=lambda old: asked.append("config")
    )
    monkeypatch.setitem(sys.modules, "engine.models.old.chatglm", room)
    Old("chatglm", Path(), {}).native_config()
    assert asked == ["class", "config"]


@pytest.mark.parametrize(("model_type", "asked"), [("chatglm_6b", ["class"]), ("qwen2", [])])
def test_a_saved_port_is_made_known(monkeypatch, tmp_path, model_type, asked):
    found = []
    room = SimpleNamespace(model_class=lambda: found.append("class"))
    monkeypatch.setitem(sys.modules, "engine.models.old.chatglm", room)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    know_saved_port(str(tmp_path))
    assert found == asked
    assert recognise(str(tmp_path)) is None
