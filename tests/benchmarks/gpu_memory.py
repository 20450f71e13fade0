"""Predicted against measured memory, and the speed, of a Qwen2.5-0.5B or 7B shape with random
weights on one GPU: `python -m tests.benchmarks.gpu_memory [0.5B|7B] [steps]`.

Prints one line a way of storing the base. No figure here is a test.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SHAPES = {  # from the models' published config.json
    "0.5B": {
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    },
    "7B": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "tie_word_embeddings": False,
    },
}
WAYS = {
    "bf16": {},
    "bf16, checkpointing": {"gradient_checkpointing": True},
    "4-bit": {"load_in_4bit": True},
    "4-bit, checkpointing": {"load_in_4bit": True, "gradient_checkpointing": True},
    "8-bit, checkpointing": {"load_in_8bit": True, "gradient_checkpointing": True},
}


def build(name: str, folder: Path) -> Path:
    """A model of this shape with random weights, sprout's tokenizer, Qwen's vocabulary size."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    torch.set_default_device("cuda")
    torch.set_default_dtype(torch.bfloat16)
    config = Qwen2Config(vocab_size=151936, max_position_embeddings=32768, **SHAPES[name])
    Qwen2ForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained("data/sprout").save_pretrained(folder)
    return folder


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "0.5B"
    steps = sys.argv[2] if len(sys.argv) > 2 else "12"
    folder = Path(tempfile.mkdtemp())
    program = f"from tests.benchmarks.gpu_memory import *; build({name!r}, Path({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", program], check=True)
    for way, changes in WAYS.items():
        flags = {
            "model_name_or_path": folder,
            "dataset": "lighthouse-keeper",
            "max_length": 1024,
            "per_device_train_batch_size": 4,
            "max_steps": steps,
            "eval_size": 0,
            "learning_rate": 1e-4,
        } | changes
        line = [part for flag, value in flags.items() for part in (f"--{flag}", str(value))]
        foretold = _answer("estimate", line)
        run = _answer("train", line)
        status = json.loads((Path(run["path"]) / "status.json").read_text())
        print(
            f"{name} {way}: predicted {foretold['peak_gib']:.1f} GiB, measured "
            f"{status.get('peak_gib')} GiB, {status.get('tokens_per_second')} tokens/s, "
            f"{status['state']} {status.get('message', '')}; parts "
            + json.dumps({k: round(v, 2) for k, v in foretold.get("parts", {}).items()}),
            flush=True,
        )


def _answer(command: str, line: list[str]) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "engine", command, *line, "--json"], capture_output=True, text=True
    )
    if not done.stdout:
        print(done.stderr[-2000:])
    return json.loads(done.stdout.strip().split("\n")[-1])


if __name__ == "__main__":
    main()
