"""The memory of a run before the run: its model and one real step, at two sizes of micro-step.

`python -m engine.training.probe` is the process that engine.measure asks.
"""

import math
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import linear_regression
from typing import Any

import psutil
import torch

from engine.child import serve, stopping
from engine.config import TrainConfig
from engine.dataset.packing import Row
from engine.devices import wanted
from engine.errors import Sentence, UserError, is_out_of_memory
from engine.hardware import GIB, pick_device
from engine.models.load import load_tokenizer
from engine.models.sources.fetch import fetch, said
from engine.training.arguments import arguments
from engine.training.assemble import build_model
from engine.training.data import prepare
from engine.training.estimate import estimate, model_shape
from engine.training.levers import foresee, pull
from engine.training.loop import PackedTrainer, Step
from engine.training.memory import RUNTIME_GIB
from engine.training.micro_steps import Layout

_LOADING = Sentence("Loading the model", "正在加载模型")
_RESERVED = Sentence(
    f"What torch reserved on the card, and {RUNTIME_GIB['cuda']} GiB for CUDA itself.",
    f"torch 在显卡上占用的显存，加上 CUDA 自身的 {RUNTIME_GIB['cuda']} GiB。",
)
_RESIDENT = Sentence(
    "The resident memory of the process, its libraries and data included.",
    "进程的常驻内存，包括各个库和数据。",
)
_SECONDS_BETWEEN_LOOKS = 0.005


class _Whole(Layout):
    """Memory that runs out is an answer here, nothing to get around."""

    def halve(self, sequences) -> bool:
        return False


