"""A step cut into micro-steps: nothing lost, nothing beyond what fits, every tensor exactly."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.dataset.packing import join
from engine.training.micro_steps import Layout

X = -100
CPU = torch.device("cpu")


def packed(*rows, learned_from=1):
    return join([{"input_ids": r, "labels": [X] * learned_from + r[learned_from:]} for r in rows])


def of_length(length):
    return packed(list(range(10, 10 + length)))


def cut(lengths, **layout):
    """The lengths in each micro-step."""
    parts = Layout(0, longest=99, **layout).cut([of_length(one) for one in lengths])
    return [[len(one["input_ids"]) for one in part] for part in parts]


def tensors(batch):
    values = {**batch.inputs, "labels": batch.labels, "targets": batch.targets, "at": batch.at}
    return {n: v.tolist() if isinstance(v, torch.Tensor) else v for n, v in values.items()}


def test_one_after_the_other_the_tokens_count():
    assert cut([3, 4, 5, 2, 7], flat=True, capacity=9) == [[3, 4], [5, 2], [7]]


def test_side_by_side_the_padding_counts_too():
    """3 and 4 are 8 with padding; 5 and 2 would be 10."""
    assert cut([3, 4, 5, 2, 7], flat=False, capacity=9) == [[3, 4], [5], [2], [7]]


@pytest.mark.parametrize("flat", [True, False])
def test_what_is_longer_than_a_micro_step_stands_alone(flat):
    assert cut([2, 12, 3], flat=flat, capacity=9) == [[2], [12], [3]]


def test_packs_taken_apart_are_their_rows_by_length():
    """Two packs of 3 + 5 and 4 + 1: side by side no row has more than a neighbour's padding."""
    first, second = packed([3, 4, 5], [6, 7, 8, 9, 10]), packed([11, 12, 13, 14], [15])
    layout = Layout(0, flat=False, capacity=10, longest=8, apart=True)
    found = [[one["input_ids"].tolist() for one in part] for part in layout.cut([first, second])]
    assert found == [[[6, 7, 8, 9, 10], [11, 12, 13, 14]], [[3, 4, 5], [15]]]
    (row,), labels = layout.cut([packed([3, 4, 5])])[0], [X, 4, 5]
    assert {name: value.tolist() for name, value in row.items()} == {
        "input_ids": [3, 4, 5],
        "labels": labels,
        "position_ids": [0, 1, 2],
    }
    assert layout.halve([first, second])
    assert layout.capacity == 5
    assert not layout.halve([first, second])


@given(st.lists(st.integers(1, 12), min_size=1), st.integers(1, 40), st.booleans())
def test_every_sequence_once_in_order_and_none_beyond_the_capacity(lengths, capacity, flat):
    """And none cut without need: what begins a micro-step did not fit into the one before it."""
    parts = cut(lengths, flat=flat, capacity=capacity)
    assert [length for part in parts for length in part] == lengths

    def size(part):
        return sum(part) if flat else max(part) * len(part)

    assert all(size(part) <= capacity or len(part) == 1 for part in parts)
    following = zip(parts, parts[1:], strict=False)
    assert all(size([*part, after[0]]) > capacity for part, after in following)


@pytest.mark.parametrize(("tokens", "filled"), [(9, 9), (7, 9), (6, 6), (2, 2)])
def test_nearly_full_micro_steps_are_all_of_one_shape(tokens, filled):
    """What is over is padding; a last step that is much shorter is not computed three times."""
    layout = Layout(0, flat=True, capacity=9, longest=9, one_shape=True)
    batch = layout.batch([of_length(tokens)], CPU)
    assert batch.inputs["input_ids"].shape == (1, filled)
    assert batch.is_usual == (filled == 9)
    assert len(batch.targets) == tokens - 1


def test_one_after_the_other_exactly():
    """Two sequences of three rows: each row's last token is told nothing of the next row."""
    layout = Layout(0, flat=True, capacity=99, longest=4)
    batch = layout.batch([packed([5, 6, 7], [8, 9]), packed([3, 4, 2, 1], learned_from=2)], CPU)
    assert tensors(batch) == {
        "input_ids": [[5, 6, 7, 8, 9, 3, 4, 2, 1]],
        "position_ids": [[0, 1, 2, 0, 1, 0, 1, 2, 3]],
        "cu_seq_lens_q": [0, 3, 5, 9],
        "cu_seq_lens_k": [0, 3, 5, 9],
        "max_length_q": 4,
        "max_length_k": 4,
        "labels": [[X, 6, 7, X, 9, X, X, 2, 1]],
        "targets": [6, 7, 9, 2, 1],
        "at": [0, 1, 3, 6, 7],
    }
    assert batch.inputs["cu_seq_lens_q"].dtype is torch.int32
    assert batch.inputs["cu_seq_lens_k"].dtype is torch.int32


def test_filled_up_exactly():
    """What is missing to a multiple of 8 becomes rows of padding, none longer than the longest."""
    layout = Layout(9, flat=True, capacity=99, longest=3, multiple=8)
    assert tensors(layout.batch([packed([5, 6, 7])], CPU)) == {
        "input_ids": [[5, 6, 7, 9, 9, 9, 9, 9]],
        "position_ids": [[0, 1, 2, 0, 1, 2, 0, 1]],
        "cu_seq_lens_q": [0, 3, 6, 8],
        "cu_seq_lens_k": [0, 3, 6, 8],
        "max_length_q": 3,
        "max_length_k": 3,
        "labels": [[X, 6, 7, X, X, X, X, X]],
        "targets": [6, 7],
        "at": [0, 1],
    }
    full = layout.batch([packed([1, 2, 3], [4, 5, 6], [7, 8])], CPU)
    assert full.inputs["input_ids"].tolist() == [[1, 2, 3, 4, 5, 6, 7, 8]]


def test_side_by_side_exactly():
    """`at` counts flat positions of the padded rectangle; there are no boundaries."""
    layout = Layout(0, flat=False, capacity=99, longest=4, multiple=4)
    assert tensors(layout.batch([packed([5, 6, 7]), packed([8, 9], [3, 4, 2])], CPU)) == {
        "input_ids": [[5, 6, 7, 0, 0, 0, 0, 0], [8, 9, 3, 4, 2, 0, 0, 0]],
        "position_ids": [[0, 1, 2, 0, 1, 2, 3, 4], [0, 1, 0, 1, 2, 0, 1, 2]],
        "labels": [[X, 6, 7, X, X, X, X, X], [X, 9, X, 4, 2, X, X, X]],
        "targets": [6, 7, 9, 4, 2],
        "at": [0, 1, 8, 10, 11],
    }


def test_halving_ends_where_a_sequence_needs_more():
    sequences = [of_length(5), of_length(4)]
    layout = Layout(0, flat=True, capacity=24, longest=5, multiple=2)
    seen = []
    while layout.halve(sequences):
        seen.append(layout.capacity)
    assert seen == [12, 6, 5]
    assert (layout.capacity, layout.multiple) == (5, 2)
