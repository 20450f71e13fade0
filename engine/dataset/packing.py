"""Short rows share one sequence and do not see each other: best-fit packing, and padding."""

import bisect

import numpy as np

from engine.dataset.tokens import IGNORED, Encoded

Row = dict[str, np.ndarray]  # input_ids, labels and position_ids of a sequence, int64 [tokens]


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


def join(rows: list[Row]) -> Row:
    """Several rows as one sequence; position_ids that begin anew are what keeps them apart."""
    lengths = [len(row["input_ids"]) for row in rows]
    ids, labels = (np.concatenate([row[name] for row in rows]) for name in ("input_ids", "labels"))
    labels[np.cumsum([0, *lengths[:-1]])] = IGNORED
    positions = np.concatenate([np.arange(length) for length in lengths])
    return {"input_ids": ids, "labels": labels, "position_ids": positions}


def taken_apart(sequence: Row) -> list[Row]:
    """The rows of a sequence, each as one of its own."""
    starts = (sequence["position_ids"] == 0).nonzero()[0][1:]
    columns = {name: np.split(value, starts) for name, value in sequence.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def alone(row: Encoded) -> Row:
    """A row as a sequence of its own."""
    return join([{"input_ids": np.array(row.input_ids), "labels": np.array(row.labels)}])


def count_trained(row: Row) -> int:
    """Trained tokens; the first one of a sequence has nothing before it to learn from."""
    return int((row["labels"][1:] != IGNORED).sum())


def padded(rows: list[Row], pad_token_id: int, multiple: int = 1) -> Row:
    """Sequences side by side [rows, tokens], padded on the right to a multiple that holds the
    longest.

    There is no attention mask: Transformers reads the boundaries from position_ids (its
    masking_utils), and the padding is one more row that nobody sees and nothing learns from.
    """
    longest = max(len(row["input_ids"]) for row in rows)
    shape = len(rows), longest + -longest % multiple
    fill = {"input_ids": pad_token_id, "labels": IGNORED, "position_ids": 0}
    side = {name: np.full(shape, value) for name, value in fill.items()}
    for at, row in enumerate(rows):
        length = len(row["input_ids"])
        for name in fill:
            side[name][at, :length] = row[name]
        side["position_ids"][at, length:] = np.arange(shape[1] - length)
    return side
