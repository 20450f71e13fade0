"""What the Trainer is told: sizes of micro-steps, a share as warm-up, zeros that mean a choice."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import TrainingArguments

from engine.config import TrainConfig
from engine.training.arguments import arguments, capacities, tokens_together


def asked(batch, accumulation=1, **changes):
    sizes = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation}
    return TrainConfig(**sizes | changes)


@pytest.mark.parametrize(("config", "longest", "sequences", "on_gpu", "together"), [
    (asked(4, 2), 1024, 100, False, [4]),
    (asked(4, 2), 1024, 100, True, [8, 4, 2, 1]),
    (asked(24), 1024, 100, True, [12, 8, 4, 2, 1]),
    (asked(24), 1024, 3, True, [3, 1]),  # an epoch is smaller than a batch
    (asked(24, auto_find_batch_size=False), 1024, 100, True, [24]),
    (asked(1, 3), 1024, 100, False, [1]),
    (asked(4, 4), 4000, 500, True, [4, 2, 1]),  # 16,384 tokens at once are enough
    (asked(4, 4), 20_000, 500, True, [1]),
    (asked(4, 3), 1500, 500, True, [6, 4, 2, 1]),
])  # fmt: skip
def test_capacities_exactly(config, longest, sequences, on_gpu, together):
    """As chosen; on a GPU as many of the step, which never has more than the data, as make up
    16,384 tokens, in equal parts; then fewer and fewer."""
    lengths = np.append(np.full(sequences - 1, longest // 2), longest)  # packs count as full
    found = capacities(config, lengths, flat=True, on_gpu=on_gpu)
    assert found == [longest * count for count in together]


@pytest.mark.parametrize(("config", "flat", "on_gpu", "expected"), [
    # 90 rows of 100 tokens and 10 of 400: 130 on average, with a deviation of 90.
    (asked(4, 4), True, False, [4 * 130 + 558]),  # 3.1 * 2 * 90
    (asked(4, 4), False, False, [4 * 400]),
    (asked(4, 4), True, True, [2080 + 1116, 1040 + 790, 520 + 558, 260 + 395, 400]),
    (asked(50, 4), True, True, [13_000, 8000, 3250 + 1395, 1560 + 967, 780 + 684, 390 + 484, 400]),
    (asked(1), True, False, [400]),
    (asked(1), False, False, [400]),
])  # fmt: skip
def test_rows_as_they_are_take_what_most_steps_of_them_take(config, flat, on_gpu, expected):
    """Not what as many of the longest would: the sum of one step in a thousand is above it."""
    lengths = np.array([100] * 90 + [400] * 10)
    config = dataclasses.replace(config, packing=False)
    assert capacities(config, lengths, flat=flat, on_gpu=on_gpu) == expected


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=60).map(np.array), st.data(), st.booleans()
)
def test_no_row_is_longer_and_no_step_can_be_fuller(lengths, data, flat):
    """However rows are spread: the longest fits, and as many of the longest are not exceeded."""
    count = data.draw(st.integers(1, len(lengths)))
    together = tokens_together(asked(count, packing=False), lengths, count, flat)
    most = np.sort(lengths)[-count:].sum() if flat else count * lengths.max()
    assert lengths.max() <= together <= most


@pytest.mark.parametrize(("warmup", "steps"), [(0.03, 6), (0.5, 100), (0, 0), (7, 7)])
def test_warm_up_below_one_is_a_share_of_all_steps(tmp_path, cpu, warmup, steps):
    args = arguments(TrainConfig(warmup_steps=warmup), tmp_path, cpu, 200, evaluates=False)
    assert args.warmup_steps == steps


@pytest.mark.parametrize(("logging_steps", "every"), [(10, 10), (80, 80), (1000, 80)])
def test_a_run_has_at_least_one_loss(tmp_path, cpu, logging_steps, every):
    config = TrainConfig(logging_steps=logging_steps)
    assert arguments(config, tmp_path, cpu, 80, evaluates=False).logging_steps == every


def test_zero_means_about_eight_evaluations_and_four_saves(tmp_path, cpu):
    args = arguments(TrainConfig(), tmp_path, cpu, max_steps=80, evaluates=True)
    assert (args.eval_steps, args.save_steps, args.eval_strategy) == (10, 20, "steps")
    args = arguments(TrainConfig(), tmp_path, cpu, max_steps=2, evaluates=False)
    assert (args.eval_steps, args.save_steps, args.eval_strategy) == (1, 1, "no")


def test_a_model_on_one_of_several_gpus_is_not_copied_to_the_others(tmp_path, cpu, monkeypatch):
    """The Trainer would have torch's DataParallel do so, and give each of them a batch."""

    def two_gpus(args):
        args._n_gpu = 2
        return torch.device("cpu")

    monkeypatch.setattr(TrainingArguments, "_setup_devices", property(two_gpus))
    config = TrainConfig(per_device_train_batch_size=3)
    args = arguments(config, tmp_path, cpu, max_steps=1, evaluates=False)
    assert (args.n_gpu, args.train_batch_size) == (1, 3)
