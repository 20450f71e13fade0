"""What is kept back for validation, row by row."""

import random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dataset.split import split, splits_among
from engine.errors import UserError


def found(sources):
    """Only what splitting looks at."""
    return SimpleNamespace(conversations=list(sources), sources=list(sources))


def test_a_share_is_drawn_as_it_always_was():
    """The first of the shuffled order; runs of earlier versions keep their validation rows."""
    order = list(range(20))
    random.Random(7).shuffle(order)
    train, kept = split(found(range(20)), 0.1, 7, {})
    assert kept == sorted(order[:2])
    assert train == sorted(order[2:])


@pytest.mark.parametrize(
    ("rows", "eval_size", "kept"),
    [(20, 0, 0), (20, 0.1, 2), (26, 0.1, 3), (10, 0.1, 1), (9, 0.1, 0), (9, 0.5, 0), (10, 0.99, 9)]
    + [(20, 1, 1), (20, 5, 5), (20, 10, 10), (4, 2, 2), (21, 10.0, 10)],
)
def test_how_many_are_kept_back(rows, eval_size, kept):
    """A share from 10 rows on, never all of them; a count always."""
    train, evaluation = split(found(range(rows)), eval_size, 0, {})
    assert (len(train), len(evaluation)) == (rows - kept, kept)


@given(st.integers(1, 200), st.floats(0, 0.9), st.integers(0, 2**32))
def test_each_row_is_on_one_side(rows, share, seed):
    """A partition, in ascending order, and the same for the same seed."""
    train, kept = split(found(range(rows)), share, seed, {})
    assert sorted(train + kept) == list(range(rows))
    assert (train, kept) == (sorted(train), sorted(kept))
    assert train
    assert split(found(range(rows)), share, seed, {}) == (train, kept)


def test_another_seed_keeps_others():
    assert split(found(range(100)), 5, 1, {})[1] != split(found(range(100)), 5, 2, {})[1]


@pytest.mark.parametrize(
    ("rows", "eval_size", "wanted", "instead"),
    [
        (20, 11, "11", "keep at most 10, or a share such as 0.1"),
        (1, 1, "1", "write 0, or bring a validation file"),
        (20, 1e6, "1,000,000", "keep at most 10, or a share such as 0.1"),
        (21, 10.9, "10.9", "keep at most 10, or a share such as 0.1"),
    ],
)
def test_a_count_above_half_is_a_sentence(rows, eval_size, wanted, instead):
    with pytest.raises(UserError) as raised:
        split(found(range(rows)), eval_size, 0, {})
    assert raised.value.field == "eval_size"
    assert raised.value.sentence.en == (
        f"{wanted} rows for validation are more than half of the {rows} that there are; {instead}."
    )


@pytest.mark.parametrize("name", ["valid", "validation", "val", "dev", "test", "eval", " Test "])
def test_the_files_own_split_goes_first(name):
    """By the row a conversation came from: rows 1 and 4 of the file were dropped."""
    table_splits = {"train": (0, 3), name: (3, 6)}
    assert split(found([0, 2, 3, 5]), 0.5, 0, table_splits) == ([0, 1], [2, 3])


def test_several_held_back_splits_are_one():
    splits = {"valid": (0, 1), "train": (1, 3), "test": (3, 4), "more": (4, 5)}
    assert split(found(range(5)), 0, 0, splits) == ([1, 2, 4], [0, 3])


@pytest.mark.parametrize(
    "splits", [{"test": (0, 20)}, {"train": (0, 20)}, {"train": (0, 20), "dev": (20, 30)}]
)
def test_a_split_with_one_side_empty_counts_for_nothing(splits):
    """Only test rows, no held-back rows, or all held-back rows dropped."""
    assert split(found(range(20)), 5, 3, splits) == split(found(range(20)), 5, 3, {})


def test_where_the_splits_are_among_rows_that_are_left():
    """By the rows they came from; a lone part is a plain list."""
    splits = {"train": (0, 3), "valid": (3, 5), "test": (5, 6)}
    assert splits_among([0, 2, 2, 4], splits) == {"train": (0, 3), "valid": (3, 4), "test": (4, 4)}
    assert splits_among([0, 1], {"data": (0, 2)}) == {}
