"""LoRA on a base: only it is trained; and what is read back from disk is only weights."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    Lfm2Config,
    Lfm2ForCausalLM,
    PreTrainedConfig,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from engine.config import TrainConfig
from engine.errors import UserError
from engine.models.adapter import (
    attach,
    base_of,
    first_state,
    read_card,
    save,
    trainable_parameters,
)
from engine.models.load import Quantization, empty_model, load_base
from engine.models.methods import check_widths
from engine.models.targets import linear_names
from engine.training.estimate import model_shape

LINEAR = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]


@pytest.fixture
def base(tiny_model_folder, cpu):
    torch.manual_seed(0)
    return load_base(str(tiny_model_folder), cpu, Quantization())


def trained(model):
    return {name for name, p in model.named_parameters() if p.requires_grad}


def test_only_the_adapter_is_trained_and_it_begins_as_nothing(base):
    ids = torch.tensor([[5, 9, 300]])
    with torch.no_grad():
        before = base(input_ids=ids).logits
    model = attach(base, TrainConfig(lora_r=4))
    names = trained(model)
    assert len(names) == 2 * 2 * len(LINEAR)
    assert all("lora_A" in name or "lora_B" in name for name in names)
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, before)


def test_a_step_changes_the_adapter_and_nothing_else(base):
    model = attach(base, TrainConfig(lora_r=4))
    frozen = {n: p.clone() for n, p in model.named_parameters() if not p.requires_grad}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)  # small enough to fall from any start
    ids = torch.tensor([[5, 9, 300]])
    before = model(input_ids=ids, labels=ids).loss
    before.backward()
    optimizer.step()
    assert model(input_ids=ids, labels=ids).loss < before
    for name, parameter in model.named_parameters():
        if name in frozen:
            assert torch.equal(parameter, frozen[name]), name


def test_the_adapter_is_float32_on_a_bfloat16_base(base):
    model = attach(base.to(torch.bfloat16), TrainConfig())
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}


def test_target_modules_by_name(base):
    model = attach(base, TrainConfig(lora_target_modules=" q_proj , v_proj"))
    assert {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in trained(model)} == {
        "q_proj",
        "v_proj",
    }


@pytest.mark.parametrize("names", ["qux", "q_prj, v_prj", ""])
def test_a_wrong_target_names_the_real_ones(base, names):
    with pytest.raises(UserError) as raised:
        attach(base, TrainConfig(lora_target_modules=names))
    assert raised.value.field == "lora_target_modules"
    assert ", ".join(LINEAR) in str(raised.value)
    assert linear_names(base) == LINEAR


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_dora": True},
        {"init_lora_weights": "pissa"},
        {"lora_target_modules": "attention"},
        {"lora_target_modules": r".*\.0\..*up_proj"},
        {"peft_type": "adalora"},
        {"peft_type": "ia3"},
        {"peft_type": "loha"},
        {"peft_type": "lokr"},
        {"peft_type": "oft", "oft_block_size": 16},
        {"peft_type": "prompt_tuning", "prompt_tuning_init_text": "Be kind."},
        {"peft_type": "multitask_prompt_tuning"},
        {"peft_type": "p_tuning"},
        {"peft_type": "prefix_tuning"},
        {"peft_type": "adaption_prompt"},
        {"peft_type": "full"},
    ],
    ids=str,
)
def test_parameters_are_counted_on_the_meta_device(
    tiny_model_folder, tiny_llama_folder, cpu, options
):
    """Without reading a weight: the same number as on the real model, also in the estimate."""
    adaption = options.get("peft_type") == "adaption_prompt"
    folder = str(tiny_llama_folder if adaption else tiny_model_folder)
    config = TrainConfig(model_name_or_path=folder, lora_r=4, **options)
    real = attach(load_base(folder, cpu, Quantization()), config)
    expected = sum(p.numel() for p in real.parameters() if p.requires_grad)
    assert trainable_parameters(empty_model(folder), config) == expected > 0
    assert model_shape(config).trainable_parameters == expected


def test_adaption_prompts_know_llamas_only(base):
    with pytest.raises(UserError, match="and this one is qwen3; choose prefix_tuning") as raised:
        attach(base, TrainConfig(peft_type="adaption_prompt"))
    assert raised.value.field == "peft_type"


@pytest.mark.parametrize(
    ("error", "method", "instead"),
    [
        (ValueError, "loha", "Choose lora."),
        (TypeError, "loha", "Choose lora."),
        (ValueError, "lora", "Write attention as target modules."),
    ],
)
def test_what_peft_refuses_is_a_sentence(base, monkeypatch, error, method, instead):
    """A model of a kind that a method does not know."""

    def refuse(*_):
        raise error("Target module Odd() is not supported.\nLong explanation")

    monkeypatch.setattr("peft.get_peft_model", refuse)
    with pytest.raises(UserError) as raised:
        attach(base, TrainConfig(peft_type=method))
    assert str(raised.value) == (
        f"{method} cannot be put on this model: Target module Odd() is not supported. {instead}"
    )
    assert raised.value.field == "peft_type"


def with_experts():
    with torch.device("meta"):
        return Qwen3MoeForCausalLM(
            Qwen3MoeConfig(
                vocab_size=320,
                hidden_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                num_key_value_heads=2,
                num_experts=4,
                moe_intermediate_size=16,
            )
        )


@pytest.mark.parametrize(
    ("options", "begin"),
    [
        (
            {"lora_dropout": 0.1},
            "This model has experts, whose weights LoRA does not take with lora_dropout; set the "
            "dropout to 0, or write attention as target modules.",
        ),
        (
            {"use_dora": True},
            "This model has experts, whose weights LoRA does not take with use_dora; switch DoRA "
            "off, or write attention as target modules.",
        ),
        *(
            (
                {"init_lora_weights": start},
                f"The start {start} reads the weight of each layer, and those of this model's "
                "experts are not laid out so; choose default or gaussian, or write attention as "
                "target modules.",
            )
            for start in ("orthogonal", "pissa", "olora")
        ),
    ],
    ids=str,
)
def test_what_lora_cannot_do_to_experts_is_said_at_its_option(options, begin):
    with pytest.raises(UserError) as raised:
        trainable_parameters(with_experts(), TrainConfig(lora_r=4, **options))
    assert str(raised.value) == begin
    assert [raised.value.field] == list(options)
    there = TrainConfig(lora_r=4, lora_target_modules="attention", **options)
    assert trainable_parameters(with_experts(), there) > 0


def test_a_prefix_needs_attention_in_every_layer():
    small = {"vocab_size": 320, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    config = Lfm2Config(**small, **heads, layer_types=["conv", "full_attention"])
    with torch.device("meta"):
        model = Lfm2ForCausalLM(config)
    with pytest.raises(UserError) as raised:
        trainable_parameters(model, TrainConfig(peft_type="prefix_tuning", packing=False))
    assert str(raised.value) == (
        "Prefix tuning writes keys and values for each layer's attention, and some layers of this "
        "model have none (conv); choose prompt_tuning, the nearest that works here."
    )
    assert raised.value.field == "peft_type"


def test_olora_does_not_know_gpt2s_layers():
    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config(vocab_size=320, n_embd=32, n_layer=1, n_head=2))
    with pytest.raises(UserError, match="olora does not know this model's layers") as raised:
        trainable_parameters(model, TrainConfig(lora_r=4, init_lora_weights="olora"))
    assert raised.value.field == "init_lora_weights"
    assert trainable_parameters(model, TrainConfig(lora_r=4, init_lora_weights="pissa")) > 0


def test_more_layers_than_there_are_cannot_be_adapted(tiny_llama_folder, cpu):
    base = load_base(str(tiny_llama_folder), cpu, Quantization())
    with pytest.raises(UserError, match="This model has 2 layers, so 3 cannot be") as raised:
        attach(base, TrainConfig(peft_type="adaption_prompt", adapter_layers=3))
    assert raised.value.field == "adapter_layers"


def test_ia3_scales_what_goes_into_the_narrowing_layer(base):
    """Its paper: keys, values and the feed-forward's inner width; here all layers, as chosen."""
    model = attach(base, TrainConfig(peft_type="ia3"))
    shapes = {
        name.split(".")[-3]: tuple(p.shape)
        for name, p in model.named_parameters()
        if p.requires_grad and ".layers.0." in name
    }
    assert shapes["down_proj"] == (1, 64)
    assert shapes["up_proj"] == (64, 1)
    assert shapes["v_proj"] == (16, 1)


