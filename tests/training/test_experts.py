"""Mixtures of experts: what LoRA on their weights keeps for the backward pass is foreseen."""

import pytest
import torch
from transformers import AutoModelForCausalLM, MixtralConfig

from engine.config import TrainConfig
from engine.models.adapter import attach
from engine.training.activations import merged
from engine.training.estimate import model_shape

LAYERS, EXPERTS, HIDDEN, BETWEEN = 4, 8, 64, 96
# A layer's experts hold a gate, its twin and the way back; a token is sent to two by its router.
NUMBERS = LAYERS * (EXPERTS * 3 * HIDDEN * BETWEEN + EXPERTS * HIDDEN)


@pytest.fixture
def base(tmp_path, tokenizer):
    config = MixtralConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=BETWEEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        num_key_value_heads=2,
        num_local_experts=EXPERTS,
        num_experts_per_tok=2,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return str(tmp_path)


def kept(model, tokens):
    """Bytes that a forward pass keeps, the weights that are there anyway not counted."""
    weights = {one.untyped_storage().data_ptr() for one in model.parameters()}
    found = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        _alive = model(input_ids=torch.arange(3, 3 + tokens)[None], use_cache=False)
    return sum(found.values())


@pytest.mark.parametrize(("targets", "numbers"), [("all-linear", NUMBERS), ("attention", 0)])
def test_the_merged_weights_of_all_layers_are_kept(base, targets, numbers):
    """However many tokens there are: the rest of what is kept grows with them."""
    config = TrainConfig(model_name_or_path=base, lora_target_modules=targets)
    shape = model_shape(config)
    assert shape.merged_parameters == numbers
    model = attach(AutoModelForCausalLM.from_pretrained(base), config).train()
    few, more = kept(model, 100), kept(model, 200)
    assert 2 * few - more == pytest.approx(4 * numbers, rel=0.02, abs=2000)


@pytest.mark.parametrize(
    ("changes", "layers"),
    [
        ({}, LAYERS),
        ({"gradient_checkpointing": True, "gradient_checkpointing_layers": 1}, LAYERS - 1),
        ({"gradient_checkpointing": True}, 1),
    ],
)
def test_checkpointing_keeps_those_of_the_layer_at_work(base, changes, layers):
    """With their gradient, for which a layer's weights are there once more."""
    config = TrainConfig(model_name_or_path=base, **changes)
    expected = (layers + 1) * NUMBERS / LAYERS * 2
    assert merged(config, model_shape(config), width=2) == expected


def test_a_token_is_as_wide_as_all_of_its_experts(base):
    shape = model_shape(TrainConfig(model_name_or_path=base))
    assert (shape.intermediate_size, shape.experts_per_token) == (2 * BETWEEN, 2)
