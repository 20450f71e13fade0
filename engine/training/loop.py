"""The training loop is Transformers' Trainer; this says with which arguments, and counts tokens."""

from pathlib import Path

import torch
from transformers import Trainer, TrainingArguments

from engine.config import TrainConfig
from engine.hardware import Device

_EVALUATIONS_IN_A_RUN = 8
_SAVES_IN_A_RUN = 4


class PackedTrainer(Trainer):
    """Trainer over packed sequences. `tokens_seen` counts real tokens, no padding."""

    tokens_seen = 0

    def compute_loss(self, model, inputs, *args, **kwargs):
        real_tokens = inputs.pop("real_tokens")
        if model.training:
            self.tokens_seen += real_tokens
        return super().compute_loss(model, inputs, *args, **kwargs)


def arguments(
    config: TrainConfig, path: Path, device: Device, max_steps: int, evaluates: bool
) -> TrainingArguments:
    """`max_steps` is counted beforehand, so that the schedule knows its end."""
    warmup = config.warmup_steps
    on_gpu = device.type == "cuda"
    checkpointing = {"gradient_checkpointing": True} if config.gradient_checkpointing else {}
    return TrainingArguments(
        output_dir=str(path),
        max_steps=max_steps,
        per_device_train_batch_size=config.per_device_train_batch_size,
        per_device_eval_batch_size=config.per_device_train_batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler_type,
        warmup_steps=round(warmup * max_steps) if warmup < 1 else round(warmup),
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim=config.optim,
        seed=config.seed,
        bf16=on_gpu and device.dtype is torch.bfloat16,
        fp16=on_gpu and device.dtype is torch.float16,
        logging_steps=config.logging_steps,
        logging_nan_inf_filter=False,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=config.eval_steps or max(1, round(max_steps / _EVALUATIONS_IN_A_RUN)),
        eval_on_start=evaluates,
        prediction_loss_only=True,
        save_strategy="steps",
        save_steps=config.save_steps or max(1, round(max_steps / _SAVES_IN_A_RUN)),
        save_total_limit=None,  # Trainer removes the old before the new is whole; Progress does not
        label_names=["labels"],
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu,
        **checkpointing,
    )