def test_the_card_of_an_adapter(tmp_path, make_adapter, tiny_model_folder):
    folder = make_adapter(tmp_path / "mine", 1)
    assert read_card(folder) == {"base_model": str(tiny_model_folder), "system_prompt": ""}
    (folder / "greenroom.json").unlink()
    assert read_card(folder) == {}


def test_a_folder_that_is_no_adapter(tmp_path):
    with pytest.raises(UserError, match=r"holds no adapter \(no adapter_config.json\)"):
        read_card(tmp_path)
    with pytest.raises(UserError, match=f"There is no folder {tmp_path / 'gone'}; check its"):
        read_card(tmp_path / "gone")


@pytest.mark.parametrize("written", [["a"], {"a": 1}, 5])
def test_a_base_that_is_no_name_is_a_sentence(tmp_path, make_adapter, written):
    """In either file; none at all is no name yet, and no mistake."""
    folder = make_adapter(tmp_path / "mine", 1)
    for file, key in (
        ("greenroom.json", "base_model"),
        ("adapter_config.json", "base_model_name_or_path"),
    ):
        said = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(said | {key: written}))
        with pytest.raises(UserError) as raised:
            base_of(folder)
        assert str(raised.value) == (
            f"{file} in {folder} is broken (its {key} is no name); copy the adapter anew."
        )
        (folder / file).write_text(json.dumps(said | {key: None}))
        assert base_of(folder) == ""
        (folder / "greenroom.json").unlink(missing_ok=True)


