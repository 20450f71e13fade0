"""Files measured: what measuring costs beside the work itself."""

import gc

import pytest

from engine.dataset import opened
from engine.dataset.lengths import measure

ASKED = {"max_length": 64, "loss_on": "answers", "system_prompt": ""}


def test_nothing_is_collected_while_rows_are_measured(tokenizer, small_dataset):
    """Before and after it is; who gives up in the middle changes nothing of that."""
    seen = []
    opened.lengths(
        small_dataset, "", "", tokenizer, lambda share: seen.append(gc.isenabled()), **ASKED
    )
    assert seen == [False]
    assert gc.isenabled()

    def gives_up(share):
        raise KeyError(share)

    with pytest.raises(KeyError):
        opened.lengths(small_dataset, "", "", tokenizer, gives_up, **ASKED | {"max_length": 63})
    assert gc.isenabled()


def test_measuring_leaves_nothing_to_collect(tokenizer, small_dataset):
    """Neither rows nor their tokens hold one another in a circle, which only a collection frees."""
    rows = opened.conversations(small_dataset).conversations
    measure(tokenizer, rows, **ASKED)  # what is kept for good is made by now
    gc.collect()
    gc.disable()
    try:
        measure(tokenizer, rows, **ASKED)
        assert gc.collect() == 0
    finally:
        gc.enable()
