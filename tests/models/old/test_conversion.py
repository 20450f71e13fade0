"""Old checkpoints answer by their own rules as native models, in every form they are published in,
and leave as native ones. The rules stand in layouts.py, free of what is tested."""

import json
import shutil

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, GlmForCausalLM, Qwen2ForCausalLM

from engine.errors import UserError
from engine.models.load import Quantization, empty_model, load_base, load_config
from tests.models.old import layouts

IDS = torch.tensor([5, 9, 300, 41, 7, 2, 81, 60, 44, 100])
KINDS = {
    "chatglm3": (layouts.CHATGLM3, layouts.chatglm3_weights, layouts.chatglm3_logits),
    "qwen": (layouts.QWEN, layouts.qwen_weights, layouts.qwen_logits),
}
NATIVE = {"chatglm3": GlmForCausalLM, "qwen": Qwen2ForCausalLM}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def folder(kind, chatglm3_folder, qwen_folder):
    return {"chatglm3": chatglm3_folder, "qwen": qwen_folder}[kind]


@torch.no_grad()
def logits(model, ids=IDS):
    return model(input_ids=ids[None]).logits[0]


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("files", "format"), [(1, "safetensors"), (3, "safetensors"), (1, "bin"), (3, "bin")]
)
def test_it_answers_by_the_old_rules(kind, files, format, tmp_path, cpu):
    """Fused projections split across files too; the class is the plain native one."""
    config, weights, rules = KINDS[kind]
    folder = layouts.write(tmp_path / "old", config, weights(), files, format)
    model = load_base(str(folder), cpu, Quantization())
    assert type(model) is NATIVE[kind]
    same(logits(model), rules(weights(), IDS))


def test_a_row_padded_on_the_left_answers_the_same(kind, folder, cpu):
    _, weights, rules = KINDS[kind]
    model = load_base(str(folder), cpu, Quantization())
    ids = torch.stack([IDS, torch.cat([torch.zeros(4, dtype=torch.long), IDS[:6]])])
    mask = torch.tensor([[1] * 10, [0] * 4 + [1] * 6])
    with torch.no_grad():
        found = model(input_ids=ids, attention_mask=mask).logits
    same(found[1, 4:], rules(weights(), IDS[:6]))


def test_greedy_tokens_are_those_of_the_rules(kind, folder, cpu):
    """With a cache, token by token, against the rules asked anew for each."""
    _, weights, rules = KINDS[kind]
    model, held = load_base(str(folder), cpu, Quantization()), weights()
    expected = IDS
    for _ in range(8):
        expected = torch.cat([expected, rules(held, expected)[-1:].argmax(-1)])
    found = model.generate(IDS[None], do_sample=False, max_new_tokens=8, eos_token_id=None)
    assert found[0].tolist() == expected.tolist()


@pytest.mark.parametrize("bits", [{"load_in_8bit": True}, {"load_in_4bit": True}], ids=str)
def test_quantised_it_is_the_native_copy_quantised(kind, folder, bits, tmp_path, cpu):
    """Not a weight differs: it was split first and packed then."""
    load_base(str(folder), cpu, Quantization()).save_pretrained(tmp_path / "native")
    old = load_base(str(folder), cpu, Quantization(**bits))
    native = load_base(str(tmp_path / "native"), cpu, Quantization(**bits))
    name = {"load_in_8bit": "Linear8bitLt", "load_in_4bit": "Linear4bit"}[next(iter(bits))]
    assert type(old.model.layers[0].self_attn.v_proj).__name__ == name
    packed = dict(native.state_dict())
    for key, tensor in old.state_dict().items():
        assert torch.equal(tensor, packed.pop(key)), key
    assert packed == {}


def test_saved_it_is_in_todays_layout(kind, folder, tmp_path, cpu):
    """Any Transformers loads it, and it answers as before."""
    model = load_base(str(folder), cpu, Quantization())
    model.save_pretrained(tmp_path / "copy")
    with safe_open(tmp_path / "copy" / "model.safetensors", "pt") as file:
        assert {key.split(".")[0] for key in file.keys()} == {"model", "lm_head"}  # noqa: SIM118
    saved = json.loads((tmp_path / "copy" / "config.json").read_text())
    assert saved["architectures"] == [NATIVE[kind].__name__]
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "copy")
    assert torch.equal(logits(again), logits(model))


