"""The process of one run: reads the run folder, trains, writes the run folder. Nothing else."""

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import peft
import torch
import transformers

from engine.config import TrainConfig
from engine.errors import UserError
from engine.evaluation.learned import look_back
from engine.hardware import GIB, Device, memory_for, pick_device
from engine.models.adapter import attach, first_state, save
from engine.models.load import Quantization, load_base, load_tokenizer, placement, weights_device
from engine.training import runs
from engine.training.data import Prepared, prepare, steps
from engine.training.estimate import model_shape
from engine.training.fitting import Task
from engine.training.levers import Levers, foresee, pull
from engine.training.loop import PackedTrainer, arguments, last_complete_checkpoint
from engine.training.memory import measured
from engine.training.micro_steps import Layout
from engine.training.optimizer import own_optimizer
from engine.training.progress import Progress, Samples, cut_after
from engine.training.report import write_report
from engine.training.stopping import Stopping
from engine.training.unsaved import Unsaved


def train(path: Path) -> int:
    """Trains the run in `path` and returns an exit status: 0, 2 for a user's mistake, 1 for ours.

    Whatever happens, status.json says it.
    """
    signal.signal(signal.SIGTERM, lambda *_: (path / "stop").touch())
    runs.write_status(
        path, pid=os.getpid(), started_at=_started_at(path), message="", message_zh=""
    )
    try:
        _train(path)
    except UserError as error:
        return _failed(path, error.sentence.en, error.sentence.zh, 2)
    except torch.OutOfMemoryError:
        peak = measured()["peak_gib"]
        return _failed(
            path,
            f"The card's memory ran out (peak {peak:.1f} GiB). Halve the batch or the longest row, "
            "switch checkpointing on, or load the base in 4-bit; then resume or start again.",
            f"显存不足（峰值 {peak:.1f} GiB）。请把批大小或最长一条减半、打开激活重算，"
            "或用 4 比特底座，再继续或重新开始。",
            2,
        )
    except Exception as error:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}"
        return _failed(
            path,
            f"Training broke: {what}. The log holds the details; resume goes on from the last "
            "checkpoint.",
            f"训练出错：{what}。详情见日志；可以从上一个检查点继续。",
            1,
        )
    return 0


def _train(path: Path) -> None:
    config = TrainConfig.from_yaml(path / "config.yaml")
    for field, problem in config.problems().items():
        raise UserError(problem.en, problem.zh, field)
    transformers.set_seed(config.seed)
    device = pick_device(config.dtype, config.device_map)
    print(f"Device: {device.name}, {device.reason.en}", flush=True)
    tokenizer, note = load_tokenizer(config.model_name_or_path)
    if note:
        print(note.en, flush=True)
    prepared = prepare(config, tokenizer)
    _keep_facts(path, prepared.facts)
    model = _model(config, device, steps(config, len(prepared.train)))
    first = first_state(model, config)
    _keep_placement(path, model)
    stopping = Stopping(config)
    trainer, progress = _trainer(path, config, device, model, tokenizer, prepared, stopping)
    checkpoint = last_complete_checkpoint(path)
    _continue_from(path, checkpoint, trainer)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    _save(path, config, model, tokenizer, first)
    message = stopping.message(trainer.state)
    stopped = (path / "stop").exists() and trainer.state.global_step < progress.max_steps
    runs.write_status(
        path,
        state="stopped" if stopped else "finished",
        message=message.en,
        message_zh=message.zh,
        seconds=round(progress.seconds, 2),
        seconds_left=0.0,
        peak_gib=measured()["peak_gib"],
    )
    look_back(path, model, tokenizer, config, prepared)
    write_report(path)


def _model(
    config: TrainConfig, device: Device, total_step: int = 0
) -> "peft.PeftModel | transformers.PreTrainedModel":
    quantization = Quantization(
        config.load_in_4bit,
        config.load_in_8bit,
        config.bnb_4bit_quant_type,
        config.bnb_4bit_use_double_quant,
    )
    base = load_base(
        config.model_name_or_path, weights_device(config, device), quantization, config.device_map
    )
    base.config.use_cache = False  # a cache would hide the boundaries of packed rows
    model = attach(base, config, total_step)
    trainable = model.num_parameters(only_trainable=True)
    total = model.num_parameters()
    print(f"Trainable: {trainable:,} of {total:,} parameters", flush=True)
    return model


