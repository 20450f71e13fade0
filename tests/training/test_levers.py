"""What makes a run fast changes nothing of what it learns."""

import functools

import pytest
import torch
from torch._dynamo.utils import counters
from transformers import Qwen3Config, Qwen3ForCausalLM, Trainer, TrainingArguments

from engine.config import TrainConfig
from engine.dataset.packing import join
from engine.errors import Sentence
from engine.hardware import Device
from engine.models import loss_head
from engine.models.adapter import attach
from engine.models.fused_lora import fuse
from engine.options.adapter import PROMPTS
from engine.training import levers
from engine.training.arguments import arguments
from engine.training.loop import PackedTrainer
from engine.training.micro_steps import Layout

SMALL = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "eos_token_id": 1,
}
ROWS = [[5, 9, 300, 41, 7, 2], [8, 100, 77], [6, 60, 61, 62, 63, 64, 65, 2]]
LAYOUT = Layout(0, flat=True, capacity=24, longest=8, multiple=24)


def row(ids):
    return {"input_ids": ids, "labels": [-100, *ids[1:]]}


def model_of(layers, learning=True, **config):
    """Always the same; `learning` has an adapter that is not zero."""
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(Qwen3Config(**SMALL, num_hidden_layers=layers))
    model.config.use_cache = False
    model = attach(model, TrainConfig(lora_r=4, **config))
    for name, parameter in model.named_parameters():
        if learning and "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return model.train()


def result(model, rows=ROWS):
    """The loss and its gradients."""
    batch = LAYOUT.batch([join([row(ids) for ids in rows])], torch.device("cpu"))
    model.zero_grad()
    loss = model(**batch.inputs, labels=batch.labels).loss
    loss.backward()
    return loss.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.fixture
def compile_with(monkeypatch):
    """Compiles with a backend that needs no compiler, and forgets all when the test is over."""
    whole = torch.compile

    def use(backend, **more):
        compiler = functools.partial(whole, backend=backend, **more)
        monkeypatch.setattr(levers.torch, "compile", compiler)
        torch._dynamo.reset()
        counters.clear()

    yield use
    torch._dynamo.reset()


@pytest.mark.parametrize(
    ("compiled", "checkpointed"),
    [(False, 1), (False, None), (True, 1), (True, 0)],
    ids=["first checkpointed", "all checkpointed", "compiled, first checkpointed", "compiled"],
)
def test_compiled_and_checkpointed_layers_have_the_same_gradients(
    compile_with, compiled, checkpointed
):
    """Each layer, its fused LoRA in it, is one graph without a break."""
    expected = result(model_of(2))
    model = model_of(2)
    assert fuse(model, siblings=checkpointed == 0) == 14
    compile_with("aot_eager", fullgraph=True)
    levers._wrap_layers(model.get_base_model(), compiled, checkpointed)
    got = result(model)
    assert counters["stats"]["unique_graphs"] == (2 if compiled else 0)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_checkpointed_layers_keep_no_activations():
    """Only what lies between them: fewer tensors are kept for the backward pass."""

    def kept(checkpointed):
        model = model_of(3)
        levers._wrap_layers(model.get_base_model(), False, checkpointed)
        tensors = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: tensors.append(1) or t, lambda t: t
        ):
            result(model)
        return len(tensors)

    none, one, every = kept(0), kept(1), kept(None)
    assert every < one < none


@pytest.mark.parametrize("checkpointed", [0, 3])
def test_layers_share_their_programs(compile_with, checkpointed):
    """torch gives up on a function after eight; models have more layers than that. The first layer
    may have its own, since its input needs no gradient. Other rows on the same shape need none."""
    model = model_of(6)
    fuse(model, siblings=not checkpointed)
    compile_with("eager", fullgraph=True)
    levers._wrap_layers(model.get_base_model(), True, checkpointed)
    result(model)
    programs = counters["stats"]["unique_graphs"]
    assert programs <= 3
    result(model, [[5, 6], [7, 8, 9], [4, 3], [2, 1, 5, 6]])
    assert counters["stats"]["unique_graphs"] == programs


def test_generating_compiles_nothing(compile_with):
    """Else the first answers would use up all the programs, and training would have none."""
    model = model_of(1)
    compile_with("eager")
    levers._wrap_layers(model.get_base_model(), True, None)

    def said(model):
        question = torch.tensor([[5, 6, 7]])
        asked = {"max_new_tokens": 12, "do_sample": False, "use_cache": True}
        with torch.inference_mode():
            return model.eval().generate(input_ids=question, **asked)

    assert torch.equal(said(model), said(model_of(1)))
    assert counters["stats"]["unique_graphs"] == 0
    result(model.train())
    assert counters["stats"]["unique_graphs"] > 0


@pytest.mark.parametrize(("options", "layers"), [
    ({}, 0),
    ({"gradient_checkpointing_layers": 3}, 0),
    ({"gradient_checkpointing": True}, None),
    ({"gradient_checkpointing": True, "gradient_checkpointing_layers": 3}, 3),
])  # fmt: skip
def test_how_many_layers_are_checkpointed(options, layers):
    assert levers._checkpointed(TrainConfig(**options)) == layers


def pull(model, config, device, max_steps):
    return levers.pull(model, config, levers.foresee(config, device, True, max_steps))


