"""Copies between the host and a GPU for which neither waits longer than it must."""

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """From the host. On a GPU the copy waits its turn there, and the host goes on: from memory that
    is not pinned it would wait for all that the GPU has to do before."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


class Arriving:
    """A tensor on its way to the host. `read` waits for it alone, not for what the GPU was given
    to do after it."""

    def __init__(self, tensor: Tensor):
        self._here, self._arrived = tensor, None
        if tensor.is_cuda:
            self._here = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            self._here.copy_(tensor, non_blocking=True)
            self._arrived = torch.cuda.Event()
            self._arrived.record(torch.cuda.current_stream(tensor.device))

    def read(self) -> Tensor:
        if self._arrived:
            self._arrived.synchronize()
        return self._here
