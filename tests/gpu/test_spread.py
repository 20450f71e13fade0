"""One model laid over two GPUs learns what it learns on one. Run with `python -m pytest -m gpu`."""

import pytest
import torch
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

from engine.config import TrainConfig
from engine.models import load
from engine.places import DATA_DIR, SPROUT
from engine.training import runs
from engine.training.train import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs"),
]

LAYERS = 4
BASES = {  # how it is stored, and which of its parts hold a weight together
    "plain": ({}, False),
    "plain, tied": ({}, True),
    "4-bit": ({"load_in_4bit": True}, False),
    "8-bit": ({"load_in_8bit": True}, False),
    "checkpointing": ({"gradient_checkpointing": True}, False),
    "DoRA": ({"use_dora": True}, False),
    "full": ({"peft_type": "full", "learning_rate": 1e-4}, False),
    "full, tied": ({"peft_type": "full", "learning_rate": 1e-4}, True),
}


@pytest.fixture(scope="module")
def make_base(tmp_path_factory):
    def make(tied):
        torch.manual_seed(0)
        tokenizer = AutoTokenizer.from_pretrained(DATA_DIR / SPROUT)
        config = Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=LAYERS,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=64,
            max_position_embeddings=512,
            tie_word_embeddings=tied,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        folder = tmp_path_factory.mktemp("base")
        Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)

    return make


def spread(tied):
    """The first half and the embeddings on the first card, the rest on the second."""
    layers = {f"model.layers.{one}": int(one >= LAYERS // 2) for one in range(LAYERS)}
    ends = {"model.embed_tokens": 0, "model.rotary_emb": 0, "model.norm": 1, "lm_head": 1 - tied}
    return layers | ends


def curve(config):
    path = runs.create(config)
    assert train(path) == 0, runs.get(path.name).message.en
    run = runs.get(path.name)
    return [row["loss"] for row in run.metrics() if "loss" in row], set(run.placement().values())


@pytest.mark.parametrize("kind", BASES)
def test_the_curve_is_that_of_one_card(kind, make_base, monkeypatch):
    """Compiled where the method can be: 50 steps are worth it."""
    options, tied = BASES[kind]
    shared = {"max_steps": 50, "learning_rate": 3e-3, "max_length": 256, "seed": 1}
    named = {"model_name_or_path": make_base(tied), "dataset": "lighthouse-keeper"}
    alone, where = curve(TrainConfig(**shared | named | options))
    assert where == {"cuda:0"}
    monkeypatch.setattr(load, "_device_map", lambda *_: spread(tied))
    apart, where = curve(TrainConfig(**shared | named | options, device_map="auto"))
    assert where == {"cuda:0", "cuda:1"}
    assert len(alone) == 50
    assert alone[-1] < 0.95 * alone[0]
    assert apart == pytest.approx(alone, rel=0.02)


@pytest.mark.parametrize("options", [{}, {"load_in_4bit": True}, {"peft_type": "full"}])
def test_a_model_that_one_card_holds_is_trained_there(options, make_base, monkeypatch):
    """Wherever Accelerate put it, and not by copies on both."""
    monkeypatch.setattr(load, "_device_map", lambda *_: {"": 1})
    config = TrainConfig(
        model_name_or_path=make_base(False),
        dataset="lighthouse-keeper",
        max_steps=8,
        max_length=256,
        device_map="balanced_low_0",
        **options,
    )
    losses, where = curve(config)
    assert (len(losses), where) == (8, {"cuda:0"})
