"""Which conversations are kept back for validation: the same seed always keeps the same ones."""

import random
from bisect import bisect_left

from engine.dataset.meaning.formats import Conversations
from engine.errors import UserError

HELD_BACK = frozenset(["valid", "validation", "val", "dev", "test", "eval"])
FEWEST_FOR_A_SHARE = 10


def split(
    found: Conversations, eval_size: float, seed: int, table_splits: dict[str, tuple[int, int]]
) -> tuple[list[int], list[int]]:
    """Indices of the training and of the validation conversations, each in ascending order.

    A file's own splits (rows from..to of the table) go before `eval_size`, unless one side of them
    would be empty. Below 1 that is a share, of which files of fewer than 10 conversations are
    spared; from 1 on a count. Raises UserError (field "eval_size") for a count above half.
    """
    count = len(found.conversations)
    chosen = held_back(found.sources, table_splits)
    if not chosen:
        order = list(range(count))
        random.Random(seed).shuffle(order)
        chosen = set(order[: _how_many(count, eval_size)])
    train = [i for i in range(count) if i not in chosen]
    return train, sorted(chosen)


def held_back(sources: list[int], table_splits: dict[str, tuple[int, int]]) -> set[int]:
    """Of conversations from these rows of the table, the indices of those that its own splits hold
    back for validation; none when one side would be empty."""
    ranges = [
        range(*rows) for name, rows in table_splits.items() if name.strip().lower() in HELD_BACK
    ]
    chosen = {i for i, source in enumerate(sources) if any(source in rows for rows in ranges)}
    return chosen if len(chosen) < len(sources) else set()


def splits_among(
    sources: list[int], table_splits: dict[str, tuple[int, int]]
) -> dict[str, tuple[int, int]]:
    """The table's own splits as (from, to) among what came from these rows of it, in ascending
    order; {} when they are fewer than two, and a plain list says as much."""
    if len(table_splits) < 2:
        return {}
    return {
        name: (bisect_left(sources, first), bisect_left(sources, last))
        for name, (first, last) in table_splits.items()
    }


def _how_many(count: int, eval_size: float) -> int:
    if eval_size < 1:
        kept_back = min(round(count * eval_size), count - 1)
        return kept_back if count >= FEWEST_FOR_A_SHARE else 0
    if eval_size > count / 2:
        wanted, half = f"{eval_size:,.10g}", f"{count // 2:,}"
        instead = (
            f"keep at most {half}, or a share such as 0.1",
            f"请最多留 {half} 条，或填比例，例如 0.1",
        )
        if count < 2:
            instead = ("write 0, or bring a validation file", "请填 0，或另选验证数据")
        raise UserError(
            f"{wanted} rows for validation are more than half of the {count:,} that there are; "
            f"{instead[0]}.",
            f"留作验证的 {wanted} 条超过了总数 {count:,} 条的一半；{instead[1]}。",
            field="eval_size",
        )
    return int(eval_size)
