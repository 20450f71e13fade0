"""The optimiser where it is not the Trainer's own: LoRA+, whose matrices learn at two rates."""

from typing import TYPE_CHECKING

from transformers import Trainer, TrainingArguments

from engine.config import TrainConfig

if TYPE_CHECKING:
    import torch
    from peft import PeftModel


def own_optimizer(
    config: TrainConfig, model: "PeftModel", args: TrainingArguments
) -> "torch.optim.Optimizer | None":
    """The kind that `optim` names with B faster than A (Hayou et al. 2024); None without LoRA+."""
    from peft.optimizers import create_loraplus_optimizer

    if config.peft_type != "lora" or not config.loraplus_lr_ratio:
        return None
    kind, options = Trainer.get_optimizer_cls_and_kwargs(args, model)
    return create_loraplus_optimizer(
        model,
        kind,
        loraplus_lr_ratio=config.loraplus_lr_ratio,
        loraplus_weight_decay=config.weight_decay,
        **options,
    )
