"""Adapters of the old layouts speak on the native models exactly as they did, or not at all. What
they said is the old rules with the adapter's product added to the old weights."""

import json

import pytest
import torch
from safetensors.torch import save_file

from engine.chat.voices import BASE, Voices
from engine.errors import UserError
from engine.models.load import Quantization
from engine.models.old.adapters import on_todays_modules
from tests.models.old import layouts

IDS = torch.tensor([5, 9, 300, 41, 7, 2, 81, 60])
SCALE = 16 / 4
OF_QWEN = ("attn.c_attn", "attn.c_proj", "mlp.w1", "mlp.w2", "mlp.c_proj")
OF_CHATGLM3 = (
    "self_attention.query_key_value",
    "self_attention.dense",
    "mlp.dense_h_to_4h",
    "mlp.dense_4h_to_h",
)
KINDS = {
    "qwen": ("transformer.h", OF_QWEN, layouts.qwen_weights, layouts.qwen_logits),
    "chatglm3": (
        "transformer.encoder.layers",
        OF_CHATGLM3,
        layouts.chatglm3_weights,
        layouts.chatglm3_logits,
    ),
}
CONFIG = {  # as PEFT 0.2 to 0.5 wrote it
    "base_model_name_or_path": "Qwen/Qwen-7B-Chat",
    "bias": "none",
    "enable_lora": None,
    "fan_in_fan_out": False,
    "inference_mode": True,
    "init_lora_weights": True,
    "layers_pattern": None,
    "layers_to_transform": None,
    "lora_alpha": 16,
    "lora_dropout": 0.1,
    "merge_weights": False,
    "modules_to_save": None,
    "peft_type": "LORA",
    "r": 4,
    "target_modules": ["c_attn", "query_key_value"],
    "task_type": "CAUSAL_LM",
}


def lora(kind, parts, layers=(0, 1), seed=1):
    """Tensors of an old adapter, and the old weights with its product added."""
    torch.manual_seed(seed)
    at, _, weights, _ = KINDS[kind]
    weights, state = weights(), {}
    for n in layers:
        for part in parts:
            name = f"{at}.{n}.{part}"
            rows, columns = weights[f"{name}.weight"].shape
            a, b = 0.2 * torch.randn(4, columns), 0.2 * torch.randn(rows, 4)
            state |= {
                f"base_model.model.{name}.lora_A.weight": a,
                f"base_model.model.{name}.lora_B.weight": b,
            }
            weights[f"{name}.weight"] = weights[f"{name}.weight"] + SCALE * b @ a
    return state, weights