def test_an_adapter_in_torchs_own_format_is_one_too(tmp_path, make_adapter):
    folder = make_adapter(tmp_path / "mine", 1)
    state = load_file(folder / "adapter_model.safetensors")
    (folder / "adapter_model.safetensors").unlink()
    torch.save(state, folder / "adapter_model.bin")
    assert read_card(folder)["system_prompt"] == ""


def test_an_adapter_that_could_carry_a_program_is_refused(tmp_path, make_adapter):
    folder = make_adapter(tmp_path / "mine", 1)
    (folder / "adapter_model.safetensors").unlink()
    torch.save({"a": Path}, folder / "adapter_model.bin")
    with pytest.raises(UserError, match="adapter_model.bin in .* holds more than weights") as r:
        read_card(folder)
    assert r.value.field == "adapter"


def test_an_adapter_without_weights_is_refused(tmp_path, make_adapter):
    folder = make_adapter(tmp_path / "mine", 1)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match="mine holds no weights"):
        read_card(folder)


def test_what_is_saved_is_what_was_trained(base, tmp_path):
    """Saved and loaded on a fresh base, it gives the same logits bit for bit."""
    from peft import PeftModel

    model = attach(base, TrainConfig(lora_r=4))
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(tmp_path)
    ids = torch.tensor([[5, 9, 300]])
    with torch.no_grad():
        expected = model(input_ids=ids).logits
        fresh = PeftModel.from_pretrained(model.unload(), tmp_path)
        assert torch.equal(fresh(input_ids=ids).logits, expected)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["r"] == 4


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_16", "olora"])
def test_a_rank_above_the_narrowest_layer_is_refused(base, tiny_model_folder, tmp_path, start):
    """k_proj makes 16 of 32. At 16 the adapter is saved whole, at 17 it would not be."""
    widest = TrainConfig(lora_r=16, init_lora_weights=start)
    model = attach(base, widest)
    save(model, tmp_path, first_state(model, widest))
    state = load_file(tmp_path / "adapter_model.safetensors")
    k_proj = "base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight"
    assert state[k_proj].shape == (32, 32)
    with pytest.raises(UserError) as raised:
        trainable_parameters(
            empty_model(str(tiny_model_folder)), TrainConfig(lora_r=17, init_lora_weights=start)
        )
    assert raised.value.field == "lora_r"
    assert str(raised.value) == (
        f"The start {start} takes 17 directions out of each layer, and k_proj (32 to 16 wide) has "
        "only 16; choose a rank of at most 16, or the start default."
    )
    assert "不超过 16" in raised.value.sentence.zh


def test_the_rank_is_free_where_the_base_stays_and_by_the_targets_that_are_chosen(
    tiny_model_folder,
):
    """A plain LoRA may be wider than a layer; the layers that are left alone say nothing."""
    for options in (
        {"lora_r": 300},
        {"lora_r": 32, "init_lora_weights": "pissa", "lora_target_modules": "q_proj"},
    ):
        model = empty_model(str(tiny_model_folder))
        assert trainable_parameters(model, TrainConfig(**options)) > 0


@pytest.mark.parametrize(("size", "near"), [(7, 8), (13, 16), (64, 32)])
def test_a_block_that_divides_no_width_is_refused(tiny_model_folder, size, near):
    """PEFT would take another size by itself. The widths here are 32 and 64."""
    config = TrainConfig(peft_type="oft", oft_block_size=size)
    with pytest.raises(UserError) as raised:
        trainable_parameters(empty_model(str(tiny_model_folder)), config)
    assert raised.value.field == "oft_block_size"
    assert str(raised.value) == (
        f"Blocks of {size} do not divide these layers' widths (32, 64); the nearest size that "
        f"does is {near}."
    )
    fits = TrainConfig(peft_type="oft", oft_block_size=near)
    assert trainable_parameters(empty_model(str(tiny_model_folder)), fits) > 0


def test_widths_without_a_common_block_are_said_at_the_targets(monkeypatch):
    """Two layers, 6 and 35 wide."""
    model = torch.nn.Sequential(torch.nn.Linear(6, 35), torch.nn.Linear(35, 6))
    model.get_output_embeddings, model.config = lambda: None, PreTrainedConfig()
    with pytest.raises(UserError, match=r"No block size divides .* \(6, 35\)") as raised:
        check_widths(model, TrainConfig(peft_type="oft"))
    assert raised.value.field == "lora_target_modules"
