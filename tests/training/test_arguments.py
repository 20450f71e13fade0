"""What the Trainer is told: sizes of micro-steps, a share as warm-up, zeros that mean a choice."""

import pytest
import torch
from transformers import TrainingArguments

from engine.config import TrainConfig
from engine.training.arguments import arguments, capacities


@pytest.mark.parametrize(("changes", "sequences", "on_gpu", "together"), [
    ({"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}, 100, False, [4]),
    ({"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}, 100, True, [8, 4, 2, 1]),
    ({"per_device_train_batch_size": 24}, 100, True, [12, 8, 4, 2, 1]),
    ({"per_device_train_batch_size": 24}, 3, True, [3, 1]),
    ({"per_device_train_batch_size": 24, "auto_find_batch_size": False}, 100, True, [24]),
    ({"per_device_train_batch_size": 1, "gradient_accumulation_steps": 3}, 100, False, [1]),
])  # fmt: skip
def test_capacities_exactly(changes, sequences, on_gpu, together):
    """As chosen; on a GPU as many of the step, which never has more than the data, as make up
    16,384 tokens, in equal parts; then fewer and fewer."""
    found = capacities(TrainConfig(**changes), 1024, sequences, on_gpu)
    assert found == [1024 * count for count in together]


@pytest.mark.parametrize(("warmup", "steps"), [(0.03, 6), (0.5, 100), (0, 0), (7, 7)])
def test_warm_up_below_one_is_a_share_of_all_steps(tmp_path, cpu, warmup, steps):
    args = arguments(TrainConfig(warmup_steps=warmup), tmp_path, cpu, 200, evaluates=False)
    assert args.warmup_steps == steps


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
