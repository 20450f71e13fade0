"""A step of decoding on a processor: a large weight times a few rows.

How long that takes depends on how the machine's product library is asked. On an AMD EPYC (2 cores,
float32, 2026-11-22) a weight of 151,936 x 896 takes 34, 94 and 79 ms for 1, 2 and 4 rows; with the
rows turned to columns (a single one twice) 19, 19 and 22; one of 2,048 x 11,008 takes 3.6, 7.4 and
10.1, or 4.6, 4.6 and 7.5. So the first calls of each shape are made both ways, and timed: tried
beforehand, on a weight that lies in the cache, the slower may be the faster.
"""

import time

import torch
import torch.nn.functional as F
from torch import Tensor

_MOST_ROWS = 16
_SMALLEST = 1 << 18  # numbers in a weight; a smaller one lies in a core's cache
_TRIALS = 4  # of each way


def fits(weight: Tensor) -> bool:
    return (
        weight.device.type == "cpu" and weight.dtype == torch.float32 and weight.numel() > _SMALLEST
    )


def takes(x: Tensor) -> bool:
    """Whether x [rows, tokens, in] is one token for each of a few rows."""
    return x.dim() == 3 and x.shape[1] == 1 and len(x) <= _MOST_ROWS and x.dtype == torch.float32


def product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """As torch.nn.functional.linear, for what `fits` and `takes` say."""
    case = len(x), *weight.shape
    trials = _trials.setdefault(case, Trials())
    way = trials.way
    if trials.decided:
        return way(x, weight, bias)
    begin = time.perf_counter()
    out = way(x, weight, bias)
    trials.took(time.perf_counter() - begin)
    return out


def turned(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    columns = (x if len(x) > 1 else torch.cat([x, x]))[:, 0].t()
    out = torch.mm(weight, columns).t()[: len(x)].contiguous().unsqueeze(1)
    return out if bias is None else out.add_(bias)


class Trials:
    """Two ways in turns, until the faster is known."""

    def __init__(self) -> None:
        self.way, self._other = F.linear, turned
        self._best = {F.linear: float("inf"), turned: float("inf")}
        self._left = 2 * _TRIALS

    @property
    def decided(self) -> bool:
        return self._left == 0

    def took(self, seconds: float) -> None:
        self._best[self.way] = min(self._best[self.way], seconds)
        self.way, self._other = self._other, self.way
        self._left -= 1
        if self.decided:
            self.way = min(self._best, key=self._best.get)


_trials: dict[tuple[int, ...], Trials] = {}  # by rows and the shape of the weight
