"""On a CUDA device in bfloat16: the varlen kernel is sdpa with a block mask, and every lever
together, compiled layers among them, follows the plain Trainer with PEFT.
Run with `python -m pytest -m gpu`."""

import pytest
import torch
from transformers import (
    Qwen3Config,
    Qwen3ForCausalLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from engine.config import TrainConfig
from engine.dataset.packing import join
from engine.errors import Sentence
from engine.hardware import Device, can_compile
from engine.models.adapter import attach
from engine.models.attention import use_varlen
from engine.models.load import Quantization, load_base
from engine.training import levers
from engine.training.arguments import arguments
from engine.training.loop import PackedTrainer
from engine.training.micro_steps import Layout
from tests.training.test_levers import losses, padded_side_by_side, row

pytestmark = pytest.mark.gpu

STEPS, BATCH, LONGEST = 20, 8, 40
GPU = Device("cuda", "GPU", torch.bfloat16, Sentence("bfloat16", "bfloat16"))
CONFIG = TrainConfig(
    lora_r=8,
    learning_rate=3e-3,
    lr_scheduler_type="linear",
    warmup_steps=0,
    weight_decay=0.0,
    max_grad_norm=1.0,
    optim="adamw_torch",
    per_device_train_batch_size=BATCH,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random Qwen3 of width 256 with heads of 64."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=512,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=512,
        initializer_range=0.05,
        tie_word_embeddings=False,
        eos_token_id=1,
        pad_token_id=0,
    )
    folder = tmp_path_factory.mktemp("models") / "small"
    Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


def rows_to_learn():
    """Rows of 8 to 40 tokens that follow a rule, so that a loss can fall."""
    for number in range(STEPS * BATCH):
        length = 8 + number * 5 % (LONGEST - 7)
        yield row([3 + (number * 7 + step * (1 + number % 3)) % 64 for step in range(length)])


def base_of(folder, quantization=None, device=GPU):
    base = load_base(str(folder), device, quantization or Quantization())
    base.config.use_cache = False
    return base


def packed(rows, multiple=1):
    layout = Layout(0, flat=True, capacity=4096, longest=LONGEST, multiple=multiple)
    return layout.batch([join(rows)], torch.device("cuda"))


@torch.no_grad()
def test_the_loss_through_varlen_is_that_of_sdpa_with_a_block_mask(folder):
    base = base_of(folder)
    batch = packed(list(rows_to_learn())[:BATCH])
    plain = {name: batch.inputs[name] for name in ("input_ids", "position_ids")}
    assert base.config._attn_implementation == "sdpa"
    expected = base(**plain, labels=batch.labels).loss.item()
    assert use_varlen(base)
    assert base(**batch.inputs, labels=batch.labels).loss.item() == pytest.approx(
        expected, rel=1e-2
    )


@torch.no_grad()
def test_a_row_sees_only_itself_bit_for_bit(folder):
    """Its neighbours are others of the same lengths; its own beginning does count."""
    base = base_of(folder)
    assert use_varlen(base)

    def logits(before, ids, after):
        batch = packed([row(before), row(ids), row(after)], multiple=64)
        return base(**batch.inputs).logits[0, len(before) : len(before) + len(ids)]

    mine = [6, 60, 61, 62, 2, 17, 33]
    first = logits([5, 9, 300, 41], mine, [8, 7, 6])
    assert torch.equal(first, logits([400, 8, 77, 2], mine, [100, 200, 300]))
    assert not torch.equal(first[-1], logits([5, 9, 300, 41], [7, *mine[1:]], [8, 7, 6])[-1])


def adapted(folder, quantization, device):
    base = base_of(folder, quantization, device)
    torch.manual_seed(1)  # the adapter begins alike in both
    return attach(base, CONFIG)


def plain_curve(path, folder, quantization, device=GPU):
    """Transformers' Trainer, PEFT's LoRA, sdpa and padding: nothing of ours but the rows."""
    args = TrainingArguments(
        output_dir=str(path),
        max_steps=STEPS,
        per_device_train_batch_size=BATCH,
        learning_rate=CONFIG.learning_rate,
        lr_scheduler_type=CONFIG.lr_scheduler_type,
        weight_decay=0.0,
        max_grad_norm=1.0,
        optim=CONFIG.optim,
        seed=CONFIG.seed,
        bf16=True,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=device.type == "cpu",
    )
    trainer = Trainer(
        model=adapted(folder, quantization, device),
        args=args,
        train_dataset=list(rows_to_learn()),
        data_collator=padded_side_by_side,
    )
    trainer.train()
    return losses(trainer)


def our_trainer(path, folder, quantization, device=GPU, **more):
    """As engine.training.train makes a run, all levers pulled: returns them and the trainer."""
    model = adapted(folder, quantization, device)
    pulled = levers.pull(model, CONFIG, levers.foresee(CONFIG, device, True, STEPS))
    size = LONGEST * BATCH // 2  # two micro-steps or so a step
    args = arguments(CONFIG, path, device, STEPS, False, autocast=not pulled.fused_lora)
    args.save_strategy = "no"
    trainer = PackedTrainer(
        model=model,
        args=args,
        layout=Layout(0, flat=True, capacity=size, longest=LONGEST, one_shape=True),
        has_loss_head=pulled.loss_head,
        train_dataset=[join([one]) for one in rows_to_learn()],
        **more,
    )
    return pulled, trainer


def our_curve(path, folder, quantization, device=GPU):
    pulled, trainer = our_trainer(path, folder, quantization, device)
    trainer.train()
    return pulled, losses(trainer)


@pytest.mark.parametrize(
    "quantization",
    [Quantization(), Quantization(load_in_4bit=True)],
    ids=["plain", "4-bit"],
)
def test_twenty_steps_with_every_lever_follow_the_plain_trainer(
    folder, quantization, tmp_path, monkeypatch
):
    """Within 1 % at each step."""
    monkeypatch.setattr(levers, "_STEPS_WORTH_COMPILING", STEPS)
    torch._dynamo.reset()
    expected = plain_curve(tmp_path, folder, quantization)
    pulled, curve = our_curve(tmp_path, folder, quantization)
    assert pulled == levers.Levers(True, True, True, compiled=can_compile())
    assert len(expected) == STEPS
    assert sum(expected[-5:]) < 0.95 * sum(expected[:5])
    assert curve == pytest.approx(expected, rel=0.01)


class Strict(TrainerCallback):
    """From the second step on whoever makes the host wait for the GPU fails, until the last."""

    def on_step_end(self, args, state, control, **kwargs):
        plain = state.global_step < STEPS - 1
        torch.cuda.set_sync_debug_mode("error" if plain else "default")


def test_from_step_to_step_the_host_waits_for_nothing(folder, tmp_path):
    """But for the numbers of the step before, so that the GPU always has the next work there."""
    callbacks = [Strict()]
    _, trainer = our_trainer(tmp_path, folder, Quantization(), logs_late=True, callbacks=callbacks)
    try:
        trainer.train()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(losses(trainer)) == STEPS
