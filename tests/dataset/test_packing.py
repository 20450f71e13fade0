"""Rows that share a sequence: none lost, none twice, none beyond the capacity."""

from hypothesis import given
from hypothesis import strategies as st

from engine.dataset.packing import join, pack, padded

X = -100


def test_best_fit_exactly():
    """7 and 6 open bins; 4 fits beside 6 exactly; 3 goes beside 7 exactly; 2 needs a third."""
    assert pack([6, 3, 7, 2, 4], capacity=10) == [[2, 1], [0, 4], [3]]


def test_the_fullest_bin_that_fits_is_taken():
    """5 leaves 5, 7 leaves 3: the 3 goes to the 7 though the 5 has room too."""
    assert pack([5, 7, 3], capacity=10) == [[1, 2], [0]]


def test_a_row_as_long_as_the_capacity_stands_alone():
    assert pack([8, 8, 1], capacity=8) == [[0], [1], [2]]
    assert pack([], capacity=8) == []


@given(st.integers(1, 64).flatmap(
    lambda capacity: st.tuples(st.just(capacity), st.lists(st.integers(1, capacity)))
))  # fmt: skip
def test_every_row_once_and_no_bin_beyond_its_capacity(drawn):
    capacity, lengths = drawn
    bins = pack(lengths, capacity)
    assert sorted(index for one in bins for index in one) == list(range(len(lengths)))
    sums = [sum(lengths[index] for index in one) for one in bins]
    assert all(total <= capacity for total in sums)
    assert all(a + b > capacity for i, a in enumerate(sums) for b in sums[:i])  # none to spare


def as_lists(row):
    return {name: values.tolist() for name, values in row.items()}


def test_join_exactly():
    """The first label of each row is ignored: its predecessor is somebody else's."""
    rows = [
        {"input_ids": [5, 6, 7], "labels": [5, X, 7]},
        {"input_ids": [8, 9], "labels": [8, 9]},
    ]
    assert as_lists(join(rows)) == {
        "input_ids": [5, 6, 7, 8, 9],
        "labels": [X, X, 7, X, 9],
        "position_ids": [0, 1, 2, 0, 1],
    }
    assert rows[1]["labels"] == [8, 9]


def test_padded_exactly():
    """Padding is a row of its own, which nothing learns from."""
    one = join([{"input_ids": [5, 6], "labels": [X, 6]}])
    two = join([{"input_ids": [7], "labels": [X]}, {"input_ids": [8, 9, 4], "labels": [X, 9, 4]}])
    assert as_lists(padded([one, two], pad_token_id=0)) == {
        "input_ids": [[5, 6, 0, 0], [7, 8, 9, 4]],
        "labels": [[X, 6, X, X], [X, X, 9, 4]],
        "position_ids": [[0, 1, 0, 1], [0, 0, 1, 2]],
    }


def test_padding_up_to_a_multiple():
    """Shapes are equal though the longest rows are not; 8 stays 8, 3 becomes 4."""
    row = {"input_ids": [5, 6, 7], "labels": [X, 6, 7], "position_ids": [0, 1, 2]}
    assert as_lists(padded([row], pad_token_id=0, multiple=4)) == {
        "input_ids": [[5, 6, 7, 0]],
        "labels": [[X, 6, 7, X]],
        "position_ids": [[0, 1, 2, 0]],
    }
    side = padded([join([row, row, row]), join([row])], 0, multiple=4)
    assert [len(ids) for ids in side["input_ids"]] == [12, 12]
    four = {"input_ids": [5] * 4, "labels": [5] * 4, "position_ids": [0, 1, 2, 3]}
    assert [len(ids) for ids in padded([join([four, four])], 0, 4)["input_ids"]] == [8]
