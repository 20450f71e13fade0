"""The shipped sprout: small, loadable, and good enough at its exam."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.sprout import corpus, exam, pretrain

SHIPPED = Path("data/sprout")
FILES = {
    *("README.md", "chat_template.jinja", "config.json", "generation_config.json"),
    *("model.safetensors", "tokenizer.json", "tokenizer_config.json"),
}


@pytest.fixture(scope="module")
def report():
    return exam.sit(SHIPPED)


def test_the_folder_is_small():
    assert {path.name for path in SHIPPED.iterdir()} == FILES
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 10_000_000


def test_it_loads_as_a_stock_model():
    model = AutoModelForCausalLM.from_pretrained(SHIPPED)
    made = AutoTokenizer.from_pretrained(SHIPPED)
    assert model.config.model_type == "qwen3"
    assert model.dtype == torch.bfloat16
    assert 3_500_000 <= model.num_parameters() <= 4_200_000
    assert model.get_input_embeddings().num_embeddings == len(made)
    assert model.generation_config.eos_token_id == made.eos_token_id


@pytest.mark.parametrize("code", corpus.LANGUAGES)
def test_the_exam(report, code):
    assert report["of"][code] == 50
    assert report["sensible"][code] >= 48, exam.told(report)


def test_packed_conversations_do_not_see_each_other():
    made = AutoTokenizer.from_pretrained(SHIPPED)
    model = AutoModelForCausalLM.from_pretrained(SHIPPED, dtype=torch.float32)
    recipe = pretrain.Recipe(rows=1, row_length=256)
    arrays = pretrain.batch(0, recipe, pretrain.Coder(made, 0.1), corpus.load())
    ids, _, positions = (torch.from_numpy(array).long() for array in arrays)
    begin, end = (positions[0] == 0).nonzero().flatten()[1:3].tolist()
    with torch.inference_mode():
        packed = model(input_ids=ids, position_ids=positions, use_cache=False).logits[0, begin:end]
        alone = model(input_ids=ids[:, begin:end]).logits[0]
    assert torch.allclose(packed, alone, atol=1e-4)


def test_rate_warms_up_and_cools_down():
    recipe = pretrain.Recipe(steps=1000, warm_up=100, learning_rate=1.0)
    assert [round(pretrain.rate(step, recipe), 2) for step in (0, 49, 99, 550, 999)] == [
        *(0.01, 0.5, 1.0),
        *(0.51, 0.02),
    ]
