"""A few rows on a processor: both ways say the same, and the faster is kept."""

import pytest
import torch
import torch.nn.functional as F

from engine.models import few_rows_host
from engine.models.few_rows_host import Trials, turned
from engine.models.row_lora import read_frozen


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("bias", [False, True])
def test_turned_rows_say_the_same(rows, bias):
    x, weight = torch.randn(rows, 1, 24), torch.randn(40, 24)
    given = torch.randn(40) if bias else None
    said = turned(x, weight, given)
    assert said.shape == (rows, 1, 40)
    assert said.is_contiguous()  # what comes after would be slower otherwise
    torch.testing.assert_close(said, F.linear(x, weight, given), atol=1e-5, rtol=1e-5)


def test_both_ways_are_tried_in_turns_and_the_faster_is_kept():
    """By the best of each: the first of a way may wait for what is not loaded yet."""
    seconds = {F.linear: [9, 3, 4, 3], turned: [20, 2, 5, 8]}
    trials, tried = Trials(), []
    while not trials.decided:
        tried.append(trials.way)
        trials.took(seconds[trials.way].pop(0))
    assert tried == [F.linear, turned] * 4
    assert trials.way is turned


@pytest.fixture
def counted(monkeypatch):
    """What is asked of `product`, (rows, numbers in the weight), with weights of 100 numbers as
    large ones."""
    asked = []
    plain = few_rows_host.product

    def product(x, weight, bias):
        asked.append((len(x), weight.numel()))
        return plain(x, weight, bias)

    monkeypatch.setattr(few_rows_host, "_SMALLEST", 100)
    monkeypatch.setattr(few_rows_host, "product", product)
    return asked


def test_only_a_step_of_few_rows_through_a_large_weight(counted):
    """Not a prompt, not many rows, not a small weight and not another precision."""
    model = torch.nn.Sequential(torch.nn.Linear(8, 20), torch.nn.Linear(20, 3)).requires_grad_(
        False
    )
    given = [torch.randn(rows, tokens, 8) for rows, tokens in ((2, 1), (16, 1), (17, 1), (2, 3))]
    expected = [model(x) for x in given]
    read_frozen(model)
    for x, right in zip(given, expected, strict=True):
        torch.testing.assert_close(model(x), right, atol=1e-6, rtol=1e-6)
    assert counted == [(2, 160), (16, 160)]
    model.double()(given[0].double())
    assert len(counted) == 2
