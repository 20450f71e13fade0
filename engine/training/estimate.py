"""Before the start: what will be trained, in how many steps, how much memory and time, why not."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from engine.config import TrainConfig
from engine.devices import memory_for, wanted
from engine.errors import Sentence, UserError
from engine.hardware import pick_device
from engine.models.adapter import lora_parameters
from engine.models.load import load_config, load_tokenizer
from engine.training import runs
from engine.training.data import foresee, steps
from engine.training.memory import Shape, predict

_START_SECONDS = 12  # importing torch, transformers and peft, and loading a small base, on 2 cores
_SHARE_REACHED = 0.35  # of this machine's matrix speed, by the shipped base on 2 cores


def estimate(
    values: dict[str, Any], progress: Callable[[float], None] = lambda share: None
) -> dict[str, Any]:
    """Never raises for what a person chose: `reasons` then says why the run cannot start.

    `progress` hears shares of one while new rows are encoded, and may raise to end it.
    """
    try:
        config = TrainConfig.from_dict(values)
    except UserError as error:
        return {"reasons": [_reason(error.field, error.sentence)]}
    reasons = [_reason(field, problem) for field, problem in config.problems().items()]
    if reasons:
        return {"reasons": reasons}
    try:
        return _estimate(config, progress)
    except UserError as error:
        return {"reasons": [_reason(error.field, error.sentence)]}


def _estimate(config: TrainConfig, progress: Callable[[float], None]) -> dict[str, Any]:
    device = pick_device(config.dtype)
    shape = model_shape(config.model_name_or_path, config.lora_r, config.lora_target_modules)
    planned = foresee(config, kept_tokenizer(config.model_name_or_path)[0], progress)
    longest, facts = planned.longest, planned.facts
    dtype = str(device.dtype).removeprefix("torch.")
    memory = memory_for(config.gpu_ids)
    processes = len(wanted(config.gpu_ids) or [0])

    def predicted(changed: TrainConfig) -> dict[str, float]:
        whole = predict(changed, shape, dtype, device.type, longest)
        if changed.distributed_type == "ddp":
            return whole
        return _shared_out(whole, processes, shape.layers)

    def peak(changed: TrainConfig) -> float:
        return sum(predicted(changed).values())

    parts = predicted(config)
    peak_gib = sum(parts.values())
    max_steps = steps(config, len(planned.train), processes)
    sequences = config.per_device_train_batch_size * config.gradient_accumulation_steps * processes
    share = min(1.0, sequences / len(planned.train))  # of an epoch, in one step
    tokens = facts["train_tokens"] * share
    room_gib = memory.free_gib + memory.returning_gib  # the run waits until that has come back
    fits = peak_gib <= room_gib
    return {
        "peak_gib": peak_gib,
        "parts": parts,
        "device": device.name,
        "device_gib": memory.total_gib,
        "free_gib": memory.free_gib,
        "fits": fits,
        "dtype": dtype,
        "dtype_reason": device.reason._asdict(),
        "steps": max_steps,
        "effective_batch_rows": round(facts["train_rows"] * share, 1),
        "effective_batch_tokens": round(tokens),
        "trainable_parameters": shape.trainable_parameters,
        "total_parameters": shape.total_parameters,
        "train_rows": facts["train_rows"],
        "eval_rows": facts["eval_rows"],
        "seconds": _seconds(config, shape, device.type, max_steps * tokens),
        "ladder": _ladder(config, peak),
        "reasons": _device_reasons(config, device)
        + ([] if fits else [_too_large(peak_gib, room_gib, memory.name)]),
    }


def _shared_out(parts: dict[str, float], processes: int, layers: int) -> dict[str, float]:
    """GiB on each GPU under FSDP: all parameters and what belongs to them in equal shares, and the
    one layer that is gathered to compute with it."""
    kept = ("activations", "runtime")
    shares = {n: gib if n in kept else gib / processes for n, gib in parts.items()}
    gathered = parts["weights"] / layers if processes > 1 else 0.0
    return shares | {"weights": shares["weights"] + gathered}


@lru_cache(maxsize=2)
def kept_tokenizer(model_name_or_path: str):
    """As load_tokenizer; the same object for the same base, so that its rows stay known."""
    return load_tokenizer(model_name_or_path)


@lru_cache(maxsize=8)
def model_shape(model_name_or_path: str, lora_r: int, lora_target_modules: str) -> Shape:
    """Counts on the meta device: no weight is read. Raises UserError."""
    import torch
    from transformers import AutoModelForCausalLM

    known = load_config(model_name_or_path)
    text = known.get_text_config()
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(known)
    head = model.get_output_embeddings()
    linear = sum(
        module.weight.numel()
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    )
    total = sum(parameter.numel() for parameter in model.parameters())
    config = TrainConfig(lora_r=lora_r, lora_target_modules=lora_target_modules)
    return Shape(
        linear_parameters=linear,
        other_parameters=total - linear,
        trainable_parameters=lora_parameters(model, config),
        layers=text.num_hidden_layers,
        hidden_size=text.hidden_size,
        intermediate_size=getattr(text, "intermediate_size", None) or 4 * text.hidden_size,
        vocab_size=text.vocab_size,
    )


def _ladder(config: TrainConfig, peak) -> list[dict[str, Any]]:
    """What would need less memory, each step alone, cheapest for speed first."""
    half = max(1, config.per_device_train_batch_size // 2)
    changes = [
        (Sentence(f"batch {half}", f"批大小 {half}"), {"per_device_train_batch_size": half}),
        (Sentence("checkpointing", "激活重算"), {"gradient_checkpointing": True}),
        (Sentence("8-bit base", "8 比特底座"), {"load_in_8bit": True, "load_in_4bit": False}),
        (Sentence("4-bit base", "4 比特底座"), {"load_in_4bit": True, "load_in_8bit": False}),
    ]
    now = peak(config)
    rungs = [(words, peak(dataclasses.replace(config, **change))) for words, change in changes]
    return [{"change": w._asdict(), "peak_gib": gib} for w, gib in rungs if gib < now]


def _device_reasons(config: TrainConfig, device) -> list[dict[str, str]]:
    reasons = []
    if device.type == "cpu" and config.optim == "paged_adamw_8bit":
        words = Sentence(
            "paged_adamw_8bit needs a GPU and this machine has none; choose adamw_torch_fused.",
            "paged_adamw_8bit 需要显卡，本机没有；请选择 adamw_torch_fused。",
        )
        reasons.append(_reason("optim", words))
    if device.type == "cpu" and config.dtype == "float16":
        words = Sentence(
            "float16 trains on GPUs only; choose auto or float32 here.",
            "float16 只能在显卡上训练；这里请选 auto 或 float32。",
        )
        reasons.append(_reason("dtype", words))
    return reasons


def _too_large(peak_gib: float, room_gib: float, name: str) -> dict[str, str]:
    words = Sentence(
        f"This needs about {peak_gib:.1f} GiB and {room_gib:.1f} GiB are free on "
        f"{name}; take a smaller batch, a shorter longest row, or a 4-bit base.",
        f"大约需要 {peak_gib:.1f} GiB，而 {name} 只有 {room_gib:.1f} GiB 可用；"
        "请减小批大小、最长一条，或使用 4 比特底座。",
    )
    return _reason("per_device_train_batch_size", words)


def _seconds(config: TrainConfig, shape: Shape, device: str, tokens: float) -> float | None:
    """From earlier runs of this base on this machine; else, on a processor, from its matrix speed;
    on a GPU that has not trained yet nothing is known."""
    speeds = [
        run.tokens_per_second
        for run in runs.list_runs()
        if run.tokens_per_second
        and run.config.model_name_or_path == config.model_name_or_path
        and run.config.load_in_4bit == config.load_in_4bit
        and run.config.load_in_8bit == config.load_in_8bit
    ]
    if speeds:
        return _START_SECONDS + tokens / statistics.median(speeds[:5])
    if device == "cuda":
        return None
    operations = 4 * shape.total_parameters * tokens  # frozen base: forward 2N, backward 2N
    return _START_SECONDS + operations / (_matrix_speed() * _SHARE_REACHED)


@lru_cache(maxsize=1)
def _matrix_speed() -> float:
    """Operations a second of a float32 product of the size that small models have."""
    import torch

    a = torch.randn(1024, 256)
    b = torch.randn(256, 512)
    a @ b
    begin, count = time.perf_counter(), 30
    for _ in range(count):
        a @ b
    return 2 * 1024 * 256 * 512 * count / (time.perf_counter() - begin)


def _reason(field: str, words: Sentence) -> dict[str, str]:
    return {"field": field} | words._asdict()
