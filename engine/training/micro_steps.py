"""An optimiser step cut into micro-steps that the memory holds, each laid out as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from engine.dataset.packing import Row, padded, taken_apart
from engine.dataset.tokens import IGNORED
from engine.models.attention import boundaries
from engine.transfers import to_device


@dataclass(frozen=True, slots=True)
class Batch:
    """One micro-step: what the model takes, and where which next token is trained."""

    inputs: dict[str, Any]
    is_usual: bool  # of the shape that compiled layers know
    labels: torch.Tensor  # [rows, tokens], as Transformers takes them
    targets: torch.Tensor  # [trained]
    at: torch.Tensor  # [trained], flat positions of the tokens before them


class Layout:
    """How sequences become tensors: one after the other where the attention knows boundaries
    (`flat`), else side by side, padded to the longest; both filled up to a multiple. `apart`: so
    are the rows of a pack, for a model that would let them see each other."""

    def __init__(
        self,
        pad_token_id: int,
        *,
        flat: bool,
        capacity: int,
        longest: int,
        multiple: int = 1,
        one_shape: bool = False,
        apart: bool = False,
    ):
        """All in tokens: `capacity` of a micro-step, `longest` row, `multiple` of the filling.
        `one_shape`: what fills more than two thirds of the capacity is filled up to all of it;
        less is faster as it is (without the compiled layers an H200 does 15,000 tokens a second
        instead of 19,000)."""
        self.pad_token_id, self.flat, self.longest = pad_token_id, flat, longest
        self.capacity, self.multiple, self.one_shape = capacity, multiple, one_shape
        self.apart = apart

    def halve(self, sequences: Sequence[Row]) -> bool:
        """Half of the tokens in a micro-step; False when it holds a single sequence already."""
        longest = max(len(one["input_ids"]) for one in self._pieces(sequences))
        if self.capacity <= longest:
            return False
        self.capacity = max(self.capacity // 2, longest)
        return True

    def cut(self, sequences: Sequence[Row]) -> list[list[Row]]:
        """In their order, as many together as fit; what was taken apart by length."""
        parts: list[list[Row]] = [[]]
        for one in self._pieces(sequences):
            if parts[-1] and self._size([*parts[-1], one]) > self.capacity:
                parts.append([])
            parts[-1].append(one)
        return parts

    def _pieces(self, sequences: Sequence[Row]) -> Sequence[Row]:
        if not self.apart:
            return sequences
        rows = [row for one in sequences for row in taken_apart(one)]
        return sorted(rows, key=lambda row: len(row["input_ids"]), reverse=True)

    def _size(self, part: list[Row]) -> int:
        lengths = [len(one["input_ids"]) for one in part]
        return sum(lengths) if self.flat else max(lengths) * len(lengths)

    def batch(self, part: list[Row], device: torch.device) -> Batch:
        """Tensors on `device`."""
        size = self._size(part)
        is_usual = self.one_shape and 3 * size > 2 * self.capacity
        if self.flat:
            rows = self._one_after_the_other(part, self.capacity if is_usual else self.multiple)
        else:
            rows = padded(part, self.pad_token_id, self.multiple)
        ids, labels, positions = (
            torch.from_numpy(rows[name]) for name in ("input_ids", "labels", "position_ids")
        )
        following = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORED).flatten()
        at = (following != IGNORED).nonzero()[:, 0]
        inputs = {"input_ids": to_device(ids, device), "position_ids": to_device(positions, device)}
        if self.flat:
            begins = (positions[0] == 0).nonzero()[:, 0]
            ends = torch.nn.functional.pad(begins, (0, 1), value=positions.numel())
            inputs |= boundaries(to_device(ends.to(torch.int32), device), self.longest)
        last = (to_device(one, device) for one in (labels, following[at], at))
        return Batch(inputs, is_usual, *last)

    def _one_after_the_other(self, part: list[Row], multiple: int) -> Row:
        """What is left is filled with rows of padding from which nothing learns."""
        gap = -self._size(part) % multiple
        fill = {
            "input_ids": np.full(gap, self.pad_token_id),
            "labels": np.full(gap, IGNORED),
            "position_ids": np.arange(gap) % self.longest,
        }
        return {name: np.concatenate([one[name] for one in [*part, fill]])[None] for name in fill}
