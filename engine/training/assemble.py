"""What a run is made of: the model with its adapter, its layout in memory, and the trainer."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import transformers

from engine.config import TrainConfig
from engine.devices import memory_for
from engine.hardware import GIB, Device
from engine.models.adapter import attach
from engine.models.attention import positions_keep_rows_apart
from engine.models.load import Quantization, load_base, placement, weights_device
from engine.models.sharing import is_shared, outside_of_layers_whole, share_out
from engine.models.targets import renamed_targets
from engine.training import checkpoints, halved, ranks
from engine.training.arguments import arguments
from engine.training.data import Prepared, steps
from engine.training.estimate import model_shape
from engine.training.fitting import Task
from engine.training.levers import Levers, foresee, pull
from engine.training.loop import PackedTrainer
from engine.training.micro_steps import Layout
from engine.training.optimizer import own_optimizer
from engine.training.progress import Progress, Samples
from engine.training.stopping import Stopping
from engine.training.unsaved import Unsaved

if TYPE_CHECKING:
    import peft


def build_model(
    config: TrainConfig, device: Device, total_step: int = 0
) -> "peft.PeftModel | transformers.PreTrainedModel":
    quantization = Quantization(
        config.load_in_4bit,
        config.load_in_8bit,
        config.bnb_4bit_quant_type,
        config.bnb_4bit_use_double_quant,
    )
    shared = ranks.shares_the_model(config)
    base = load_base(
        config.model_name_or_path,
        weights_device(config, device),
        quantization,
        config.device_map,
        shared,
    )
    base.config.use_cache = False  # a cache would hide the boundaries of packed rows
    for old, new in renamed_targets(base, config.lora_target_modules).items():
        print(f"Target {old} is called {', '.join(new)} today", flush=True)
    model = attach(base, config, total_step)
    # Counted here: `num_parameters` is the base's own and knows nothing of learned prompts.
    trainable = sum(one.numel() for one in model.parameters() if one.requires_grad)
    total = model.num_parameters()
    print(f"Trainable: {trainable:,} of {total:,} parameters", flush=True)
    if shared:
        share_out(model, device)
    return model


def keep_placement(path: Path, model) -> None:
    """placement.json and the log say which part of the model lies on which device."""
    found = {"": f"{ranks.count()} GPUs, a share on each"} if is_shared(model) else placement(model)
    for part, device in found.items():
        print(f"Placement: {part or 'the whole model'} on {device}", flush=True)
    (path / "placement.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


def build_trainer(
    path: Path,
    config: TrainConfig,
    device: Device,
    model,
    tokenizer,
    prepared: Prepared,
    stopping: Stopping,
) -> tuple[PackedTrainer, Progress]:
    max_steps = steps(config, len(prepared.train), ranks.count())
    evaluates = bool(prepared.evaluation)
    before = checkpoints.facts_of(checkpoints.last_complete(path)).get("seconds", 0.0)
    progress = Progress(path, max_steps, before, config.save_total_limit)
    at_most = halved.kept(path)
    layout, levers = _layout(config, device, model, tokenizer, prepared, max_steps, at_most)
    args = arguments(
        config, path, device, max_steps, evaluates, autocast=_needs_autocast(config, levers)
    )
    trainer = PackedTrainer(
        model=model,
        args=args,
        layout=layout,
        has_loss_head=levers.loss_head,
        logs_late=device.type == "cuda" and not config.stop_at_loss,  # which a step's log decides
        optimizer=own_optimizer(config, model, args),
        noise=config.neftune_noise_alpha,
        train_dataset=prepared.train,
        eval_dataset=prepared.evaluation if evaluates else None,
        processing_class=tokenizer,
        callbacks=[Unsaved(path), stopping, progress, *_samples(path, config, tokenizer, progress)],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    progress.trainer = trainer
    return trainer, progress


def _needs_autocast(config: TrainConfig, levers: Levers) -> bool:
    """Not where FSDP gathers the weights that are trained in the precision of the computing."""
    return not levers.fused_lora and not (
        config.peft_type == "full" and ranks.shares_the_model(config)
    )


def _samples(path: Path, config: TrainConfig, tokenizer, progress: Progress) -> list[Samples]:
    """One process answers, or all that share a model."""
    answers = ranks.is_main() or ranks.shares_the_model(config)
    return [Samples(path, config, tokenizer, progress)] if answers else []


def _room_gib(config: TrainConfig, on_gpu: bool) -> float:
    """What this process may fill, the base that is there already counted in."""
    if not on_gpu:
        return memory_for("", "cpu").free_gib
    several = config.device_map != "single"
    here = range(torch.cuda.device_count()) if several else [torch.cuda.current_device()]
    free = sum(torch.cuda.mem_get_info(one)[0] + torch.cuda.memory_reserved(one) for one in here)
    return free / GIB


def task_of(config: TrainConfig, device: Device, prepared: Prepared, max_steps: int) -> Task:
    """What this process is to do, with the memory that it may fill just now."""
    return Task(
        model_shape(config),
        device,
        _room_gib(config, device.type == "cuda"),
        prepared.train.lengths,
        max_steps,
        ranks.count(),
    )


def _layout(
    config: TrainConfig,
    device: Device,
    model,
    tokenizer,
    prepared: Prepared,
    max_steps: int,
    at_most: int | None,
) -> tuple[Layout, Levers]:
    """How a step is cut: as large as fits, by the very prediction that the page shows, and at most
    in micro-steps of so many tokens."""
    with outside_of_layers_whole(model):
        foreseen = foresee(config, device, model_shape(config).varlen, max_steps)
        levers = pull(model, config, foreseen)
        apart = config.packing and not levers.varlen and not _keeps_rows_apart(model)
    if apart:
        print("Rows of a pack would see each other in this model: computed apart", flush=True)
    outlook = task_of(config, device, prepared, max_steps).outlook(config)
    size = min(outlook.capacity, at_most or outlook.capacity)
    print(f"Micro-steps of up to {size:,} tokens, {outlook.peak_gib:.2f} GiB foreseen", flush=True)
    layout = Layout(
        tokenizer.pad_token_id,
        flat=levers.varlen,
        capacity=size,
        longest=max(prepared.train.longest_row, prepared.evaluation.longest_row),
        # Equal shapes let torch use its blocks again: up to 7 GiB less and faster on an H200
        # (2026-11-21).
        multiple=64 if device.type == "cuda" else 1,
        one_shape=levers.compiled,
        apart=apart,
    )
    return layout, levers


def _keeps_rows_apart(model) -> bool:
    return positions_keep_rows_apart(getattr(model, "get_base_model", lambda: model)())