def probe(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields {"share", "doing"} while it works, and at its end {"share": 1, "measured"}:

    `tokens` and `peak_gib` of each micro-step taken, `gib_per_1000_tokens` and
    `peak_gib_at_capacity` of the line through them, `predicted_gib`, `error` (the share by which
    the prediction is too high), `what` was measured, and a `note` where memory ran out.
    Raises UserError for what `estimate` refuses, and when not even the smaller one fits.
    """
    yield {"share": 0.05, "doing": _LOADING._asdict()}
    report = estimate(values)
    if not can_measure(report):
        reason = report["reasons"][0]
        raise UserError(reason["en"], reason["zh"], reason["field"])
    _refuse_shared(TrainConfig.from_dict(values))
    for progress in fetch(values["model_name_or_path"], stopping):
        yield {"share": 0.1, "doing": said(progress)._asdict()}
    if stopping():
        return
    yield {"share": 0.2, "doing": _LOADING._asdict()}
    found: dict[int, float] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
            for look in _steps(TrainConfig.from_dict(values), report, Path(folder), found):
                if stopping():
                    return
                yield look
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        if len(found) < 2:
            raise UserError(
                "Memory ran out before one small step was done; take a rung of the ladder first.",
                "连最小的一步都还没走完，内存（显存）就不足了；请先选一个更省的办法。",
            ) from None
    yield {"share": 1.0, "measured": _measured(report, found)}


def can_measure(report: dict[str, Any]) -> bool:
    """Nothing but its size speaks against the run, and on a GPU not even that: memory that runs
    out there does no harm."""
    if "peak_gib" not in report:
        return False
    others = len(report["reasons"]) - (not report["fits"])
    return not others and (report["fits"] or report["on_gpu"])


def _refuse_shared(config: TrainConfig) -> None:
    if config.distributed_type == "fsdp" and len(wanted(config.gpu_ids) or []) > 1:
        raise UserError(
            "A model that FSDP shares out cannot be measured here, in one process alone; go by "
            "what is foreseen, or start the run: its log tells the memory of each step.",
            "FSDP 分摊的模型无法在单个进程里测量；请参考预测值，"
            "或直接开始训练：日志会给出每一步的显存。",
            field="distributed_type",
        )


def _steps(
    config: TrainConfig, report: dict[str, Any], folder: Path, found: dict[int, float]
) -> Iterator[dict[str, Any]]:
    """Fills `found` with GiB by tokens, not a number while these are tried; raises where a step
    does not fit."""
    device, max_steps = pick_device(config.dtype, config.device_map), report["steps"]
    tokenizer, _ = load_tokenizer(config.model_name_or_path, config.chat_template)
    train = prepare(config, tokenizer).train
    model = build_model(config, device, max_steps)
    varlen = model_shape(config).varlen
    levers = pull(model, config, foresee(config, device, varlen, max_steps))
    layout = _Whole(
        tokenizer.pad_token_id,
        flat=levers.varlen,
        capacity=0,
        longest=train.longest_row,
        multiple=64 if device.type == "cuda" else 1,
        one_shape=levers.compiled,
    )
    autocast = not levers.fused_lora
    trainer = PackedTrainer(
        model=model,
        args=arguments(config, folder, device, max_steps, evaluates=False, autocast=autocast),
        layout=layout,
        has_loss_head=levers.loss_head,
        processing_class=tokenizer,
    )
    trainer.model_wrapped, trainer.optimizer = trainer.accelerator.prepare(
        model, trainer.create_optimizer()
    )
    longest = max(train, key=lambda one: len(one["input_ids"]))
    for rows in sizes(longest, report["micro_step_tokens"]):
        tokens = layout.capacity = sum(len(one["input_ids"]) for one in rows)
        doing = Sentence(f"One step of {tokens:,} tokens", f"走一步，{tokens:,} 个 token")
        yield {"share": 0.9 if found else 0.6, "doing": doing._asdict()}
        # A second micro-step adds its gradients to those of the first.
        step = rows * min(2, report["micro_steps"])
        is_first, found[tokens] = not found, math.nan
        if is_first:  # the optimiser's state and the workspaces come with the first step
            _peak_gib(trainer, step)
        found[tokens] = _peak_gib(trainer, step)


def sizes(longest: Row, capacity: int) -> list[list[Row]]:
    """The rows of two micro-steps: a quarter (or half) of what `capacity` tokens hold of the
    longest sequence, and all of it; of a single sequence its first half."""
    together = max(1, capacity // len(longest["input_ids"]))
    if together > 1:
        return [[longest] * max(1, together // 4), [longest] * together]
    half = {name: value[: max(2, len(value) // 2)] for name, value in longest.items()}
    return [[half | {"labels": half["input_ids"]}], [longest]]


def _peak_gib(trainer: PackedTrainer, rows: list[Row]) -> float:
    """Of one optimiser step."""
    if trainer.args.device.type != "cuda":
        with _PeakOfRam() as peak:
            _step(trainer, rows)
        return peak.bytes / GIB
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    _step(trainer, rows)
    return torch.cuda.max_memory_reserved() / GIB + RUNTIME_GIB["cuda"]


def _step(trainer: PackedTrainer, rows: list[Row]) -> None:
    """As Trainer takes it: forward, backward, clipped gradients, optimiser."""
    model = trainer.model_wrapped
    trainer.training_step(model, {"step": Step(rows)})
    if trainer.args.max_grad_norm:
        trainer.accelerator.clip_grad_norm_(model.parameters(), trainer.args.max_grad_norm)
    trainer.optimizer.step()
    model.zero_grad()


class _PeakOfRam:
    """The most `bytes` that this process had resident at any look while it was watched."""

    def __enter__(self) -> "_PeakOfRam":
        self.bytes, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        process, over = psutil.Process(), False
        while not over:
            over = self._over.wait(_SECONDS_BETWEEN_LOOKS)
            self.bytes = max(self.bytes, process.memory_info().rss)


def _measured(report: dict[str, Any], found: dict[int, float]) -> dict[str, Any]:
    tried, known = max(found), {n: gib for n, gib in found.items() if not math.isnan(gib)}
    tokens, peaks = [*known], [*known.values()]
    capacity, predicted = report["micro_step_tokens"], report["peak_gib"]
    what = _RESERVED if report["on_gpu"] else _RESIDENT
    answer = {"tokens": tokens, "peak_gib": peaks, "predicted_gib": predicted}
    answer |= {"what": what._asdict(), "note": None}
    if len(known) == 1:
        note = Sentence(
            f"Memory ran out at {tried:,} tokens; {tokens[0]:,} fit. The run would cut its "
            "steps smaller, where a single sequence is not too long already.",
            f"{tried:,} 个 token 时内存（显存）不足，{tokens[0]:,} 个放得下。"
            "正式训练会把一步切得更小，除非单独一条就已太长。",
        )
        unknown = dict.fromkeys(("gib_per_1000_tokens", "peak_gib_at_capacity", "error"))
        return answer | unknown | {"note": note._asdict()}
    slope, intercept = linear_regression(tokens, peaks)
    at_capacity = intercept + slope * capacity
    return answer | {
        "gib_per_1000_tokens": 1000 * slope,
        "peak_gib_at_capacity": at_capacity,
        "error": predicted / at_capacity - 1,
    }


if __name__ == "__main__":
    serve({"measure": probe})
