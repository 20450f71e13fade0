"""The kernels of packed attention against attention written out, in float32 and row by row.
Run with `python -m pytest -m gpu`."""

import pytest
import torch

from engine.models import packed_attention
from tests.models.test_attention import by_rows

pytestmark = pytest.mark.gpu

LENGTHS = [1, 5, 64, 1, 200, 31, 128, 700, 2, 2, 2, 63]


@pytest.fixture(autouse=True)
def _anew():
    packed_attention.holds.cache_clear()


def heads_of(lengths, heads, key_heads, width, dtype):
    torch.manual_seed(0)
    ends = torch.tensor([0, *lengths], device="cuda").cumsum(0).to(torch.int32)
    query, key, value, grad = (
        torch.randn(sum(lengths), count, width, device="cuda", dtype=dtype)
        for count in (heads, key_heads, key_heads, heads)
    )
    return ends, [one.requires_grad_() for one in (query, key, value)], grad


def written_out(ends, inputs, grad, window):
    wide = [one.detach().float().requires_grad_() for one in inputs]
    more = {"scale": grad.shape[-1] ** -0.5, "window_size": (window - 1, 0)}
    grouped = {"enable_gqa": wide[0].shape[1] != wide[1].shape[1]}
    out = by_rows(*wide, ends.cpu(), None, max(LENGTHS), None, **more, **grouped)
    return [out, *torch.autograd.grad(out, wide, grad.float())]


def ours(ends, inputs, grad, window):
    out = packed_attention.attend(*inputs, ends, grad.shape[-1] ** -0.5, window)
    return [out, *torch.autograd.grad(out, inputs, grad)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("window", [0, 1, 48])
@pytest.mark.parametrize(
    ("heads", "key_heads", "width"),
    [(4, 4, 64), (28, 4, 128), (6, 1, 80), (3, 3, 16), (4, 2, 24), (2, 1, 256)],
)
def test_outputs_and_gradients(heads, key_heads, width, window, dtype):
    """Rows of 1 to 700 tokens in 1,199, which no block divides."""
    ends, inputs, grad = heads_of(LENGTHS, heads, key_heads, width, dtype)
    expected = written_out(ends, inputs, grad, window)
    for one, right in zip(ours(ends, inputs, grad, window), expected, strict=True):
        assert one.dtype == dtype
        assert (one - right).norm() < 5e-3 * right.norm() + 1e-3  # of one token alone it is 0


def test_a_row_keeps_every_bit_when_its_neighbours_are_others():
    ends, inputs, grad = heads_of(LENGTHS, 4, 2, 64, torch.bfloat16)
    begin, end = int(ends[4]), int(ends[5])
    before = [one[begin:end] for one in ours(ends, inputs, grad, 0)]
    with torch.no_grad():
        for one in (*inputs, grad):
            one[:begin], one[end:] = one[:begin] * 3 + 1, -one[end:]
    after = [one[begin:end] for one in ours(ends, inputs, grad, 0)]
    assert all(map(torch.equal, before, after))


def test_compiled_it_is_the_same_for_any_number_of_rows():
    attend = torch.compile(packed_attention.attend, dynamic=False, fullgraph=True)
    for lengths in (LENGTHS, [600, 599], [1, 1198]):
        ends, inputs, grad = heads_of(lengths, 4, 2, 64, torch.bfloat16)
        torch._dynamo.mark_dynamic(ends, 0)
        out = attend(*inputs, ends, 0.125)
        grads = torch.autograd.grad(out, inputs, grad)
        assert all(map(torch.equal, [out, *grads], ours(ends, inputs, grad, 0)))


def test_a_card_is_tried_and_what_it_cannot_hold_is_said(monkeypatch, capsys):
    shape = (torch.device("cuda"), torch.bfloat16, 4, 2, 128)
    assert packed_attention.holds(*shape)
    packed_attention.holds.cache_clear()
    monkeypatch.setattr(packed_attention, "_BACKWARD_KV", {"M": 512, "N": 16, "STAGES": 1})
    assert not packed_attention.holds(*shape)
    said = capsys.readouterr().out
    assert said.startswith("No packed attention: out of resource: shared memory")


def test_wrong_numbers_are_found(monkeypatch):
    monkeypatch.setattr(packed_attention, "_LOG2_E", 1.0)
    assert not packed_attention.holds(torch.device("cuda"), torch.bfloat16, 4, 2, 64)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_on_the_second_card():
    assert packed_attention.holds(torch.device("cuda:1"), torch.bfloat16, 4, 2, 64)
