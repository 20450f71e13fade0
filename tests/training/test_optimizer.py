"""The optimisers and schedules that can be chosen: each steps, LoRA+ at two rates."""

import pytest
import torch

from engine.config import TrainConfig
from engine.options.declare import choices
from engine.training.arguments import arguments
from engine.training.assemble import build_model
from engine.training.loop import PackedTrainer
from engine.training.micro_steps import Layout
from engine.training.optimizer import own_optimizer

FIELDS = TrainConfig.__dataclass_fields__
NEED_A_GPU = {"adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit", "lion_8bit"}
STEPS = 50


@pytest.fixture(scope="module")
def model(tiny_model_folder, cpu):
    return build_model(TrainConfig(model_name_or_path=str(tiny_model_folder), lora_r=4), cpu)


@pytest.fixture
def trainer(model, tmp_path, cpu):
    def make(**options):
        config = TrainConfig(**options)
        args = arguments(config, tmp_path, cpu, STEPS, evaluates=False)
        return PackedTrainer(
            model=model,
            args=args,
            layout=Layout(0, flat=False, capacity=64, longest=64),
            has_loss_head=False,
            optimizer=own_optimizer(config, model, args),
        )

    return make


def test_lora_plus_lets_b_learn_faster(trainer, model):
    made = trainer(loraplus_lr_ratio=16, learning_rate=1e-3, weight_decay=0.1)
    made.create_optimizer()
    rates = {}
    for group in made.optimizer.param_groups:
        for parameter in group["params"]:
            rates[id(parameter)] = (group["lr"], group["weight_decay"])
    found = {name: rates[id(p)] for name, p in model.named_parameters() if p.requires_grad}
    assert {rate for name, rate in found.items() if "lora_A" in name} == {(1e-3, 0.1)}
    assert {rate for name, rate in found.items() if "lora_B" in name} == {(1.6e-2, 0.1)}
    assert type(made.optimizer) is torch.optim.AdamW
    assert own_optimizer(TrainConfig(), model, made.args) is None


@pytest.mark.parametrize("optim", sorted(set(choices(FIELDS["optim"])) - NEED_A_GPU))
def test_every_optimiser_for_a_processor_steps(trainer, model, optim):
    made = trainer(optim=optim, learning_rate=0.1)
    made.create_optimizer()
    before = {name: p.clone() for name, p in model.named_parameters() if "lora_B" in name}
    ids = torch.tensor([[5, 9, 300, 41]])
    model(input_ids=ids, labels=ids).loss.backward()
    made.optimizer.step()
    model.zero_grad()
    after = dict(model.named_parameters())
    assert all(not after[name].equal(before[name]) for name in before)
    with torch.no_grad():
        for name in before:
            after[name].copy_(before[name])


# Share of the learning rate after the first, the middle and before the last of 50 steps, without
# warm-up; computed by hand from the formulas.
@pytest.mark.parametrize(
    ("schedule", "middle", "end"),
    [
        ("cosine", 0.5, 0.0),
        ("linear", 0.5, 0.0),
        ("constant", 1.0, 1.0),
        ("constant_with_warmup", 1.0, 1.0),
        ("cosine_with_min_lr", 0.55, 0.1),
        ("polynomial", 0.25, 0.0),
        ("inverse_sqrt", (10_000 / 10_025) ** 0.5, (10_000 / 10_050) ** 0.5),
        ("warmup_stable_decay", 1.0, 0.0),
    ],
)
def test_every_schedule_falls_as_it_says(trainer, schedule, middle, end):
    assert schedule in choices(FIELDS["lr_scheduler_type"])
    made = trainer(lr_scheduler_type=schedule, learning_rate=1e-3, warmup_steps=0)
    made.create_optimizer_and_scheduler(STEPS)
    rates = []
    for _ in range(STEPS):
        made.optimizer.step()
        made.lr_scheduler.step()
        rates.append(made.lr_scheduler.get_last_lr()[0] / 1e-3)
    assert rates[STEPS // 2 - 1] == pytest.approx(middle, abs=1e-6)
    assert rates[-1] == pytest.approx(end, abs=1e-6)


def test_all_schedules_stand_above():
    assert len(choices(FIELDS["lr_scheduler_type"])) == 8
