"""On a CUDA device: every way a base can be stored trains, falls, is kept, and speaks; the card's
memory is read from NVML. Run with `python -m pytest -m gpu`."""

import json

import pytest

from engine.config import TrainConfig
from engine.hardware import memory_now
from engine.training import runs

pytestmark = pytest.mark.gpu

WAYS = {
    "plain": {},
    "4bit": {"load_in_4bit": True},
    "8bit": {"load_in_8bit": True},
    "checkpointing": {"gradient_checkpointing": True},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_trains_and_its_adapter_speaks(way):
    from engine.chat.voices import Voices
    from engine.models.load import Quantization
    from engine.training.train import train

    changes = {"max_steps": 30, "learning_rate": 3e-3, "max_length": 256} | WAYS[way]
    config = TrainConfig(dataset="lighthouse-keeper", **changes)
    path = runs.create(config)
    assert train(path) == 0
    losses = [row["loss"] for row in runs.get(path.name).metrics() if "loss" in row]
    assert len(losses) == 30
    assert losses[-1] < 0.6 * losses[0]
    memory = json.loads((path / "status.json").read_text())["peak_gib"]
    assert 0 < memory < 4

    quantization = Quantization(config.load_in_4bit, config.load_in_8bit)
    voices = Voices.load("sprout", [str(path / "adapter")], quantization)
    turns = [{"role": "user", "content": "How are you?"}]
    *_, last = voices.answer(dict.fromkeys(voices.names, turns), temperature=0)
    assert last["base"]["checksum"] != last["adapter"]["checksum"]
    assert last["adapter"]["text"]


METHODS = {
    "dora": {"use_dora": True},
    "dora on 4 bits": {"use_dora": True, "load_in_4bit": True},
    "pissa": {"init_lora_weights": "pissa"},
    "adalora": {"peft_type": "adalora"},
    "ia3": {"peft_type": "ia3", "learning_rate": 3e-2},
    "oft": {"peft_type": "oft"},
    "prompt tuning": {"peft_type": "prompt_tuning", "packing": False, "learning_rate": 0.1},
    "p-tuning": {"peft_type": "p_tuning", "packing": False, "learning_rate": 1e-2},
    "prefix tuning": {"peft_type": "prefix_tuning", "packing": False, "learning_rate": 0.1},
    "full": {"peft_type": "full", "learning_rate": 1e-3},
    "8-bit optimiser": {"optim": "adamw_8bit"},
    "paged optimiser": {"optim": "paged_adamw_8bit"},
    "lion": {"optim": "lion_8bit", "learning_rate": 1e-3},
    "spread": {"device_map": "auto"},
}


@pytest.mark.parametrize("method", METHODS)
def test_a_method_trains_in_half_precision_and_speaks(method):
    from engine.chat.voices import Voices
    from engine.models.load import Quantization
    from engine.training.train import train

    changes = {"max_steps": 20, "learning_rate": 3e-3, "max_length": 256} | METHODS[method]
    config = TrainConfig(dataset="lighthouse-keeper", **changes)
    path = runs.create(config)
    assert train(path) == 0, runs.get(path.name).message.en
    evals = [row["eval_loss"] for row in runs.get(path.name).metrics() if "eval_loss" in row]
    assert evals[-1] < evals[0]
    assert set(runs.get(path.name).placement().values()) <= {"cuda:0", "cuda:1"}
    quantization = Quantization(load_in_4bit=config.load_in_4bit)
    voices = Voices.load("sprout", [str(path / "adapter")], quantization)
    turns = [{"role": "user", "content": "How are you?"}]
    *_, last = voices.answer(dict.fromkeys(voices.names, turns), temperature=0)
    assert last["base"]["checksum"] != last["adapter"]["checksum"]


def test_memory_comes_from_the_card():
    memory = memory_now()
    assert all(one.is_gpu and "NVIDIA" in one.name for one in memory)
    assert all(one.total_gib > one.free_gib > 0 for one in memory)


def test_no_token_waits_for_a_plan_of_attention():
    """Two prompts of different length, so that there is a mask, and a new length at each step."""
    import torch

    from engine.chat.batch import Batch
    from engine.chat.sampling import checked
    from engine.chat.voices import Voices
    from engine.models.load import Quantization

    voices = Voices.load("sprout", [], Quantization())
    turns = [[{"role": "user", "content": text}] for text in ("Hello!", "How is the sea today?")]
    batch = Batch(voices.tuned, [voices.speaker("base", one, checked({})) for one in turns])
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as profile:
        for _ in range(4):
            batch.step()
    operators = {event.key for event in profile.key_averages()}
    assert "aten::scaled_dot_product_attention" in operators
    assert not any("cudnn" in name for name in operators)
