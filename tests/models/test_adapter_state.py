"""Whether the base is still inside, and which modules an adapter left as they were."""

import peft
import pytest
import torch

from engine.models.adapter_state import can_switch_off, update_norms
from engine.models.load import Quantization, load_base


@pytest.fixture
def base(tiny_model_folder, cpu):
    return load_base(str(tiny_model_folder), cpu, Quantization())


def lora(**options):
    return peft.LoraConfig(r=2, target_modules=["q_proj", "up_proj"], **options)


@pytest.mark.parametrize(
    ("options", "possible"),
    [
        ({}, True),
        ({"init_lora_weights": False}, True),
        ({"init_lora_weights": "gaussian"}, True),
        ({"use_dora": True}, True),
        ({"init_lora_weights": "pissa"}, False),
        ({"init_lora_weights": "olora"}, False),
        ({"bias": "lora_only"}, False),
    ],
)
def test_the_base_is_there_unless_its_weights_change(base, options, possible):
    """And where it is said to be, its logits are those of before, also after a step."""
    ids = torch.tensor([[5, 6, 7, 8]])
    before = base(ids).logits.detach().clone()
    model = peft.get_peft_model(base, lora(**options))
    assert can_switch_off(model) is possible
    with torch.no_grad():
        for parameter in (p for p in model.parameters() if p.requires_grad):
            parameter += 0.1
    with model.disable_adapter():
        same = torch.equal(model(ids).logits, before)
    assert same or not possible


def test_a_model_without_an_adapter_has_nothing_to_switch_off(base):
    assert can_switch_off(base) is False
    assert update_norms(base) == {}


def test_norms_are_those_of_the_whole_update(base):
    model = peft.get_peft_model(base, lora())
    assert set(update_norms(model).values()) == {0.0}
    layer = model.base_model.model.model.layers[1].self_attn.q_proj
    with torch.no_grad():
        layer.lora_B["default"].weight.normal_()
    norms = update_norms(model)
    update = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    (name,) = (name for name, norm in norms.items() if norm)
    assert name == "base_model.model.model.layers.1.self_attn.q_proj"
    assert norms[name] == pytest.approx(update.norm().item(), rel=1e-5)
    assert len(norms) == 4


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (peft.AdaLoraConfig(target_modules=["q_proj"], total_step=10), 2),
        (peft.LoHaConfig(r=2, target_modules=["q_proj"]), 2),
        (peft.IA3Config(target_modules=["q_proj"], feedforward_modules=[]), 0),
        (peft.OFTConfig(target_modules=["q_proj"], oft_block_size=4), 0),
    ],
)
def test_other_methods_begin_at_zero_or_are_not_measured(base, config, count):
    norms = update_norms(peft.get_peft_model(base, config))
    assert list(norms.values()) == [0.0] * count
