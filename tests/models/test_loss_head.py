"""The tiled loss is the model's own: its value and its gradients, whatever the head."""

import weakref
from unittest import mock

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    FalconH1Config,
    FalconH1ForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from engine.config import TrainConfig
from engine.models import loss_head
from engine.models.adapter import attach
from engine.models.loss_head import give_loss_head

IDS = torch.tensor([[5, 9, 300, 41, 7, 2], [8, 100, 77, 11, 12, 13]])
LABELS = torch.tensor([[-100, -100, 300, 41, 7, 2], [8, 100, -100, 11, 12, -100]])
TRAINED = 7  # the first token of a row has nothing before it
SMALL = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "initializer_range": 0.2,
    "pad_token_id": 0,
}


def where_trained():
    following = torch.nn.functional.pad(LABELS[:, 1:], (0, 1), value=-100).flatten()
    at = (following != -100).nonzero()[:, 0]
    return {"targets": following[at], "at": at}


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def qwen(tied):
    torch.manual_seed(0)
    return Qwen3ForCausalLM(Qwen3Config(**SMALL, tie_word_embeddings=tied))


def frozen_head(tied):
    """All but the head (and what is tied to it) trains."""
    model = qwen(tied)
    model.get_output_embeddings().requires_grad_(False)
    return model


def with_adapter(tied):
    model = attach(qwen(tied), TrainConfig(lora_r=4))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.mark.parametrize("tile", [1, 3, 7, 1024])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("make", [qwen, frozen_head, with_adapter])
def test_loss_and_gradients_are_those_of_the_whole_logits(make, tied, tile, monkeypatch):
    """7 trained tokens in 7, 3 and 1 tiles; a tied head that trains is used at both ends."""
    monkeypatch.setattr(loss_head, "_TILE_TOKENS", tile)
    model = make(tied)
    whole = model(input_ids=IDS, labels=LABELS).loss
    expected = gradients(model, whole)
    assert give_loss_head(getattr(model, "get_base_model", lambda: model)(), compiled=False)
    loss = model(input_ids=IDS, **where_trained())
    assert (loss.shape, loss.dtype) == (torch.Size([]), torch.float32)
    assert loss.item() / TRAINED == pytest.approx(whole.item(), rel=1e-6)
    assert ("lm_head.weight" in expected) == (make is qwen and not tied)
    torch.testing.assert_close(gradients(model, loss / TRAINED), expected, rtol=1e-5, atol=1e-6)


def test_a_tile_is_gone_before_the_next_has_its_own(monkeypatch):
    """Logits are the largest tensors of a step: there are never those of two tiles."""
    whole, before = loss_head._tile, []

    def tile(logits, targets):
        assert [one() for one in before] == [None] * len(before)
        found = whole(logits, targets)
        before.extend([weakref.ref(logits), weakref.ref(found[1])])
        return found

    monkeypatch.setattr(loss_head, "_TILE_TOKENS", 3)
    monkeypatch.setattr(loss_head, "_tile", tile)
    model = frozen_head(tied=False)
    assert give_loss_head(model, compiled=False)
    model(input_ids=IDS, **where_trained())
    assert len(before) == 2 * 3


def test_the_gradient_above_is_taken_along():
    """A loss that counts threefold has gradients three times as large."""
    model = with_adapter(True)
    give_loss_head(model.get_base_model(), compiled=False)
    once = gradients(model, model(input_ids=IDS, **where_trained()))
    thrice = gradients(model, model(input_ids=IDS, **where_trained()) * 3)
    torch.testing.assert_close(thrice, {n: 3 * g for n, g in once.items()})


def test_a_head_with_a_bias():
    model = frozen_head(False)
    model.lm_head.bias = torch.nn.Parameter(torch.randn(320), requires_grad=False)
    expected = gradients(model, model(input_ids=IDS, labels=LABELS).loss)
    assert give_loss_head(model, compiled=False)
    loss = model(input_ids=IDS, **where_trained()) / TRAINED
    torch.testing.assert_close(gradients(model, loss), expected, rtol=1e-5, atol=1e-6)


def test_hidden_states_in_float32_meet_a_head_in_16_bit():
    """As DoRA leaves them on a 4-bit base: autocast makes the product, gradients stay float32."""
    hidden = torch.randn(3, 8, requires_grad=True)
    weight, targets = torch.randn(5, 8).bfloat16(), torch.tensor([4, 0, 2])
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_head._FrozenHead.apply(hidden, weight, None, targets, False)
    (gradient,) = torch.autograd.grad(loss, hidden)
    logits = hidden @ weight.float().t()
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    assert (loss - expected).abs() < 2e-2 * expected
    assert gradient.dtype == torch.float32
    (right,) = torch.autograd.grad(expected, hidden)
    assert (gradient - right).norm() < 2e-2 * right.norm()