def test_the_empty_model_has_its_shapes(kind, folder, cpu):
    whole = load_base(str(folder), cpu, Quantization())
    empty = empty_model(str(folder))
    assert {n: p.shape for n, p in empty.named_parameters()} == {
        n: p.shape for n, p in whole.named_parameters()
    }


def test_the_first_release_of_qwen_is_read_too(tmp_path, cpu):
    """August 2023: other names in config.json, and a vocabulary of its own width."""
    config = {layouts.AUGUST.get(key, key): value for key, value in layouts.QWEN.items()}
    config |= {"padded_vocab_size": config["vocab_size"], "vocab_size": 500}
    folder = layouts.write(tmp_path / "august", config, layouts.qwen_weights())
    model = load_base(str(folder), cpu, Quantization())
    same(logits(model), layouts.qwen_logits(layouts.qwen_weights(), IDS))


def test_what_the_configs_say():
    """The published sizes of ChatGLM3-6B-32k and Qwen-7B-Chat."""
    from engine.models.old import chatglm3, qwen

    glm = chatglm3.native_config(layouts.CHATGLM3 | {"rope_ratio": 50, "seq_length": 32768})
    assert glm.rope_parameters["rope_theta"] == 500_000.0
    assert glm.rope_parameters["partial_rotary_factor"] == 0.5
    assert (glm.max_position_embeddings, glm.eos_token_id, glm.pad_token_id) == (32768, 2, 0)
    big = qwen.native_config(layouts.QWEN | {"vocab_size": 151936, "seq_length": 8192})
    assert big.eos_token_id == [151645, 151643]
    assert (big.pad_token_id, big.max_position_embeddings) == (151643, 8192)
    assert (big.intermediate_size, big.num_key_value_heads) == (48, 2)


def test_the_norms_of_chatglm_round_once(chatglm3_folder, cpu):
    """As the original's: one rounding to bfloat16, after the product with the weight."""
    import dataclasses

    half = dataclasses.replace(cpu, dtype=torch.bfloat16)
    norm = load_base(str(chatglm3_folder), half, Quantization()).model.norm
    torch.manual_seed(1)
    x = torch.randn(4, 32, dtype=torch.bfloat16)
    wide, eps = x.float(), layouts.CHATGLM3["layernorm_epsilon"]
    wide = wide * (wide.pow(2).mean(-1, keepdim=True) + eps).rsqrt() * norm.weight.float()
    assert torch.equal(norm(x), wide.bfloat16())


ODD = {
    "missing": lambda w: w.pop("transformer.h.1.mlp.w1.weight"),
    "unexpected": lambda w: w.update({"transformer.h.0.attn.c_proj.bias": torch.zeros(32)}),
    "mismatched": lambda w: w.update({"transformer.wte.weight": torch.zeros(8, 32)}),
}


@pytest.mark.parametrize("odd", ODD)
def test_weights_that_are_not_all_there_are_refused(odd, tmp_path, cpu):
    """Transformers would fill the gap with random numbers and go on."""
    weights = layouts.qwen_weights()
    ODD[odd](weights)
    folder = layouts.write(tmp_path / "old", layouts.QWEN, weights)
    with pytest.raises(UserError, match=f"are not those of its config.json: {odd}") as raised:
        load_base(str(folder), cpu, Quantization())
    assert raised.value.field == "model_name_or_path"


def test_a_config_that_lacks_a_number_is_a_sentence(qwen_folder, tmp_path):
    folder = shutil.copytree(qwen_folder, tmp_path / "copy")
    config = {k: v for k, v in layouts.QWEN.items() if k != "num_hidden_layers"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="has no num_hidden_layers: it is not whole"):
        load_config(str(folder))
