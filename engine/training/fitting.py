"""Whether a run fits a device: its micro-step, its memory by part, and what would help."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.config import TrainConfig
from engine.errors import Sentence
from engine.hardware import Device
from engine.training.levers import foresee
from engine.training.loop import capacities
from engine.training.memory import predict
from engine.training.shape import Shape

_MARGIN = 0.97  # of what is free: the prediction errs by a few per cent
# Measured on an H200, 7B, beside the same run without (2026-11-21); see docs/training.md.
_TIME = {"every layer": 1.40, "8-bit": 1.07, "4-bit": 1.04, "optimizer": 1.02}


@dataclass(frozen=True, slots=True)
class Outlook:
    """`capacity` is the tokens of a micro-step, `parts` GiB of its peak."""

    capacity: int
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
    longest: int  # tokens in the longest sequence
    sequences: int  # in an epoch
    max_steps: int
    processes: int = 1

    def outlook(self, config: TrainConfig) -> Outlook:
        """With the largest micro-step that fits, or the smallest when none does."""
        levers = foresee(config, self.device, self.shape.varlen, self.max_steps)
        dtype = str(self.device.dtype).removeprefix("torch.")
        longest = min(self.longest, config.max_length)
        for capacity in capacities(config, longest, self.sequences, self.device.type == "cuda"):
            parts = predict(config, self.shape, levers, dtype, self.device.type, capacity)
            if config.distributed_type == "fsdp" and self.processes > 1:
                parts = _shared_out(parts, self.processes, self.shape.layers)
            fits = sum(parts.values()) <= self.free_gib * _MARGIN
            if fits:
                break
        return Outlook(capacity, parts, fits)

    def ladder(self, config: TrainConfig) -> list[dict[str, Any]]:
        """What would need less memory, each change alone and then the two strongest together, the
        cheapest in time first: `change` in words, `values` of the fields, `peak_gib`, `fits`, and
        `time`, how many times as long a run would take."""
        now = self.outlook(config).peak_gib
        rungs = []
        for words, values, time in _changes(config, self.shape, self._fewest_layers):
            changed = dataclasses.replace(config, **values)
            if changed == config or changed.problems():
                continue
            then = self.outlook(changed)
            if then.peak_gib < 0.99 * now:
                rung = {"change": words._asdict(), "values": values, "peak_gib": then.peak_gib}
                rungs.append(rung | {"fits": then.fits, "time": time})
        return sorted(rungs, key=lambda rung: (not rung["fits"], rung["time"]))

    def _fewest_layers(self, config: TrainConfig) -> int:
        """Layers to compute anew until it fits; all of them when that is not enough."""
        fewest, enough = 1, self.shape.layers
        while fewest < enough:
            middle = (fewest + enough) // 2
            if self.outlook(_checkpointing(config, middle)).fits:
                enough = middle
            else:
                fewest = middle + 1
        return enough


def _shared_out(parts: dict[str, float], processes: int, layers: int) -> dict[str, float]:
    """GiB on each GPU under FSDP: all parameters and what belongs to them in equal shares, and the
    one layer that is gathered to compute with it."""
    shared = ("weights", "adapter", "gradients", "optimizer")
    shares = {n: gib / processes if n in shared else gib for n, gib in parts.items()}
    return shares | {"weights": shares["weights"] + parts["weights"] / layers}


def _checkpointing(config: TrainConfig, layers: int) -> TrainConfig:
    return dataclasses.replace(
        config, gradient_checkpointing=True, gradient_checkpointing_layers=layers
    )


def _changes(
    config: TrainConfig, shape: Shape, fewest_layers: Callable[[TrainConfig], int]
) -> list[tuple[Sentence, dict[str, Any], float]]:
    """Words, values and the time that each change costs."""
    layers = fewest_layers(config)
    half = max(64, config.max_length // 2)
    every = {"gradient_checkpointing": True, "gradient_checkpointing_layers": 0}
    some = every | {"gradient_checkpointing_layers": 0 if layers == shape.layers else layers}
    four = {"load_in_4bit": True, "load_in_8bit": False}
    eight = {"load_in_4bit": False, "load_in_8bit": True}
    changes = [
        (
            Sentence("micro-steps by memory", "按显存切分微步"),
            {"auto_find_batch_size": True},
            1.0,
        ),
        (
            Sentence("8-bit optimiser", "8 比特优化器"),
            {"optim": "paged_adamw_8bit"},
            _TIME["optimizer"],
        ),
        (Sentence("4-bit base", "4 比特底座"), four, _TIME["4-bit"]),
        (Sentence("8-bit base", "8 比特底座"), eight, _TIME["8-bit"]),
        (Sentence(f"rows of {half} tokens", f"每条最长 {half} token"), {"max_length": half}, 1.0),
    ]
    if not config.gradient_checkpointing or config.gradient_checkpointing_layers:
        words = Sentence(
            f"checkpoint {layers} of {shape.layers} layers",
            f"重算 {shape.layers} 层中的 {layers} 层",
        )
        changes.append((words, some, 1 + (_TIME["every layer"] - 1) * layers / shape.layers))
    if not config.load_in_4bit:
        words = Sentence("4-bit base and checkpointing", "4 比特底座加激活重算")
        changes.append((words, four | every, _TIME["4-bit"] * _TIME["every layer"]))
    return changes