def test_nothing_to_learn_is_a_loss_of_nothing():
    """With gradients of zero: several devices wait for each other's."""
    for make in (with_adapter, qwen):
        model = make(False)
        give_loss_head(getattr(model, "get_base_model", lambda m=model: m)(), compiled=False)
        none = torch.empty(0, dtype=torch.long)
        loss = model(input_ids=IDS, targets=none, at=none)
        assert loss.item() == 0
        assert all(not gradient.any() for gradient in gradients(model, loss).values())


def test_the_compiled_tiles_are_the_same(monkeypatch):
    monkeypatch.setattr(loss_head, "_TILE_TOKENS", 3)
    fused = torch.compile(loss_head._tile, dynamic=True, fullgraph=True, backend="aot_eager")
    monkeypatch.setattr(loss_head, "_compiled_tile", fused)
    model = frozen_head(False)
    expected = gradients(model, model(input_ids=IDS, labels=LABELS).loss)
    give_loss_head(model, compiled=True)
    loss = model(input_ids=IDS, **where_trained()) / TRAINED
    torch.testing.assert_close(gradients(model, loss), expected, rtol=1e-5, atol=1e-6)


def test_tiles_in_float32_are_not_compiled(monkeypatch):
    """They are used up, and compiled code of torch 2.11 read what it had overwritten: a loss of 460
    for these instead of 396."""
    monkeypatch.setattr(loss_head, "_compile", None)
    torch.manual_seed(0)
    logits, targets = torch.randn(64, 300), torch.randint(0, 300, (64,))
    right = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    loss, _ = loss_head._compiled_tile(logits.clone(), targets)
    torch.testing.assert_close(loss, right)


def test_a_call_that_names_no_targets_is_answered_as_ever(tiny_model_folder, tokenizer):
    """Logits, the model's own loss, and what generate says."""
    model = AutoModelForCausalLM.from_pretrained(tiny_model_folder)
    asked = {"max_new_tokens": 8, "do_sample": False, "pad_token_id": tokenizer.pad_token_id}

    def answers():
        with torch.no_grad():
            output = model(input_ids=IDS, labels=LABELS)
            said = model.generate(input_ids=IDS, **asked)
        return output.logits, output.loss, said

    before = answers()
    assert give_loss_head(model, compiled=False)
    assert all(map(torch.equal, answers(), before))
    assert before[2].shape == (2, 14)


MAMBA = {"mamba_d_ssm": 32, "mamba_n_heads": 2, "mamba_d_head": 16, "mamba_d_state": 8}
CHANGED = {
    "capped": lambda: Gemma2ForCausalLM(Gemma2Config(**SMALL, final_logit_softcapping=30.0)),
    "divided": lambda: GraniteForCausalLM(
        GraniteConfig(**{k: v for k, v in SMALL.items() if k != "head_dim"}, logits_scaling=8.0)
    ),
    "multiplied": lambda: FalconH1ForCausalLM(
        FalconH1Config(**SMALL, **MAMBA, mamba_n_groups=1, lm_head_multiplier=0.5)
    ),
}


@pytest.mark.parametrize("kind", CHANGED)
def test_logits_that_are_more_than_the_heads_product_are_refused(kind):
    """Their own loss is kept: a call that names targets would be a mistake."""
    torch.manual_seed(0)
    model = CHANGED[kind]().eval()
    forward = model.forward
    assert not give_loss_head(model, compiled=False)
    assert model.forward == forward


def test_a_head_with_an_adapter_is_refused():
    model = get_peft_model(qwen(False), LoraConfig(target_modules=["lm_head", "q_proj"]))
    assert not give_loss_head(model.get_base_model(), compiled=False)


def test_a_head_on_another_device_than_the_last_layers():
    """As a tied one is, of a model that is spread over two GPUs: it lies with the first layers.
    Here they are the processor and torch's meta device."""
    head = mock.Mock(weight=torch.empty(5, 8, device="meta"), bias=None)
    model = mock.Mock(**{"get_output_embeddings.return_value": head})
    model.base_model.return_value.last_hidden_state = torch.randn(1, 6, 8)
    at, targets = torch.tensor([1, 2, 5]), torch.tensor([4, 0, 2])
    loss = loss_head._loss_sum(model, {}, targets, at, compiled=False)
    assert loss.device == head.weight.device
