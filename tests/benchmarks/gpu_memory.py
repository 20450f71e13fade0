"""Foreseen against measured memory on one GPU, eleven configurations of a shape.

    python -m tests.benchmarks.gpu_memory ALPACA.json ... [--shape 7B] [--only WORDS]

One process a line; the peak is what torch reserved. No figure is a test.
"""

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks.training_speed import PLAIN, WARM, measure, prepare

CHECKPOINTING, NF4, INT8 = (
    {"gradient_checkpointing": True},
    {"load_in_4bit": True},
    {"load_in_8bit": True},
)
SMALL = {"per_device_train_batch_size": 4}
LONG = {"max_length": 4096, "per_device_train_batch_size": 2}
CASES = {
    "bf16, 4 x 1,024": SMALL,
    "bf16, 4 x 1,024, checkpointing": SMALL | CHECKPOINTING,
    "bf16, 8 x 1,024, 14 layers checkpointed": CHECKPOINTING
    | {"gradient_checkpointing_layers": 14, "per_device_train_batch_size": 8},
    "8-bit, 4 x 1,024": SMALL | INT8,
    "8-bit, 16 x 1,024, checkpointing": INT8 | CHECKPOINTING,
    "NF4, 1 x 1,024": NF4 | {"per_device_train_batch_size": 1},
    "NF4, 2 x 4,096": NF4 | LONG,
    "NF4, 2 x 4,096, checkpointing": NF4 | LONG | CHECKPOINTING,
    # So many that their batches are alike: most are filled up to what is foreseen.
    "NF4, 32 rows of 256 not packed": NF4
    | {"packing": False, "max_length": 256, "per_device_train_batch_size": 32},
    "bf16, not compiled, 4 x 1,024": SMALL | {"max_steps": 20},
    "bf16, dropout (PEFT's LoRA), 4 x 1,024": SMALL | {"lora_dropout": 0.1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--shape", default="7B")
    parser.add_argument("--only", default="", help="names of lines, with semicolons between")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    model, data = prepare(chosen.shape, chosen.files, folder)
    for name in filter(None, chosen.only.split(";")) if chosen.only else CASES:
        options = CASES[name]
        flags = PLAIN | options | {"model_name_or_path": model, "dataset": data}
        seen = measure(flags, "", folder, steps=WARM + 2)
        if seen.failed:
            print(f"{chosen.shape} {name}: {seen.failed}", flush=True)
            continue
        error = seen.foreseen_gib / seen.peak_gib - 1
        print(
            f"{chosen.shape} {name}: foreseen {seen.foreseen_gib:.2f}, measured "
            f"{seen.peak_gib:.2f} GiB, {error:+.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
