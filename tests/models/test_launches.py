"""Triton launches on the current card, not on that of the tensors: of a model that lies on several,
each operator goes to the card of its own."""

import contextlib
import sys
from types import SimpleNamespace

import bitsandbytes as bnb
import pytest
import torch

from engine.models import few_rows, frozen, packed_attention

CPU = torch.device("cpu")
KERNELS = {
    "few_rows": ("matrix", "four_bit", "attend_part", "attend_whole"),
    "frozen": ("int8_rows",),
    "packed_attention": ("forward", "backward_q", "backward_kv"),
}


@pytest.fixture
def launches(monkeypatch):
    """(kernel, what was made the current device) of each launch; no kernel runs."""
    seen, current = [], []

    @contextlib.contextmanager
    def device(one):
        current.append(one)
        yield
        current.pop()

    class Kernel:
        def __init__(self, name):
            self.name = name

        def __getitem__(self, grid):
            return lambda *_, **__: seen.append((self.name, *current))

    monkeypatch.setattr(torch.cuda, "device", device)
    for module, names in KERNELS.items():
        kernels = SimpleNamespace(**{name: Kernel(name) for name in names})
        monkeypatch.setitem(sys.modules, f"engine.models.{module}_kernels", kernels)
        monkeypatch.setattr(f"engine.models.{module}_kernels", kernels, raising=False)
    monkeypatch.setattr(few_rows, "_stream", lambda _: 0)
    monkeypatch.setattr(frozen, "runs_kernels", lambda _: True)
    return seen


def random(*shape):
    return torch.randn(*shape, dtype=torch.bfloat16)


def test_a_product_of_a_few_rows(launches):
    plain = [random(32, 64)]
    few_rows.rows_linear(random(2, 1, 64), plain, "plain", [32, 64], None, None, None, None)
    weight = bnb.nn.Params4bit(torch.randn(32, 64), quant_type="nf4", compress_statistics=False)
    layer = torch.nn.Linear(64, 32)
    layer.weight = weight.to("cpu")
    kind, packed, numbers = frozen.frozen_weight(layer)
    few_rows.rows_linear(random(2, 1, 64), packed, kind, numbers, None, None, None, None)
    assert launches == [("matrix", CPU), ("four_bit", CPU)]


def test_attention_of_a_few_rows(launches):
    q, k, keys = random(2, 4, 1, 16), random(2, 2, 1, 16), random(2, 2, 8, 16)
    starts, written = torch.zeros(2, dtype=torch.int32), torch.zeros(1, dtype=torch.int32)
    few_rows.rows_attend(q, k, k, keys, keys.clone(), starts, written, 0.25, 0)
    assert launches == [("attend_part", CPU), ("attend_whole", CPU)]


def test_an_eight_bit_weight(launches):
    weight = torch.ones(4, 8, dtype=torch.int8), torch.ones(4)
    frozen.dense(weight, "int8", [4, 8], torch.bfloat16)
    assert launches == [("int8_rows", CPU)]


def test_packed_attention(launches):
    q, k = random(6, 4, 16).requires_grad_(), random(6, 2, 16)
    ends = torch.tensor([0, 2, 6], dtype=torch.int32)
    packed_attention.attend(q, k, k.clone(), ends, 0.25).sum().backward()
    assert launches == [(name, CPU) for name in ("forward", "backward_q", "backward_kv")]
