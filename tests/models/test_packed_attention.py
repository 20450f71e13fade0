"""What packed attention is told of rows, and when it is used. The kernels are proved in
tests/gpu."""

import subprocess
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.models import attention, packed_attention
from tests.models.test_attention import model_of


def test_spans_exactly():
    ends = torch.tensor([0, 3, 4, 8], dtype=torch.int32)
    first, last = packed_attention.spans(ends, 8)
    assert first.tolist() == [0, 0, 0, 3, 4, 4, 4, 4]
    assert last.tolist() == [3, 3, 3, 4, 8, 8, 8, 8]
    first, last = packed_attention.spans(ends, 8, window=2)
    assert first.tolist() == [0, 0, 1, 3, 4, 4, 5, 6]
    assert last.tolist() == [2, 3, 3, 4, 6, 7, 8, 8]
    assert first.dtype == last.dtype == torch.int32


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.integers(0, 12))
def test_a_token_sees_its_row_and_window_from_either_side(lengths, window):
    """By its first key, as the kernels of queries read it, and by a key's last query; both rise,
    for a block looks at those of its edges alone."""
    rows = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    ends = torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)
    first, last = packed_attention.spans(ends, len(rows), window)
    i, j = torch.arange(len(rows))[:, None], torch.arange(len(rows))
    seen = (rows[:, None] == rows) & (j <= i)
    if window:
        seen &= i - j < window
    assert torch.equal((first[:, None] <= j) & (j <= i), seen)
    assert torch.equal((j <= i) & (i < last), seen)
    assert (first.diff() >= 0).all()
    assert (last.diff() >= 0).all()


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("hold", [True, False])
def test_our_kernels_come_first_where_they_hold_and_are_wanted(monkeypatch, wanted, hold):
    """Tried with heads like the model's: four of 16 over two of keys."""
    asked = []
    monkeypatch.setattr(packed_attention, "holds", lambda *shape: asked.append(shape) or hold)
    device = torch.device("cuda")
    card = SimpleNamespace(device=device, dtype=torch.bfloat16, config=model_of().config)
    names = [name for name, _ in attention._kernels(card, wanted)]
    assert names == ["packed"] * (wanted and hold) + ["varlen"]
    assert asked == [(device, torch.bfloat16, 4, 2, 16)] * wanted


def test_where_the_first_refuse_the_next_are_taken(monkeypatch, capsys):
    def refuses(*args):
        raise RuntimeError("keys, values and queries of different widths")

    kernels = [("packed", refuses), ("varlen", attention._one_after_the_other)]
    monkeypatch.setattr(attention, "_kernels", lambda model, ours: kernels)
    model = model_of()
    assert attention.use_varlen(model)
    assert model.config._attn_implementation == "varlen"
    said = "No attention over rows: keys, values and queries of different widths\n"
    assert capsys.readouterr().out == said


SHAPE = (torch.bfloat16, 4, 2, 16)


def test_a_cpu_runs_no_kernels():
    assert not packed_attention.holds(torch.device("cpu"), *SHAPE)


@pytest.mark.parametrize("capability", [(8, 9), (9, 0), (12, 0)])
def test_they_are_tried_where_they_were_measured(monkeypatch, capability):
    monkeypatch.setattr(packed_attention, "runs_kernels", lambda device: True)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: capability)
    monkeypatch.setattr(packed_attention, "_is_torchs", lambda *shape: True)
    holds = packed_attention.holds.__wrapped__
    assert holds(torch.device("cuda"), *SHAPE) is (capability == (9, 0))


def test_a_launcher_that_cannot_be_built_is_said(monkeypatch, capsys):
    def unbuilt(*shape):
        raise subprocess.CalledProcessError(1, ["gcc"])

    monkeypatch.setattr(packed_attention, "runs_kernels", lambda device: True)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(packed_attention, "_is_torchs", unbuilt)
    assert not packed_attention.holds.__wrapped__(torch.device("cuda"), *SHAPE)
    assert capsys.readouterr().out.startswith("No packed attention: Command '['gcc']'")
