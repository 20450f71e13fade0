"""Before the start: what will be trained, in how many steps, how much memory and time, why not."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from engine.config import TrainConfig
from engine.devices import memory_for, wanted
from engine.devices import processes as count_processes
from engine.errors import Sentence, UserError, quoted
from engine.hardware import check_size, pick_device, planned_device
from engine.models.adapter import trainable_parameters
from engine.models.attention import head_width, knows_boundaries, most, reads_prompts_whole
from engine.models.load import empty_model, kept_tokenizer
from engine.models.methods import merged_parameters
from engine.models.sources.facts import refusal
from engine.models.targets import linear_layers, linear_names, renamed_targets
from engine.options.adapter import Adapter
from engine.training import runs
from engine.training.arguments import warm_up
from engine.training.data import foresee, steps
from engine.training.fitting import Task, refusals
from engine.training.judging import cannot_judge
from engine.training.shape import Shape

_START_SECONDS = 12  # importing torch, transformers and peft, and loading a small base, on 2 cores
_SHARE_REACHED = 0.35  # of this machine's matrix speed, by the shipped base on 2 cores


def estimate(
    values: dict[str, Any],
    progress: Callable[[float], None] = lambda share: None,
    device_gib: float = 0.0,
) -> dict[str, Any]:
    """Never raises for what a person chose: `reasons` then says why the run cannot start.

    `progress` hears shares of one while new rows are encoded, and may raise to end it. With
    `device_gib` that is not 0, `plan` says how the run would stand on a GPU of that size.
    """
    try:
        config = TrainConfig.from_dict(values)
    except UserError as error:
        return {"reasons": [_reason(error.field, error.sentence)]}
    reasons = [_reason(field, problem) for field, problem in config.problems().items()]
    if reasons:
        return {"reasons": reasons}
    try:
        check_size(device_gib)
        return _estimate(config, progress, device_gib)
    except UserError as error:
        return {"reasons": [_reason(error.field, error.sentence)]}


def _estimate(
    config: TrainConfig, progress: Callable[[float], None], device_gib: float
) -> dict[str, Any]:
    device = pick_device(config.dtype, config.device_map)
    shape = model_shape(config)
    planned = foresee(config, _tokenizer(config), progress)
    facts, count = planned.facts, len(planned.train)
    memory = memory_for(config.gpu_ids, config.device_map)
    processes = count_processes(len(wanted(config.gpu_ids) or [0]), config.device_map)
    max_steps = steps(config, count, processes)
    room_gib = memory.free_gib + memory.returning_gib  # the run waits until that has come back
    task = Task(shape, device, room_gib, planned.lengths, max_steps, processes)
    outlook = task.outlook(config)
    sequences = config.per_device_train_batch_size * config.gradient_accumulation_steps * processes
    share = min(1.0, sequences / count)  # of an epoch, in one step
    tokens = facts["train_tokens"] * share
    refused = refusals(config, device) | _never_warm(config, max_steps)
    refused |= cannot_judge(config, facts, max_steps) | _no_script(facts)
    answer = {
        "peak_gib": outlook.peak_gib,
        "parts": outlook.parts,
        "device": device.name,
        "on_gpu": device.type == "cuda",
        "device_gib": memory.total_gib,
        "free_gib": memory.free_gib,
        "fits": outlook.fits,
        "dtype": str(device.dtype).removeprefix("torch."),
        "dtype_reason": device.reason._asdict(),
        "steps": max_steps,
        "micro_step_tokens": outlook.capacity,
        "micro_steps": outlook.micro_steps,
        "effective_batch_rows": round(facts["train_rows"] * share, 1),
        "effective_batch_tokens": round(tokens),
        "trainable_parameters": shape.trainable_parameters,
        "total_parameters": shape.total_parameters,
        "target_modules": list(shape.linear_names),
        "renamed_targets": shape.renamed_targets,
        "train_rows": facts["train_rows"],
        "eval_rows": facts["eval_rows"],
        "seconds": _seconds(config, shape, device.type, max_steps * tokens),
        "ladder": task.ladder(config),
        "reasons": [_reason(field, words) for field, words in refused.items()]
        + ([] if outlook.fits else [_too_large(config, outlook.peak_gib, room_gib, memory.name)])
        + _not_to_be_had(config.model_name_or_path),
    }
    if device_gib:
        other = planned_device(device_gib, config.dtype)
        task = dataclasses.replace(task, device=other, free_gib=device_gib)
        answer["plan"] = _plan(task, config)
    return answer


def _never_warm(config: TrainConfig, max_steps: int) -> dict[str, Sentence]:
    """The schedule `constant` has no warm-up, whatever the option says."""
    steps, most = warm_up(config, max_steps), max_steps - 1
    if config.lr_scheduler_type == "constant" or steps <= most:
        return {}
    words = Sentence(
        f"The warm-up takes {steps:,} steps and the whole run has {max_steps:,}, so the learning "
        f"rate would never be reached; write at most {most:,}, or a share such as 0.03.",
        f"预热需要 {steps:,} 步，而全程只有 {max_steps:,} 步，永远达不到所选的学习率；"
        f"请填不超过 {most:,} 的数，或 0.03 这样的比例。",
    )
    return {"warmup_steps": words}


def _no_script(facts: dict[str, Any]) -> dict[str, Sentence]:
    """A speaker is chosen in a script alone; elsewhere the choice would be silent."""
    if not facts["speaker"] or facts["format"] == "script":
        return {}
    speaker = quoted(facts["speaker"])
    words = Sentence(
        f"This data is no script, so there are no lines of {speaker} to learn; leave "
        "the speaker empty.",
        f"这份数据不是剧本，没有 {speaker} 的台词可学；请把说话人留空。",
    )
    return {"speaker": words}


def _not_to_be_had(name: str) -> list[dict[str, str]]:
    """The config of a base may be here while its weights are neither here nor within reach."""
    error = refusal(name)
    return [_reason(error.field, error.sentence)] if error else []


def _plan(task: Task, config: TrainConfig) -> dict[str, Any]:
    """The same run on a card that is not here."""
    outlook = task.outlook(config)
    return {
        "peak_gib": outlook.peak_gib,
        "parts": outlook.parts,
        "device": task.device.name,
        "device_gib": task.free_gib,
        "fits": outlook.fits,
        "micro_step_tokens": outlook.capacity,
        "micro_steps": outlook.micro_steps,
        "ladder": task.ladder(config),
    }


def _tokenizer(config: TrainConfig):
    return kept_tokenizer(config.model_name_or_path, config.chat_template)[0]


def model_shape(config: TrainConfig) -> Shape:
    """Counts on the meta device: no weight is read. Raises UserError, with the field, also for how
    rows are read where the model cannot read them so."""
    decides = [one.name for one in dataclasses.fields(Adapter)] + ["model_name_or_path", "lora_r"]
    shape = _counted(tuple((name, getattr(config, name)) for name in decides))
    if shape.reads_prompts_whole:
        _check_reading(config)
    return shape


def _check_reading(config: TrainConfig) -> None:
    name = config.model_name_or_path
    if config.packing:
        raise UserError(
            f"{name} reads all that stands before an answer as one prompt, so rows in one sequence "
            "would see each other; switch packing off.",
            f"{name} 会把回答之前的全部内容当作同一个提示，拼进同一序列的几条会互相看见；"
            "请关掉打包。",
            field="packing",
        )
    if config.loss_on == "everything":
        raise UserError(
            f"{name} sees its whole prompt at once, so there is nothing to foretell in it; learn "
            "the answers only.",
            f"{name} 一次看到整个提示，提示部分没有可预测的内容；请只学习回答。",
            field="loss_on",
        )


@lru_cache(maxsize=8)
def _counted(options: tuple[tuple[str, Any], ...]) -> Shape:
    config = TrainConfig(**dict(options))
    model = empty_model(config.model_name_or_path)
    text = model.config.get_text_config()
    heads, head = most(text, "num_attention_heads"), head_width(text)
    names = tuple(linear_names(model))  # before the adapter brings its own
    renamed = renamed_targets(model, config.lora_target_modules)
    linear = sum(module.weight.numel() for _, module in linear_layers(model))
    total = sum(parameter.numel() for parameter in model.parameters())
    between = most(text, "intermediate_size") or 4 * text.hidden_size
    experts = most(text, "num_experts_per_tok") + most(text, "n_shared_experts")
    trainable = trainable_parameters(model, config)  # the model has its adapter from here on
    return Shape(
        linear_parameters=linear,
        other_parameters=total - linear,
        trainable_parameters=trainable,
        layers=text.num_hidden_layers,
        hidden_size=text.hidden_size,
        intermediate_size=max(between, experts * (most(text, "moe_intermediate_size") or between)),
        query_size=heads * head,
        key_value_size=(most(text, "num_key_value_heads") or heads) * head,
        varlen=knows_boundaries(model),
        vocab_size=text.vocab_size,
        linear_names=names,
        experts_per_token=experts,
        merged_parameters=merged_parameters(model),
        reads_prompts_whole=reads_prompts_whole(model),
        renamed_targets=renamed,
    )


def _too_large(config: TrainConfig, peak_gib: float, room_gib: float, name: str) -> dict[str, str]:
    in_4bit = dataclasses.replace(config, load_in_4bit=True, load_in_8bit=False)
    base = Sentence("4-bit", " 4 比特")
    if in_4bit == config or in_4bit.problems():  # it is, or this method cannot be put on one
        base = Sentence("smaller", "更小的")
    words = Sentence(
        f"This needs about {peak_gib:.1f} GiB and {room_gib:.1f} GiB are free on "
        f"{name}; take a smaller batch, a shorter longest row, or a {base.en} base.",
        f"大约需要 {peak_gib:.1f} GiB，而 {name} 只有 {room_gib:.1f} GiB 可用；"
        f"请减小批大小、最长一条，或使用{base.zh}底座。",
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
        and run.config.peft_type == config.peft_type
    ]
    if speeds:
        return _START_SECONDS + tokens / statistics.median(speeds[:5])
    if device == "cuda":
        return None
    # Forward 2N; backward 2N through a frozen base, 4N where its weights have gradients too.
    operations = (6 if config.peft_type == "full" else 4) * shape.total_parameters * tokens
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