def test_what_is_pulled_on_a_cpu(capsys, monkeypatch, cpu):
    """Named in the log; a benchmark switches each off by its name."""
    config = TrainConfig(lora_r=4)
    pulled = pull(model_of(1), config, cpu, 1000)
    assert pulled == levers.Levers(varlen=True, fused_lora=True, loss_head=True, compiled=False)
    said = "Levers: varlen, fused_lora, loss_head; attention: varlen\n"
    assert capsys.readouterr().out == said
    dropping = TrainConfig(lora_r=4, lora_dropout=0.1)
    pulled = pull(model_of(1, lora_dropout=0.1), dropping, cpu, 1000)
    assert (pulled.fused_lora, pulled.loss_head) == (False, True)
    monkeypatch.setenv("GREENROOM_WITHOUT", "varlen,fused_lora,loss_head")
    capsys.readouterr()
    assert pull(model_of(1), config, cpu, 1000) == levers.Levers(False, False, False, False)
    assert capsys.readouterr().out == "Levers: none; attention: sdpa\n"


STEPS, BATCH = 20, 4


def rows_to_learn():
    """Rows of 4 to 12 tokens that follow a rule, so that a loss can fall."""
    for number in range(STEPS * BATCH):
        ids = [3 + (number * 7 + step * (1 + number % 3)) % 40 for step in range(4 + number % 9)]
        yield row(ids)


def padded_side_by_side(rows):
    """As tutorials collate."""
    longest = max(len(one["input_ids"]) for one in rows)

    def column(name, fill):
        return torch.tensor([one[name] + [fill] * (longest - len(one[name])) for one in rows])

    ids, labels = column("input_ids", 0), column("labels", -100)
    real = torch.tensor([[i < len(one["input_ids"]) for i in range(longest)] for one in rows])
    return {"input_ids": ids, "labels": labels, "attention_mask": real.long()}


def plain_curve(folder):
    """Transformers' Trainer and PEFT's LoRA, nothing of ours but the rows."""
    trainer = Trainer(
        model=model_of(2, learning=False),
        args=TrainingArguments(
            output_dir=str(folder),
            max_steps=STEPS,
            per_device_train_batch_size=BATCH,
            learning_rate=1e-2,
            lr_scheduler_type="cosine",
            weight_decay=0.0,
            max_grad_norm=1.0,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        ),
        train_dataset=list(rows_to_learn()),
        data_collator=padded_side_by_side,
    )
    trainer.train()
    return losses(trainer)


def losses(trainer):
    return [one["loss"] for one in trainer.state.log_history if "loss" in one]


def test_twenty_steps_follow_the_plain_trainer(tmp_path, cpu, monkeypatch):
    """Every lever of a CPU, checkpointing, micro-steps of 16 tokens and tiles of 5: the same curve
    within 1 % at each step."""
    monkeypatch.setattr(loss_head, "_TILE_TOKENS", 5)
    config = TrainConfig(
        lora_r=4,
        learning_rate=1e-2,
        lr_scheduler_type="cosine",
        warmup_steps=0,
        weight_decay=0.0,
        max_grad_norm=1.0,
        optim="adamw_torch",
        seed=42,
        per_device_train_batch_size=BATCH,
        gradient_checkpointing=True,
    )
    model = model_of(2, learning=False)
    pulled = pull(model, config, cpu, STEPS)
    assert (pulled.fused_lora, pulled.loss_head) == (True, True)
    trainer = PackedTrainer(
        model=model,
        args=arguments(config, tmp_path, cpu, STEPS, evaluates=False, autocast=False),
        layout=Layout(0, flat=True, capacity=16, longest=12, multiple=8),
        has_loss_head=pulled.loss_head,
        train_dataset=[join([one]) for one in rows_to_learn()],
    )
    trainer.args.save_strategy = "no"
    trainer.train()
    expected = plain_curve(tmp_path)
    assert len(expected) == STEPS
    assert sum(expected[-5:]) < 0.95 * sum(expected[:5])
    assert losses(trainer) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("without", "ours"), [("", True), ("packed", False), ("head,packed", False)]
)
def test_our_attention_kernels_are_switched_off_by_their_name(without, ours, cpu, monkeypatch):
    wanted = []
    monkeypatch.setattr(levers, "use_varlen", lambda base, ours: wanted.append(ours) or True)
    monkeypatch.setenv("GREENROOM_WITHOUT", without)
    assert pull(model_of(1), TrainConfig(lora_r=4), cpu, 1000).varlen
    assert wanted == [ours]


@pytest.mark.parametrize("checkpointing", [True, False])
def test_what_is_computed_anew_has_no_siblings(checkpointing, cpu):
    """The compiler refuses what they hand each other there."""
    model = model_of(1)
    pull(model, TrainConfig(lora_r=4, gradient_checkpointing=checkpointing), cpu, 1000)
    with_siblings = [n for n, one in model.named_modules() if getattr(one, "siblings", None)]
    names = [] if checkpointing else ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"]
    assert [name.rsplit(".", 1)[1] for name in with_siblings] == names


CARD = Device("cuda", "a card", torch.bfloat16, Sentence("", ""), is_here=False)


@pytest.mark.parametrize("method", PROMPTS)
def test_prompts_before_each_row_know_no_boundaries(method, cpu):
    """They would stand before the first row alone, and move all that follow."""
    config = TrainConfig(peft_type=method, packing=False)
    for device in (cpu, CARD):
        assert not levers.foresee(config, device, True, 1000).varlen


@pytest.mark.parametrize("way", ["ddp", "fsdp"])
def test_every_way_to_share_the_work_pulls_all_levers(way):
    """FSDP puts a layer together before its compiled code is called."""
    config = TrainConfig(distributed_type=way)
    assert levers.foresee(config, CARD, True, 1000) == levers.Levers(
        varlen=True, fused_lora=True, loss_head=True, compiled=True
    )
