"""Whether a run fits a device: its micro-step, its memory by part, and what would help."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.config import TrainConfig
from engine.errors import Sentence
from engine.hardware import Device
from engine.training.arguments import capacities, sequences_a_step, tokens_together
from engine.training.levers import foresee
from engine.training.memory import predict
from engine.training.shape import Shape

_MARGIN = 0.97  # of what is free: the prediction errs by a few per cent
# Measured on an H200, 7B, beside the same run without (2026-11-21 and 23); see docs/training.md.
_EVERY_LAYER, _EIGHT_BIT, _FOUR_BIT, _OPTIMIZER = 1.40, 1.01, 1.03, 1.02


@dataclass(frozen=True, slots=True)
class Outlook:
    """`capacity` is the tokens of a micro-step, `micro_steps` about how many make up a step on
    one device, `parts` GiB of its peak."""

    capacity: int
    micro_steps: int
    parts: dict[str, float]
    fits: bool

    @property
    def peak_gib(self) -> float:
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be trained on which device: all that decides the memory besides the options."""

    shape: Shape
    device: Device
    free_gib: float
    lengths: np.ndarray  # tokens in each sequence of an epoch
    max_steps: int
    processes: int = 1

    def outlook(self, config: TrainConfig) -> Outlook:
        """With the largest micro-step that fits, or the smallest when none does."""
        levers = foresee(config, self.device, self.shape.varlen, self.max_steps)
        dtype = str(self.device.dtype).removeprefix("torch.")
        lengths, flat = self._cut(config), levers.varlen
        for capacity in capacities(config, lengths, flat, self.device.type == "cuda"):
            parts = predict(
                config, self.shape, levers, dtype, self.device.type, capacity, self.processes
            )
            fits = sum(parts.values()) <= self.free_gib * _MARGIN
            if fits:
                break
        count = min(sequences_a_step(config), len(lengths))
        step = tokens_together(config, lengths, count, flat)
        return Outlook(capacity, -(-step // capacity), parts, fits)

    def _cut(self, config: TrainConfig) -> np.ndarray:
        """The lengths where `max_length` is shorter: rows are cut, and packs become more of them,
        as full."""
        most = config.max_length
        if not config.packing or most >= self.lengths.max(initial=0):
            return np.minimum(self.lengths, most)
        return np.full(-(-int(self.lengths.sum()) // most), most)

    def ladder(self, config: TrainConfig) -> list[dict[str, Any]]:
        """What would need less memory, each change alone and then the two strongest together, the
        cheapest in time first: `change` in words, `values` of the fields, `peak_gib`, `fits`, and
        `time`, how many times as long a run would take."""
        now = self.outlook(config).peak_gib
        rungs = []
        for words, values in _changes(config, self.shape, self._fewest_layers):
            changed = dataclasses.replace(config, **values)
            if changed == config or changed.problems() or refusals(changed, self.device):
                continue
            then = self.outlook(changed)
            if then.peak_gib < 0.99 * now:
                time = _time(changed, self.shape.layers) / _time(config, self.shape.layers)
                rung = {"change": words._asdict(), "values": values, "peak_gib": then.peak_gib}
                rungs.append(rung | {"fits": then.fits, "time": round(time, 3)})
        return sorted(rungs, key=lambda rung: (not rung["fits"], rung["time"]))

    def _fewest_layers(self, config: TrainConfig) -> int:
        """Layers to compute anew until it fits; all of them when that is not enough, or when it
        fits and still less is wanted."""
        fewest, enough = 1, self.shape.layers
        if self.outlook(config).fits:
            return enough
        while fewest < enough:
            middle = (fewest + enough) // 2
            if self.outlook(_checkpointing(config, middle)).fits:
                enough = middle
            else:
                fewest = middle + 1
        return enough


def _checkpointing(config: TrainConfig, layers: int) -> TrainConfig:
    return dataclasses.replace(
        config, gradient_checkpointing=True, gradient_checkpointing_layers=layers
    )


def _time(config: TrainConfig, layers: int) -> float:
    """How many times as long as without anything that saves memory."""
    again = layers if config.gradient_checkpointing else 0
    again = min(again, config.gradient_checkpointing_layers or layers)
    stored = _FOUR_BIT if config.load_in_4bit else _EIGHT_BIT if config.load_in_8bit else 1.0
    optimizer = _OPTIMIZER if config.optim == "paged_adamw_8bit" else 1.0
    return (1 + (_EVERY_LAYER - 1) * again / layers) * stored * optimizer


def refusals(config: TrainConfig, device: Device) -> dict[str, Sentence]:
    """What this device cannot do, by field."""
    found = {}
    if device.type == "cpu" and config.optim.endswith("bit"):
        found["optim"] = Sentence(
            f"{config.optim} needs a GPU and this run has none; choose adamw_torch_fused.",
            f"{config.optim} 需要显卡，而这次训练没有；请选择 adamw_torch_fused。",
        )
    if device.type == "cpu" and config.dtype == "float16":
        found["dtype"] = Sentence(
            "float16 trains on GPUs only; choose auto or float32 here.",
            "float16 只能在显卡上训练；这里请选 auto 或 float32。",
        )
    if config.peft_type == "adaption_prompt" and str(device.dtype) == "torch.float16":
        found["dtype"] = Sentence(
            "Adaption prompts lie in the base's precision, and in float16 they cannot be trained; "
            "choose the precision float32, or prefix_tuning.",
            "adaption_prompt 使用底座的精度，float16 下无法训练；"
            "请把精度选为 float32，或改用 prefix_tuning。",
        )
    return found


def _changes(
    config: TrainConfig, shape: Shape, fewest_layers: Callable[[TrainConfig], int]
) -> list[tuple[Sentence, dict[str, Any]]]:
    """Words and values of each change."""
    layers = fewest_layers(config)
    half = max(64, config.max_length // 2)
    every = {"gradient_checkpointing": True, "gradient_checkpointing_layers": 0}
    some = every | {"gradient_checkpointing_layers": 0 if layers == shape.layers else layers}
    four = {"load_in_4bit": True, "load_in_8bit": False}
    eight = {"load_in_4bit": False, "load_in_8bit": True}
    changes = [
        (Sentence("micro-steps by memory", "按显存切分微步"), {"auto_find_batch_size": True}),
        (Sentence("8-bit optimiser", "8 比特优化器"), {"optim": "paged_adamw_8bit"}),
        (Sentence("4-bit base", "4 比特底座"), four),
        (Sentence("8-bit base", "8 比特底座"), eight),
        (
            Sentence(
                f"longest row {half} tokens, the rest is cut", f"最长一条 {half} token，超出截断"
            ),
            {"max_length": half},
        ),
    ]
    if not config.gradient_checkpointing or config.gradient_checkpointing_layers:
        words = Sentence(
            f"checkpoint {layers} of {shape.layers} layers",
            f"重算 {shape.layers} 层中的 {layers} 层",
        )
        changes.append((words, some))
        if not config.load_in_4bit:
            words = Sentence("4-bit base and checkpointing", "4 比特底座加激活重算")
            changes.append((words, four | every))
    return changes
