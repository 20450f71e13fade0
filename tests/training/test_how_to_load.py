"""The lines by which somebody else loads what was tuned: they run, and load what was saved."""

import sys
from types import SimpleNamespace

import torch

from engine.training.how_to_load import load_code

IDS = torch.tensor([[5, 9, 300]])


def logits(lines):
    """Of the model that the block makes; its tokenizer is there, too."""
    made: dict = {}
    assert (lines[0], lines[-1]) == ("```python", "```")
    exec("\n".join(lines[1:-1]), made)
    assert len(made["tokenizer"]) > 300
    with torch.inference_mode():
        return made["model"].eval()(IDS).logits


def test_what_was_tuned_is_loaded(make_adapter, tiny_model_folder, tmp_path, monkeypatch):
    """An adapter on its base, also on one that ModelScope has; a whole model without any."""
    base, adapter = str(tiny_model_folder), str(make_adapter(tmp_path / 'my "one"', 1))
    alone = logits(load_code("nobody/nothing", base, is_whole=True))
    tuned = logits(load_code(base, adapter, is_whole=False))
    assert not torch.equal(alone, tuned)
    there = SimpleNamespace(snapshot_download={"Qwen/Qwen3-0.6B": base}.get)
    monkeypatch.setitem(sys.modules, "modelscope", there)
    of_modelscope = load_code("modelscope:Qwen/Qwen3-0.6B", adapter, is_whole=False)
    assert torch.equal(logits(of_modelscope), tuned)


def test_sprout_lies_in_greenrooms_folder():
    assert 'base = AutoModelForCausalLM.from_pretrained("data/sprout")' in load_code(
        "sprout", "adapter", is_whole=False
    )
