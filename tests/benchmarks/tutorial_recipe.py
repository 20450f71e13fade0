"""The tutorials' recipe as their code stands: PEFT's preparation, padded batches, checkpointing.

    python -m tests.benchmarks.tutorial_recipe MODEL ALPACA.json 4bit|8bit|none

What the figures of `training_speed` are compared with; no code of the project is used.
"""

import json
import sys
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

WARM, STEPS, ROWS, ACCUMULATION, LONGEST = 3, 10, 8, 2, 384
LINEAR = "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj".split()


def main() -> None:
    folder, data, load = sys.argv[1:4]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    quantization = {
        "4bit": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        ),
        "8bit": BitsAndBytesConfig(load_in_8bit=True),
        "none": None,
    }[load]
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16, device_map={"": 0}, quantization_config=quantization
    )
    model = prepare_model_for_kbit_training(model) if quantization else model
    if not quantization:
        model.enable_input_require_grads()
    adapter = LoraConfig(
        r=8, lora_alpha=32, lora_dropout=0.1, target_modules=LINEAR, task_type="CAUSAL_LM"
    )
    model = get_peft_model(model, adapter)
    watch, batch = Watch(), DataCollatorForSeq2Seq(tokenizer, padding=True)

    def collate(rows: list[dict]) -> dict:
        padded = batch(rows)
        watch.tokens += int(padded["attention_mask"].sum())
        return padded

    arguments = TrainingArguments(
        output_dir="/tmp/recipe",
        per_device_train_batch_size=ROWS,
        gradient_accumulation_steps=ACCUMULATION,
        max_steps=WARM + STEPS,
        learning_rate=1e-4,
        bf16=True,
        gradient_checkpointing=True,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        logging_steps=100,
        remove_unused_columns=False,
    )
    Trainer(
        model=model,
        args=arguments,
        train_dataset=_rows(tokenizer, data),
        data_collator=collate,
        callbacks=[watch],
    ).train()
    print(
        f"tutorials' recipe, {load}: {watch.speed():,.0f} tokens/s, peak "
        f"{torch.cuda.max_memory_reserved() / 2**30:.1f} GiB",
        flush=True,
    )


class Watch(TrainerCallback):
    """Real tokens and the seconds of the steps after the warm-up."""

    def __init__(self) -> None:
        self.tokens, self.seen = 0, []

    def on_step_end(self, *args, **kwargs) -> None:
        torch.cuda.synchronize()
        self.seen.append((time.monotonic(), self.tokens))

    def speed(self) -> float:
        (begin, before), (end, after) = self.seen[WARM - 1], self.seen[-1]
        return (after - before) / (end - begin)


def _rows(tokenizer, data: str) -> list[dict]:
    rows = json.loads(Path(data).read_text(encoding="utf-8"))
    made = []
    for row in rows[: (WARM + STEPS + 2) * ROWS * ACCUMULATION]:
        user = [{"role": "user", "content": row["instruction"] + row.get("input", "")}]
        asked = tokenizer(
            tokenizer.apply_chat_template(user, tokenize=False, add_generation_prompt=True)
        ).input_ids
        answer = tokenizer(row["output"] + tokenizer.eos_token).input_ids
        ids = (asked + answer)[:LONGEST]
        labels = ([-100] * len(asked) + answer)[:LONGEST]
        made.append({"input_ids": ids, "attention_mask": [1] * len(ids), "labels": labels})
    return made


if __name__ == "__main__":
    main()
