"""What Transformers' Trainer is told of a run, and how many tokens a step and its parts have."""

from math import ceil, sqrt
from pathlib import Path

import numpy as np
import torch
from transformers import TrainingArguments

from engine.config import TrainConfig
from engine.hardware import Device

_EVALUATIONS_IN_A_RUN = 8
_SAVES_IN_A_RUN = 4
_TOKENS_TOGETHER = 16_384
# What Transformers asks of some schedules beside their name, by the number of steps.
_SCHEDULES = {
    "cosine_with_min_lr": lambda steps: {"min_lr_rate": 0.1},
    "polynomial": lambda steps: {"power": 2.0, "lr_end": 0.0},
    "warmup_stable_decay": lambda steps: {"num_decay_steps": max(1, round(0.2 * steps))},
}


def arguments(
    config: TrainConfig,
    path: Path,
    device: Device,
    max_steps: int,
    evaluates: bool,
    autocast: bool = True,
) -> TrainingArguments:
    """`max_steps` is counted beforehand, so that the schedule knows its end. `autocast`: adapters
    in float32 meet a base in 16 bit."""
    on_gpu = device.type == "cuda"
    args = TrainingArguments(
        output_dir=str(path),
        max_steps=max_steps,
        per_device_train_batch_size=sequences_a_step(config),
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler_type,
        lr_scheduler_kwargs=_SCHEDULES.get(config.lr_scheduler_type, lambda steps: {})(max_steps),
        warmup_steps=warm_up(config, max_steps),
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim=config.optim,
        seed=config.seed,
        bf16=on_gpu and autocast and device.dtype is torch.bfloat16,
        fp16=on_gpu and device.dtype is torch.float16,
        logging_steps=min(config.logging_steps, max_steps),  # a run without a loss has no curve
        logging_nan_inf_filter=False,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=evaluates_every(config, max_steps),
        eval_on_start=evaluates,
        prediction_loss_only=True,
        save_strategy="steps",
        save_steps=config.save_steps or max(1, round(max_steps / _SAVES_IN_A_RUN)),
        save_total_limit=None,  # Trainer removes the old before the new is whole; Progress does not
        metric_for_best_model="eval_loss" if evaluates else None,
        greater_is_better=False,
        label_names=["labels"],
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not on_gpu,
        dataloader_pin_memory=False,
    )
    # Not through the constructor: it wants every save_steps to be an evaluation too, and Stopping
    # saves whenever there is a better model.
    args.load_best_model_at_end = evaluates and config.load_best_model_at_end
    # Several GPUs hold one model together, or each has its own process. For a model that found room
    # on one of them the Trainer would take torch's DataParallel, and batches twice as large.
    args._n_gpu = min(args.n_gpu, 1)
    return args


def warm_up(config: TrainConfig, max_steps: int) -> int:
    """Steps on which the learning rate rises; below 1 the option is a share of all steps."""
    steps = config.warmup_steps
    return round(steps * max_steps) if steps < 1 else round(steps)


def evaluates_every(config: TrainConfig, max_steps: int) -> int:
    """Steps between two evaluations; one more stands before the first step."""
    return config.eval_steps or max(1, round(max_steps / _EVALUATIONS_IN_A_RUN))


def sequences_a_step(config: TrainConfig) -> int:
    """On each device."""
    return config.per_device_train_batch_size * config.gradient_accumulation_steps


def tokens_together(config: TrainConfig, lengths: np.ndarray, count: int, flat: bool) -> int:
    """What `count` sequences take up together, filling counted: packs are full, as long as the
    longest of `lengths`. Rows as they are stay below the answer 999 times in a thousand, by the
    normal distribution where they lie one after the other (`flat`); a step with still more is cut
    once more."""
    longest = int(lengths.max())
    if config.packing:
        return count * longest
    if flat:
        most = ceil(count * lengths.mean() + 3.1 * sqrt(count) * lengths.std())
        return max(longest, min(most, int(np.sort(lengths)[-count:].sum())))
    return max(longest, count * int(np.quantile(lengths, 0.999 ** (1 / count), method="higher")))


def capacities(config: TrainConfig, lengths: np.ndarray, flat: bool, on_gpu: bool) -> list[int]:
    """Tokens that a micro-step may hold, the fastest first. `lengths` in tokens of the sequences of
    an epoch, which lie one after the other (`flat`) or side by side.

    As the batch says, or on a GPU as many sequences of the step as make up 16,384 tokens (larger
    ones are no faster on an H200, 2026-11-21) and half, a quarter ... of these; in equal parts.
    """
    step = min(sequences_a_step(config), len(lengths))
    together = min(config.per_device_train_batch_size, step)
    by_memory = on_gpu and config.auto_find_batch_size
    if by_memory:
        each = tokens_together(config, lengths, step, flat) / step
        together = max(1, min(step, int(_TOKENS_TOGETHER / each)))
    sizes = []
    while together:
        sizes.append(tokens_together(config, lengths, _equal_parts(step, together), flat))
        together = together // 2 if by_memory else 0
    return sizes


def _equal_parts(count: int, largest: int) -> int:
    """The size of the parts when `count` things go into as few as possible, evenly."""
    return -(-count // -(-count // largest))
