"""Short rows share one sequence and do not see each other: best-fit packing, and the collator."""

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.dataset.tokens import IGNORED

if TYPE_CHECKING:
    import torch


def pack(lengths: list[int], capacity: int) -> list[list[int]]:
    """Indices of the rows that share a bin; no bin holds more than `capacity` tokens.

    Best-fit decreasing (Johnson 1974): the longest first, each into the fullest bin it fits.
    """
    bins: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (free tokens, bin), sorted
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        at = bisect.bisect_left(room, (lengths[index], -1))
        if at == len(room):
            bins.append([index])
            bisect.insort(room, (capacity - lengths[index], len(bins) - 1))
        else:
            free, number = room.pop(at)
            bins[number].append(index)
            bisect.insort(room, (free - lengths[index], number))
    return bins


def join(rows: list[dict[str, list[int]]]) -> dict[str, list[int]]:
    """Several rows as one sequence; position_ids that begin anew are what keeps them apart."""
    joined: dict[str, list[int]] = {"input_ids": [], "labels": [], "position_ids": []}
    for row in rows:
        joined["input_ids"] += row["input_ids"]
        joined["labels"] += [IGNORED, *row["labels"][1:]]
        joined["position_ids"] += range(len(row["input_ids"]))
    return joined


@dataclass(frozen=True, slots=True)
class Collator:
    """Pads sequences on the right to the longest of the batch, or a little further to a multiple;
    `real_tokens` counts the others.

    There is no attention mask: Transformers reads the boundaries from position_ids (its
    masking_utils), and the padding is one more sequence that nobody sees and nothing learns from.
    """

    pad_token_id: int
    pad_to_multiple_of: int = 1

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, "torch.Tensor | int"]:
        import torch

        longest = max(len(row["input_ids"]) for row in rows)
        longest = -(-longest // self.pad_to_multiple_of) * self.pad_to_multiple_of
        fill = {"input_ids": self.pad_token_id, "labels": IGNORED}
        batch: dict[str, Any] = {name: [] for name in ("input_ids", "labels", "position_ids")}
        for row in rows:
            gap = longest - len(row["input_ids"])
            for name, value in fill.items():
                batch[name].append(row[name] + [value] * gap)
            batch["position_ids"].append(row["position_ids"] + list(range(gap)))
        tensors = {name: torch.tensor(values) for name, values in batch.items()}
        return tensors | {"real_tokens": sum(len(row["input_ids"]) for row in rows)}