def _keep_placement(path: Path, model) -> None:
    """placement.json and the log say which part of the model lies on which device."""
    found = placement(model)
    for part, device in found.items():
        print(f"Placement: {part or 'the whole model'} on {device}", flush=True)
    (path / "placement.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


def _trainer(
    path: Path,
    config: TrainConfig,
    device: Device,
    model,
    tokenizer,
    prepared: Prepared,
    stopping: Stopping,
) -> tuple[PackedTrainer, Progress]:
    max_steps = steps(config, len(prepared.train))
    evaluates = bool(prepared.evaluation)
    before = (_complete(last_complete_checkpoint(path))).get("seconds", 0.0)
    progress = Progress(path, max_steps, before)
    layout, levers = _layout(config, device, model, tokenizer, prepared, max_steps)
    args = arguments(config, path, device, max_steps, evaluates, autocast=not levers.fused_lora)
    trainer = PackedTrainer(
        model=model,
        args=args,
        layout=layout,
        has_loss_head=levers.loss_head,
        optimizers=(own_optimizer(config, model, args), None),
        train_dataset=prepared.train,
        eval_dataset=prepared.evaluation if evaluates else None,
        processing_class=tokenizer,
        callbacks=[
            Unsaved(path),
            stopping,
            progress,
            Samples(path, config, tokenizer, progress),
        ],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    progress.trainer = trainer
    return trainer, progress


def _layout(
    config: TrainConfig, device: Device, model, tokenizer, prepared: Prepared, max_steps: int
) -> tuple[Layout, Levers]:
    """How a step is cut: as large as fits, by the very prediction that the page shows."""
    shape, on_gpu = model_shape(config), device.type == "cuda"
    sequences, longest = prepared.train, max(prepared.train.longest, prepared.evaluation.longest)
    levers = pull(model, config, foresee(config, device, shape.varlen, max_steps))
    free = memory_for(config.device_map).free_gib + (
        torch.cuda.memory_reserved() / GIB if on_gpu else 0.0
    )
    task = Task(shape, device, free, longest, len(sequences), max_steps)
    outlook = task.outlook(config)
    size = outlook.capacity
    print(f"Micro-steps of up to {size:,} tokens, {outlook.peak_gib:.2f} GiB foreseen", flush=True)
    layout = Layout(
        tokenizer.pad_token_id,
        flat=levers.varlen,
        capacity=size,
        longest=max(sequences.longest_row, prepared.evaluation.longest_row),
        # Equal shapes let torch use its blocks again: up to 7 GiB less and faster on an H200
        # (2026-11-21).
        multiple=64 if on_gpu else 1,
        one_shape=levers.compiled,
    )
    return layout, levers


def _continue_from(path: Path, checkpoint: Path | None, trainer: PackedTrainer) -> None:
    """The curve and the counters stand where the checkpoint stood, so that it goes on unbroken."""
    step = int(checkpoint.name.split("-")[1]) if checkpoint else -1
    for name in ("metrics.jsonl", "samples.jsonl"):
        if (path / name).is_file():
            cut_after(path / name, step)
    trainer.tokens_seen = _complete(checkpoint).get("tokens_seen", 0)
    if checkpoint:
        trainer.args.eval_on_start = False
        print(f"Resuming from step {step}", flush=True)


def _complete(checkpoint: Path | None) -> dict[str, Any]:
    return json.loads((checkpoint / "complete.json").read_text()) if checkpoint else {}


def _keep_facts(path: Path, facts: dict[str, Any]) -> None:
    """Writes dataset.json once. Raises UserError when a resumed run finds other data."""
    file = path / "dataset.json"
    if not file.is_file():
        file.write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")
        return
    before = json.loads(file.read_text(encoding="utf-8"))
    if any(before.get(n, facts[n]) != facts[n] for n in ("sha256", "mapping", "eval_sha256")):
        raise UserError(
            f"{facts['file']} has changed since this run began, so it cannot go on; clone the run "
            "into the form and start a new one.",
            f"{facts['file']} 在训练开始后被改过，无法继续；请把这次训练复制到表单，重新开始。",
            field="dataset",
        )


def _save(path: Path, config: TrainConfig, model, tokenizer, first: dict) -> None:
    """The adapter with everything that its voice needs: template, system prompt, stop tokens."""
    folder = path / "adapter"
    model.config.use_cache = True
    save(model, folder, first)
    tokenizer.save_pretrained(folder)
    card = {
        "run": path.name,
        "base_model": config.model_name_or_path,
        "system_prompt": config.system_prompt,
        "stop_token": tokenizer.eos_token,
        "config": config.to_dict(),
        "memory": measured(),
        "versions": {m.__name__: m.__version__ for m in (torch, transformers, peft)},
    }
    text = json.dumps(card, ensure_ascii=False, indent=1)
    (folder / "greenroom.json").write_text(text, encoding="utf-8")


def _failed(path: Path, en: str, zh: str, status: int) -> int:
    print(en, file=sys.stderr, flush=True)
    runs.write_status(path, state="failed", message=en, message_zh=zh)
    return status


def _started_at(path: Path) -> float:
    return runs.status_of(path).get("started_at") or time.time()
