"""Old checkpoints on a CUDA device in bfloat16, plain, 8-bit and 4-bit: their rows stay apart in
varlen attention, and all levers are pulled for them. Run with `python -m pytest -m gpu`."""

import pytest
import torch

from engine.config import TrainConfig
from engine.dataset.packing import join
from engine.errors import Sentence
from engine.hardware import Device
from engine.models.attention import use_varlen
from engine.models.load import Quantization, load_base
from engine.training.assemble import build_model
from engine.training.levers import Levers, foresee, pull
from engine.training.micro_steps import Layout
from tests.models.old import layouts

pytestmark = pytest.mark.gpu

GPU = Device("cuda", "GPU", torch.bfloat16, Sentence("bfloat16", "bfloat16"))
ROWS = [[3 + (7 * n + step * (1 + n % 3)) % 300 for step in range(8 + 3 * n)] for n in range(8)]
SIZES = {
    "chatglm3": layouts.CHATGLM3 | {"hidden_size": 256, "ffn_hidden_size": 512, "kv_channels": 64},
    "qwen": layouts.QWEN
    | {"hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4, "kv_channels": 64},
}
WEIGHTS = {"chatglm3": layouts.chatglm3_weights, "qwen": layouts.qwen_weights}
BITS = {"plain": {}, "8-bit": {"load_in_8bit": True}, "4-bit": {"load_in_4bit": True}}


@pytest.fixture(scope="module", params=SIZES)
def folder(request, tmp_path_factory):
    """Small enough weights for a loss that is not far above chance."""
    config = SIZES[request.param]
    weights = WEIGHTS[request.param](config)
    shrunk = {name: w * (1.0 if w.ndim == 1 else 0.2) for name, w in weights.items()}
    return layouts.write(tmp_path_factory.mktemp("old") / request.param, config, shrunk, files=2)


def batch():
    layout = Layout(0, flat=True, capacity=4096, longest=32, multiple=64)
    rows = [{"input_ids": ids, "labels": [-100, *ids[1:]]} for ids in ROWS]
    return layout.batch([join(rows)], torch.device("cuda"))


@torch.no_grad()
@pytest.mark.parametrize("bits", BITS)
def test_the_loss_through_varlen_is_that_of_sdpa_with_a_block_mask(folder, bits):
    base = load_base(str(folder), GPU, Quantization(**BITS[bits]))
    rows = batch()
    plain = {name: rows.inputs[name] for name in ("input_ids", "position_ids")}
    expected = base(**plain, labels=rows.labels, use_cache=False).loss.item()
    assert use_varlen(base)
    found = base(**rows.inputs, labels=rows.labels, use_cache=False).loss.item()
    assert found == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("bits", BITS)
def test_all_levers_are_pulled_and_it_learns(folder, bits):
    torch.manual_seed(0)
    config = TrainConfig(model_name_or_path=str(folder), lora_r=8, **BITS[bits])
    model = build_model(config, GPU).train()
    levers = pull(model, config, foresee(config, GPU, varlen=True, max_steps=100))
    assert levers == Levers(varlen=True, fused_lora=True, loss_head=True, compiled=True)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    rows, losses = batch(), []
    for _ in range(20):
        loss = model(**rows.inputs, targets=rows.targets, at=rows.at) / len(rows.targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
