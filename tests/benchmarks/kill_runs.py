"""Kills real training processes at 25 random moments and counts what is lost; nothing may be.

    python -m tests.benchmarks.kill_runs [--kills 25] [--seed 0]

A tiny model saves a checkpoint at every step, so that many deaths fall into the writing of one.
After each death the newest checkpoint that had been reported must be there; at the end the
run, resumed again and again, must have the losses of one that nobody killed, to the last bit. Takes
about ten seconds a kill: each process imports torch anew.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine.config import TrainConfig
from engine.hardware import child_environment
from engine.training import checkpoints, runs
from engine.training.live_files import read_json_lines

STEPS = 150
SECONDS_AFTER_A_STEP = 1.5  # a death comes at most that long after a session's first step


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        os.environ["RUNS_DIR"] = folder
        config = TrainConfig.from_dict(_tiny(Path(folder)))
        whole = runs.create(config)
        _start(whole).wait()
        expected = _losses(whole)
        assert len(expected) == STEPS, (whole / "train.log").read_text()
        path, torn, lost = runs.create(config), 0, 0
        for number in range(options.kills):
            if runs.get(path.name).state == "finished":
                lost += _losses(path) != expected
                path = runs.create(config)
            before = _kill(path)
            after = checkpoints.last_complete(path)
            unfinished = len(list(path.glob("checkpoint-*"))) - (after is not None)
            torn += unfinished > 0
            lost += not _is_whole(after, before)
            print(f"kill {number + 1}: {after and after.name}, {unfinished} unfinished", flush=True)
        while runs.get(path.name).state != "finished":
            assert _start(path).wait() == 0, (path / "train.log").read_text()
        lost += _losses(path) != expected
    print(json.dumps({"kills": options.kills, "within a checkpoint": torn, "lost": lost}))
    return 1 if lost else 0


def _tiny(folder: Path) -> dict:
    """A random model of two layers with the shipped tokenizer, and rows to train it on."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from engine.models.load import load_tokenizer

    tokenizer, _ = load_tokenizer("sprout")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 16}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": len(tokenizer)}
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    Qwen3ForCausalLM(Qwen3Config(**shape, **heads, **ends)).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return {
        "dataset": "lighthouse-keeper",
        "model_name_or_path": str(folder / "model"),
        "max_length": 128,
        "lora_r": 4,
        "lora_dropout": 0.1,
        "per_device_train_batch_size": 2,
        "max_steps": STEPS,
        "save_steps": 1,
        "save_total_limit": 1,
        "eval_steps": STEPS,
    }


def _start(path: Path) -> subprocess.Popen:
    with (path / "train.log").open("ab") as log:
        command = [sys.executable, "-m", "engine", "train", str(path)]
        return subprocess.Popen(command, stdout=log, stderr=log, env=child_environment())


def _kill(path: Path) -> Path | None:
    """Starts or resumes the run, kills it a moment after its first step; the newest checkpoint that
    was there just before."""
    process = _start(path)
    begun = len(_losses(path))
    while process.poll() is None and len(_losses(path)) in (begun, 0):
        begun = min(begun, len(_losses(path)))  # resuming forgets the rows after its checkpoint
        time.sleep(0.02)
    time.sleep(random.uniform(0, SECONDS_AFTER_A_STEP))
    before = checkpoints.last_complete(path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return before


def _is_whole(after: Path | None, before: Path | None) -> bool:
    """Not older than what had been reported, and every file of it can be read."""
    import safetensors.torch
    import torch

    if before is None:
        return True
    if after is None or int(after.name.split("-")[1]) < int(before.name.split("-")[1]):
        return False
    safetensors.torch.load_file(after / "adapter_model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt"):
        torch.load(after / name, weights_only=True)
    json.loads((after / "trainer_state.json").read_text())
    return True


def _losses(path: Path) -> dict[int, float]:
    rows = read_json_lines(path / "metrics.jsonl")
    return {row["step"]: row["loss"] for row in rows if "loss" in row}


if __name__ == "__main__":
    sys.exit(main())
