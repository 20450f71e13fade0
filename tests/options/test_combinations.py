"""What cannot work together is refused at its field, with what can; all else goes."""

import dataclasses

import pytest

from engine.config import TrainConfig
from engine.options.declare import choices, matters

OPTIONS = {one.name: one for one in dataclasses.fields(TrainConfig)}
METHODS = choices(OPTIONS["peft_type"])
FSDP = {"distributed_type": "fsdp"}
PROMPTS = {"prompt_tuning", "multitask_prompt_tuning", "p_tuning", "prefix_tuning"}


@pytest.mark.parametrize(
    ("changes", "field", "why", "instead"),
    [
        (
            {"load_in_4bit": True, "load_in_8bit": True},
            "load_in_8bit",
            "4-bit and 8-bit at once",
            "off",
        ),
        ({"peft_type": "full", "load_in_4bit": True}, "peft_type", "cannot be trained", "lora"),
        ({"peft_type": "full", "load_in_8bit": True}, "peft_type", "cannot be trained", "lora"),
        ({"peft_type": "full", "dtype": "float16"}, "dtype", "loses small steps", "auto"),
        ({"peft_type": "loha", "load_in_4bit": True}, "peft_type", "4-bit base", "8-bit"),
        ({"peft_type": "lokr", "load_in_4bit": True}, "peft_type", "4-bit base", "8-bit"),
        ({"peft_type": "prompt_tuning"}, "packing", "only the first row", "switch packing off"),
        (
            {"peft_type": "prefix_tuning", "packing": False, "gradient_checkpointing": True},
            "gradient_checkpointing",
            "the very cache",
            "prompt_tuning",
        ),
        (
            {"init_lora_weights": "pissa", "load_in_4bit": True},
            "init_lora_weights",
            "no",
            "default",
        ),
        (
            {"init_lora_weights": "olora", "load_in_8bit": True},
            "init_lora_weights",
            "no",
            "default",
        ),
        ({"init_lora_weights": "pissa", "use_dora": True}, "init_lora_weights", "DoRA", "default"),
        ({"use_dora": True, "load_in_8bit": True}, "use_dora", "8-bit base", "4-bit"),
        (FSDP | {"load_in_8bit": True}, "load_in_8bit", "not 8-bit ones", "4-bit base"),
        (FSDP | {"device_map": "auto"}, "device_map", "a share on each GPU", "single"),
        (FSDP | {"init_lora_weights": "pissa"}, "init_lora_weights", "by itself", "default"),
        (
            FSDP | {"peft_type": "full", "optim": "adamw_8bit"},
            "optim",
            "shared out",
            "adamw_torch_fused",
        ),
        ({"init_lora_weights": "orthogonal", "lora_r": 3}, "lora_r", "must be even", "choose 4."),
        ({"loraplus_lr_ratio": 0.5}, "loraplus_lr_ratio", "at least 1", "0 to switch it off"),
    ],
)
def test_each_is_refused_at_its_field(changes, field, why, instead):
    problems = TrainConfig(**changes).problems()
    assert list(problems) == [field]
    assert why in problems[field].en
    assert instead in problems[field].en
    assert problems[field].zh


@pytest.mark.parametrize("method", METHODS)
def test_every_method_goes_with_something(method):
    """On a plain base, with packing unless tokens stand before the rows."""
    packing = method not in PROMPTS
    assert TrainConfig(peft_type=method, packing=packing).problems() == {}
    assert bool(TrainConfig(peft_type=method).problems()) == (not packing)


def test_options_of_another_method_are_not_looked_at():
    """They keep their values, so that one can go back; they say nothing."""
    other = TrainConfig(
        peft_type="ia3", use_dora=True, load_in_8bit=True, init_lora_weights="pissa"
    )
    assert other.problems() == {}


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        ("lora_r", {"lora", "adalora", "loha", "lokr"}),
        ("use_dora", {"lora"}),
        ("num_virtual_tokens", PROMPTS),
        ("lora_target_modules", {"lora", "adalora", "ia3", "loha", "lokr", "oft"}),
        ("oft_block_size", {"oft"}),
        ("adapter_len", {"adaption_prompt"}),
        ("learning_rate", set(METHODS)),
    ],
)
def test_an_option_matters_to_its_methods(name, methods):
    found = {one for one in METHODS if matters(OPTIONS[name], {"peft_type": one})}
    assert found == methods
