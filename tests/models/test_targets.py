"""What a person writes for the target modules, against what the model has."""

import pytest
import torch
from transformers import AutoModelForCausalLM, Mamba2Config

from engine.config import TrainConfig
from engine.errors import UserError
from engine.models.adapter import attach
from engine.models.load import empty_model
from engine.models.targets import linear_names, matching, target_modules

ATTENTION = ["k_proj", "o_proj", "q_proj", "v_proj"]


@pytest.fixture(scope="module")
def model(tiny_model_folder):
    return empty_model(str(tiny_model_folder))


def short(names):
    return sorted({name.rsplit(".", 1)[-1] for name in names})


@pytest.mark.parametrize(
    ("wanted", "as_peft_takes_it", "names", "layers"),
    [
        ("all-linear", "all-linear", [*ATTENTION, "down_proj", "gate_proj", "up_proj"], 14),
        ("attention", [f"self_attn.{name}" for name in ATTENTION], ATTENTION, 8),
        (" q_proj , v_proj", ["q_proj", "v_proj"], ["q_proj", "v_proj"], 4),
        ("mlp.up_proj", ["mlp.up_proj"], ["up_proj"], 2),
        (r".*\.1\..*(q|v)_proj", r".*\.1\..*(q|v)_proj", ["q_proj", "v_proj"], 2),
    ],
)
def test_what_is_written_stands_for(model, wanted, as_peft_takes_it, names, layers):
    assert target_modules(model, wanted) == as_peft_takes_it
    assert short(matching(model, wanted)) == sorted(names)
    assert len(matching(model, wanted)) == layers


@pytest.mark.parametrize("wanted", ["attention", r".*\.0\.mlp\..*_proj", "q_proj,up_proj"])
def test_peft_finds_the_same_layers(model, wanted):
    from peft import LoraConfig, get_peft_model

    expected = matching(model, wanted)
    tuned = get_peft_model(model, LoraConfig(target_modules=target_modules(model, wanted)))
    found = {n.split(".lora_A")[0] for n, _ in tuned.named_parameters() if "lora_A" in n}
    assert found == {f"base_model.model.{name}" for name in expected}
    tuned.unload()


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("qux", "No linear layer of this model fits 'qux'. It has down_proj, gate_proj"),
        ("q_proj, v_prj", "No linear layer of this model fits 'v_prj'. It has"),
        ("", "No linear layer of this model fits ''. It has"),
        ("input_layernorm", "No linear layer of this model fits 'input_layernorm'."),
        (r".*\.(qq|vv)", r"No linear layer of this model fits '.*\\.(qq|vv)'."),
        ("(q_proj", "'(q_proj' is no regular expression (missing )"),
        (".*", "'.*' also matches the whole model, which is no linear layer"),
        (r"model\.layers\.0.*", "also matches model.layers.0, which is no linear layer"),
        ("x{99999999999}", "is no regular expression (the repetition number is too large)"),
        ("(" * 5000, "is no regular expression (maximum recursion depth exceeded"),
    ],
)
def test_what_the_model_does_not_have_is_a_sentence(model, wanted, sentence):
    with pytest.raises(UserError) as raised:
        target_modules(model, wanted)
    assert raised.value.field == "lora_target_modules"
    assert sentence in str(raised.value)
    assert raised.value.sentence.zh


@pytest.mark.parametrize(
    "wanted",
    [
        "(([a-z_.0-9])+)+X",
        "(.*)*(.*)*(.*)*(.*)*x",
        ".*q_proj|(([a-z_.0-9])+)+X",  # the package regex matches it in a few milliseconds
        "((a?){60000}){60000}",  # three GiB before its time is spent
    ],
)
def test_an_expression_that_would_never_end_is_refused(model, wanted):
    """All visitors share the process that estimates, and PEFT matches it in the run's with `re`."""
    with pytest.raises(UserError) as raised:
        target_modules(model, wanted)
    assert raised.value.field == "lora_target_modules"
    assert raised.value.sentence == (
        f"{wanted!r} takes too long on the names of this model's modules; write it without a "
        r"repetition inside a repetition, as .*\.(q_proj|v_proj) is.",
        f"{wanted!r} 在这个模型的模块名上匹配太久；请不要在重复里再套重复，"
        r"例如写成 .*\.(q_proj|v_proj)。",
    )


def test_gpt2s_layers_are_linear_too_and_attention_is_told_from_the_rest():
    """They are Conv1D, and the attention's c_proj has the name of the feed-forward's."""
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=16))
    assert linear_names(model) == ["c_attn", "c_fc", "c_proj"]
    assert target_modules(model, "attention") == ["attn.c_attn", "attn.c_proj"]
    assert len(matching(model, "attention")) == 2


@pytest.mark.parametrize("method", ["lora", "adalora", "ia3"])
def test_what_mambas_kernels_read_by_themselves_gets_no_adapter(method):
    model = AutoModelForCausalLM.from_config(
        Mamba2Config(vocab_size=64, hidden_size=32, num_hidden_layers=1, num_heads=4, head_dim=16)
    )
    assert linear_names(model) == target_modules(model, "all-linear") == ["in_proj"]
    with pytest.raises(UserError, match="fits 'out_proj'. It has in_proj; or write all-linear"):
        target_modules(model, "out_proj")
    tuned = attach(model, TrainConfig(peft_type=method), 10)
    adapted = {n.split(".default")[0] for n, p in tuned.named_parameters() if p.requires_grad}
    assert adapted
    assert all(".in_proj." in name for name in adapted)