def write(folder, state, as_bin=False, **config):
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | config))
    if as_bin:
        torch.save(state, folder / "adapter_model.bin")
    else:
        save_file(state, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def voices(qwen_folder, chatglm3_folder, cpu):
    """By kind; ChatGLM3's tiny folder has no vocabulary, and none is needed here."""
    from engine.chat import voices as module
    from engine.chat.voices import load_tokenizer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_tokenizer", lambda name: load_tokenizer(str(qwen_folder)))
        places = {"qwen": qwen_folder, "chatglm3": chatglm3_folder}
        return {kind: Voices(str(folder), cpu, Quantization()) for kind, folder in places.items()}


def heard(voices, name):
    with torch.no_grad(), voices.tuned.speaking([name or BASE]) as model:
        return model(input_ids=IDS[None]).logits[0]


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("as_bin", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_it_said(voices, tmp_path, kind, as_bin):
    """On all linear layers; the base beside it is untouched."""
    _, parts, weights, rules = KINDS[kind]
    state, changed = lora(kind, parts)
    voices[kind].use({"old": write(tmp_path / "old", state, as_bin)})
    same(heard(voices[kind], "old"), rules(changed, IDS))
    same(heard(voices[kind], None), rules(weights(), IDS))


def test_two_of_them_speak_beside_each_other(voices, tmp_path):
    """The second is added to the first's layers; one sits in one layer alone."""
    first, changed = lora("qwen", ["attn.c_attn"], layers=[1])
    second, other = lora("qwen", ["attn.c_attn", "mlp.w1"], seed=2)
    one = write(tmp_path / "one", first, layers_to_transform=[1])
    voices["qwen"].use({"one": one, "two": write(tmp_path / "two", second)})
    same(heard(voices["qwen"], "one"), layouts.qwen_logits(changed, IDS))
    same(heard(voices["qwen"], "two"), layouts.qwen_logits(other, IDS))


def test_modules_that_were_saved_whole_come_along(voices, tmp_path):
    """As the original's fine-tuning of a base model kept wte and lm_head; they go with it too."""
    voices["qwen"].use({})
    base = dict(voices["qwen"].base.named_modules())
    state, changed = lora("qwen", ["attn.c_attn"])
    torch.manual_seed(3)
    for name in ("transformer.wte.weight", "lm_head.weight"):
        changed[name] = 0.3 * torch.randn(512, 32)
        state[f"base_model.model.{name}"] = changed[name]
    folder = write(tmp_path / "old", state, modules_to_save=["wte", "lm_head"])
    voices["qwen"].use({"old": folder})
    same(heard(voices["qwen"], "old"), layouts.qwen_logits(changed, IDS))
    same(heard(voices["qwen"], None), layouts.qwen_logits(layouts.qwen_weights(), IDS))
    voices["qwen"].use({})
    assert dict(voices["qwen"].base.named_modules()) == base


def test_an_adapter_of_today_is_taken_as_it_is(voices, tmp_path):
    state = {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": torch.ones(4, 32)}
    folder = write(tmp_path / "new", state)
    with on_todays_modules(folder, voices["qwen"].base) as place:
        assert place == folder


def test_the_copy_is_gone_afterwards(voices, tmp_path):
    folder = write(tmp_path / "old", lora("qwen", ["attn.c_attn"])[0])
    with on_todays_modules(folder, voices["qwen"].base) as place:
        config = json.loads((place / "adapter_config.json").read_text())
        assert config["target_modules"] == [
            f"model.layers.{n}.self_attn.{part}_proj" for n in (0, 1) for part in "kqv"
        ]
    assert not place.exists()


C_ATTN = "base_model.model.transformer.h.0.attn.c_attn"


@pytest.mark.parametrize(
    ("changes", "more", "sentence"),
    [
        ({"use_dora": True}, {}, "it is LoRA with use_dora, and only plain LoRA"),
        ({"bias": "all"}, {}, "it is LoRA with bias,"),
        ({"rank_pattern": {"c_attn": 8}}, {}, "it is LoRA with rank_pattern,"),
        ({"init_lora_weights": "pissa"}, {}, "it is LoRA with init_lora_weights: pissa,"),
        ({"peft_type": "IA3"}, {f"{C_ATTN}.ia3_l": torch.ones(96, 1)}, "it is IA3,"),
        ({"peft_type": "ADALORA"}, {f"{C_ATTN}.lora_E": torch.ones(4, 1)}, "it is ADALORA,"),
        ({}, {f"{C_ATTN}.weight": torch.ones(96, 32)}, "it holds .*c_attn.weight"),
        ({}, {f"{C_ATTN}.lora_B.weight": torch.ones(64, 4)}, "c_attn.lora_B.weight .64, 4."),
        ({}, {"base_model.model.transformer.visual.lora_A.weight": torch.ones(4, 4)}, "visual"),
    ],
)
def test_what_cannot_be_exact_is_refused(voices, tmp_path, changes, more, sentence):
    state, _ = lora("qwen", ["attn.c_attn"])
    folder = write(tmp_path / "old", state | more, **changes)
    with pytest.raises(UserError, match=f"cannot be moved onto today's: .*{sentence}") as raised:
        voices["qwen"].use({"old": folder})
    assert raised.value.field == "adapter"
    assert "普通 LoRA" in raised.value.sentence.zh or "其中有" in raised.value.sentence.zh
