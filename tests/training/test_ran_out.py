"""Memory that ran out for good: the ladder in a sentence, by what had been tried by then."""

import dataclasses

import pytest

from engine.config import TrainConfig
from engine.training.ran_out import ran_out
from tests.training.test_fitting import BATCH, task

THEN = (
    "Clone the run into the form, choose and start; to resume this one instead, change its "
    "config.yaml, but not the optimiser."
)
FOUR = "4-bit base (11.1 GiB, +3 % time)"
EIGHT = "8-bit base (14.0 GiB, +1 % time)"
BOTH = "4-bit base and checkpointing (7.1 GiB, +44 % time)"


@pytest.mark.parametrize(
    ("gib", "ways"),
    [
        (
            16,
            "Any of these is foreseen to be enough, the cheapest in time first: "
            f"{EIGHT}; {FOUR}; {BOTH}. {THEN}",
        ),
        (8, f"Any of these is foreseen to be enough, the cheapest in time first: {BOTH}. {THEN}"),
        (
            6,
            "None of these is foreseen to be enough alone, the most thrifty first: "
            f"{BOTH}; {FOUR}; {EIGHT}. {THEN}",
        ),
        (
            24,
            "It was foreseen to fit and does not; these need less, the cheapest in time first: "
            "longest row 512 tokens, the rest is cut (17.8 GiB, same time); "
            f"{EIGHT}; 8-bit optimiser (19.9 GiB, +2 % time). {THEN}",
        ),
    ],
)
def test_what_is_named(gib, ways):
    """Of a step of one sequence: smaller than that it had been cut already."""
    said = ran_out(TrainConfig(**BATCH), task(gib), 15.26)
    assert said.en == f"The card's memory ran out (peak 15.3 GiB). {ways}"


def test_it_is_said_in_chinese_too():
    assert ran_out(TrainConfig(**BATCH), task(8), 7.9).zh == (
        "显存不足（峰值 7.9 GiB）。以下任何一项预计就够，用时少的在前："
        "4 比特底座加激活重算（7.1 GiB，用时 +44%）。请把这次训练复制到表单，选用后开始；"
        "若要接着这次训练，请改它的 config.yaml（优化器除外）再继续。"
    )


def test_smaller_micro_steps_are_no_way_out():
    """Where 4 sequences at once were too many, by the options: they had been cut by then."""
    config = TrainConfig(**BATCH | {"auto_find_batch_size": False})
    assert "micro-steps by memory" not in ran_out(config, task(24), 23.0).en


def test_a_processors_memory_is_no_cards(cpu):
    said = ran_out(TrainConfig(**BATCH), dataclasses.replace(task(8), device=cpu), 7.9)
    assert said.en.startswith("Memory ran out (peak 7.9 GiB). ")
    assert said.zh.startswith("内存不足（峰值 7.9 GiB）。")
