"""What is copied between host and device is what was there, whichever device it is."""

import torch

from engine.transfers import Arriving, to_device


def test_on_a_processor_nothing_is_copied():
    tensor = torch.arange(5)
    assert to_device(tensor, torch.device("cpu")) is tensor
    assert Arriving(tensor).read() is tensor
