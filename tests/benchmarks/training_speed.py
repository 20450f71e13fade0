"""How fast every way of training is, each lever on and off, beside the tutorials' recipe.

    python -m tests.benchmarks.training_speed ALPACA.json ... [--shape 7B] [--only WORDS]

One process a line, through `python -m engine train`, on a model of random weights. Real tokens a
second over the steps after the warm-up, and the peak that torch reserved. No figure is a test.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.config import TrainConfig
from engine.hardware import gpu_count
from engine.training import runs
from engine.training.live_files import read_json_lines
from engine.training.memory import RUNTIME_GIB

WARM, STEPS = 6, 20
PLAIN = {
    "lora_r": 16,
    "max_length": 1024,
    "per_device_train_batch_size": 16,
    "learning_rate": 1e-4,
    "eval_size": 0,
    "max_steps": 1000,  # it is ended after the steps that are measured
    "num_train_epochs": 100,
    "save_steps": 1000,
}
NF4, INT8 = {"load_in_4bit": True}, {"load_in_8bit": True}
CHECKPOINTING = {"gradient_checkpointing": True, "per_device_train_batch_size": 8}
BOTH = {"gpu_ids": "0,1"}
CASES = {  # name: (options, levers that are off)
    "bf16": ({}, ""),
    "bf16, 8,192 tokens": ({"per_device_train_batch_size": 8}, ""),
    "bf16, not compiled": ({}, "compiled"),
    "bf16, torch's varlen kernels": ({}, "packed"),
    "bf16, PEFT's LoRA": ({}, "fused_lora"),
    "bf16, whole logits": ({"per_device_train_batch_size": 8}, "loss_head"),
    "bf16, sdpa with a mask": ({}, "varlen"),
    "NF4": (NF4, ""),
    "NF4, checkpointing, 8,192 tokens": (NF4 | CHECKPOINTING, ""),
    "8-bit": (INT8, ""),
    "bf16, two GPUs, DDP": (BOTH, ""),
    "bf16, two GPUs, FSDP": (BOTH | {"distributed_type": "fsdp"}, ""),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--shape", default="7B")
    parser.add_argument("--only", default="", help="names of lines, with semicolons between")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    model, data = prepare(chosen.shape, chosen.files, folder)
    wanted = [name for name in chosen.only.split(";") if name] or ["recipe", *CASES]
    if "recipe" in wanted:
        _recipe(model, data)
    for name in wanted:
        if name in CASES:
            options, without = CASES[name]
            if options.keys() & BOTH and gpu_count() < 2:
                print(f"{chosen.shape} {name}: not measured, there is one GPU", flush=True)
                continue
            flags = PLAIN | options | {"model_name_or_path": model, "dataset": data}
            print(f"{chosen.shape} {name}: {measure(flags, without, folder).said()}", flush=True)


def prepare(shape: str, files: list[Path], folder: Path) -> tuple[Path, Path]:
    """The model and the rows of all files, in a process of its own that gives its memory back."""
    model, data = folder / shape, folder / "rows.json"
    rows = [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))]
    data.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    program = (
        "from pathlib import Path; from tests.benchmarks.shapes import build; "
        f"build({shape!r}, [Path({str(data)!r})], Path({str(model)!r}))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return model, data


def _recipe(model: Path, data: Path) -> None:
    for load in ("4bit", "8bit"):
        subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.tutorial_recipe", model, data, load],
            check=True,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """A run as far as it was let go; `failed` is the end of its log where it ended by itself."""

    rows: list[dict]
    foreseen_gib: float
    seconds: float
    failed: str = ""

    @property
    def peak_gib(self) -> float:
        """What torch reserved."""
        return self.rows[-1]["memory"]["peak_gib"]

    def said(self) -> str:
        if self.failed:
            return f"ended after {len(self.rows)} steps: {self.failed}"
        rows = self.rows
        seconds = [row["tokens"] / row["tokens_per_second"] for row in rows]
        tokens = rows[-1]["tokens"] - rows[WARM - 1]["tokens"]
        speed = tokens / (seconds[-1] - seconds[WARM - 1])
        return (
            f"{speed:,.0f} tokens/s, peak {self.peak_gib:.1f} GiB (foreseen "
            f"{self.foreseen_gib:.1f}), loss {rows[0]['loss']:.3f} -> {rows[-1]['loss']:.3f} in "
            f"{len(rows)} steps of {tokens / (len(rows) - WARM):,.0f} tokens, "
            f"{self.seconds:.0f} s from the command on"
        )


def measure(flags: dict, without: str, folder: Path, steps: int = WARM + STEPS) -> Measured:
    """Trains until so many steps are logged, and ends the processes by their ids."""
    os.environ["RUNS_DIR"] = tempfile.mkdtemp(dir=folder)
    path = runs.create(TrainConfig.from_dict({k: str(v) for k, v in flags.items()}))
    began = time.monotonic()
    with (path / "log").open("wb") as log:
        process = psutil.Popen(
            [sys.executable, "-m", "engine", "train", str(path)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"GREENROOM_WITHOUT": without},
        )
    rows: list[dict] = []
    while process.poll() is None and len(rows) < steps:
        threading.Event().wait(0.2)
        seen = read_json_lines(path / "metrics.jsonl")
        rows = [row for row in seen if row.get("tokens_per_second")]
    took = time.monotonic() - began
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended by itself
        for one in [*process.children(recursive=True), process]:
            one.kill()
    process.wait()
    said = (path / "log").read_text()
    found = re.search(r"([\d.]+) GiB foreseen", said)
    context = RUNTIME_GIB["cuda"]  # which torch does not count
    foreseen = float(found[1]) - context if found else 0.0
    return Measured(rows, foreseen, took, "" if len(rows) >= steps else said[-1500:])


if __name__ == "__main__":
    main()
