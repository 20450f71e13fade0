"""How fast every way of training is, each lever on and off, beside the tutorials' recipe.

    python -m tests.benchmarks.training_speed ALPACA.json ... [--shape 7B] [--only WORDS]

One process a line, through `python -m engine train`, on a model of random weights. Real tokens a
second over the steps after the warm-up, and the peak that torch reserved. No figure is a test.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

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
CASES = {  # name: (options, levers that are off)
    "bf16": ({}, ""),
    "bf16, 8,192 tokens": ({"per_device_train_batch_size": 8}, ""),
    "bf16, not compiled": ({}, "compiled"),
    "bf16, PEFT's LoRA": ({}, "fused_lora"),
    "bf16, whole logits": ({"per_device_train_batch_size": 8}, "loss_head"),
    "bf16, sdpa with a mask": ({}, "varlen"),
    "NF4": (NF4, ""),
    "NF4, checkpointing, 8,192 tokens": (NF4 | CHECKPOINTING, ""),
    "8-bit": (INT8, ""),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--shape", default="7B")
    parser.add_argument("--only", default="", help="names of lines, with semicolons between")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    model, data = folder / "model", folder / "rows.json"
    rows = [row for file in chosen.files for row in json.loads(file.read_text(encoding="utf-8"))]
    data.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    program = (
        "from pathlib import Path; from tests.benchmarks.shapes import build; "
        f"build({chosen.shape!r}, [Path({str(data)!r})], Path({str(model)!r}))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    wanted = [name for name in chosen.only.split(";") if name] or ["recipe", *CASES]
    if "recipe" in wanted:
        _recipe(model, data)
    for name in wanted:
        if name in CASES:
            options, without = CASES[name]
            flags = PLAIN | options | {"model_name_or_path": model, "dataset": data}
            print(f"{chosen.shape} {name}: {measure(flags, without, folder)}", flush=True)


def _recipe(model: Path, data: Path) -> None:
    for load in ("4bit", "8bit"):
        subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.tutorial_recipe", model, data, load],
            check=True,
        )


def measure(flags: dict, without: str, folder: Path, steps: int = WARM + STEPS) -> str:
    """Trains until so many steps are logged, ends the process by its id, and says what it saw."""
    runs = Path(tempfile.mkdtemp(dir=folder))
    line = [part for flag, value in flags.items() for part in (f"--{flag}", str(value))]
    began = time.monotonic()
    with (runs / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "engine", "train", *line],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"RUNS_DIR": str(runs), "GREENROOM_WITHOUT": without},
        )
    rows: list[dict] = []
    while process.poll() is None and len(rows) < steps:
        threading.Event().wait(0.2)
        rows = _logged(runs)
    took = time.monotonic() - began
    process.kill()
    process.wait()
    if len(rows) < steps:
        return f"ended after {len(rows)} steps: {(runs / 'log').read_text()[-1500:]}"
    return _said(rows, took)


def _logged(runs: Path) -> list[dict]:
    files = list(runs.glob("*/metrics.jsonl"))
    lines = files[0].read_text().split("\n")[:-1] if files else []
    return [row for row in map(json.loads, lines) if row.get("tokens_per_second")]


def _said(rows: list[dict], took: float) -> str:
    seconds = [row["tokens"] / row["tokens_per_second"] for row in rows]
    tokens = rows[-1]["tokens"] - rows[WARM - 1]["tokens"]
    speed = tokens / (seconds[-1] - seconds[WARM - 1])
    return (
        f"{speed:,.0f} tokens/s, peak {rows[-1]['memory']['peak_gib']:.1f} GiB, loss "
        f"{rows[0]['loss']:.3f} -> {rows[-1]['loss']:.3f} in {len(rows)} steps of "
        f"{tokens / (len(rows) - WARM):,.0f} tokens, {took:.0f} s from the command on"
    )


if __name__ == "__main__":
    main()
