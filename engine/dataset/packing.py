"""Short rows share one sequence and do not see each other: best-fit packing, and padding."""

import bisect

from engine.dataset.tokens import IGNORED, Encoded


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


def alone(row: Encoded) -> dict[str, list[int]]:
    """A row as a sequence of its own."""
    return join([{"input_ids": row.input_ids, "labels": row.labels}])


def padded(
    rows: list[dict[str, list[int]]], pad_token_id: int, multiple: int = 1
) -> dict[str, list[list[int]]]:
    """Sequences side by side, padded on the right to a multiple that holds the longest.

    There is no attention mask: Transformers reads the boundaries from position_ids (its
    masking_utils), and the padding is one more row that nobody sees and nothing learns from.
    """
    longest = max(len(row["input_ids"]) for row in rows)
    longest += -longest % multiple
    fill = {"input_ids": pad_token_id, "labels": IGNORED}
    side: dict[str, list[list[int]]] = {"input_ids": [], "labels": [], "position_ids": []}
    for row in rows:
        gap = longest - len(row["input_ids"])
        for name, value in fill.items():
            side[name].append(row[name] + [value] * gap)
        side["position_ids"].append(row["position_ids"] + list(range(gap)))
    return side
