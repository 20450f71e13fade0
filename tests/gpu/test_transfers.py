"""Copies do not wait for what the GPU has to do besides. Run with `python -m pytest -m gpu`."""

import pytest
import torch

from engine.transfers import Arriving, to_device

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda")


@pytest.fixture
def busy():
    """Gives the GPU work for about a second; returns whether that is over."""
    torch.zeros(1, device=GPU)
    torch.cuda._sleep(1000)
    torch.cuda.synchronize()

    def begin():
        torch.cuda._sleep(2_000_000_000)
        over = torch.cuda.Event()
        over.record()
        return over.query

    return begin


def test_a_copy_to_the_gpu_lets_the_host_go_on(busy):
    """Of a size that from memory that is not pinned is waited for; also of nothing."""
    tensor = torch.arange(1_000_000)
    is_over = busy()
    there, nothing = to_device(tensor, GPU), to_device(tensor[:0], GPU)
    assert not is_over()
    del tensor
    assert torch.equal(there.cpu(), torch.arange(1_000_000))
    assert nothing.shape == (0,)


def test_what_arrives_is_read_while_later_work_goes_on(busy):
    tensor = torch.arange(3, device=GPU)
    arriving = Arriving(tensor)
    is_over = busy()
    tensor.zero_()
    assert arriving.read().tolist() == [0, 1, 2]
    assert not is_over()
