"""Packing changes speed, not sums: loss and gradients as if every row stood alone."""

import pytest
import torch

from engine.config import TrainConfig
from engine.dataset.packing import Collator, join
from engine.training.loop import PackedTrainer, arguments
from engine.training.train import _model

ROWS = [[5, 9, 300, 41, 7, 2], [8, 1000, 77], [6, 60, 61, 62, 63, 64, 65, 2], [3, 33, 333, 3333]]


@pytest.fixture(scope="module")
def model(tiny_model_folder, cpu):
    """As training makes it, but with an adapter that is not zero."""
    torch.manual_seed(1)
    model = _model(TrainConfig(model_name_or_path=str(tiny_model_folder), lora_r=4), cpu)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.2)
    return model.train()


@pytest.fixture
def trainer(model, tmp_path, cpu):
    args = arguments(TrainConfig(), tmp_path, cpu, max_steps=1, evaluates=False)
    return PackedTrainer(model=model, args=args, data_collator=Collator(0))


def item(ids, learned_from=1):
    return {"input_ids": ids, "labels": [-100] * learned_from + ids[learned_from:]}


def loss_and_gradients(trainer, sequences):
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, Collator(0)(sequences))
    loss.backward()
    gradients = {n: p.grad for n, p in trainer.model.named_parameters() if p.grad is not None}
    return loss.detach(), gradients


def test_a_row_in_a_pack_sees_only_itself(model):
    """Another neighbour before it, of the same length, changes none of its logits, bit for bit.

    Stands first: a Trainer would switch the cache off, which `_model` must do by itself.
    """
    row = item([6, 60, 61, 62, 2])

    def logits(neighbour):
        batch = Collator(0)([join([item(neighbour), row, item([4, 44])])])
        del batch["real_tokens"]
        return model(**batch).logits[0, len(neighbour) : len(neighbour) + 5]

    with torch.no_grad():
        first, second = logits([5, 9, 300, 41]), logits([900, 800, 700, 2])
        alone = model(input_ids=torch.tensor([row["input_ids"]])).logits[0]
    assert torch.equal(first, second)
    torch.testing.assert_close(first, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("packs", [[[0, 1, 2, 3]], [[2, 1], [0, 3]], [[3], [1, 0, 2]]])
def test_packed_loss_and_gradients_are_those_of_the_rows_alone(trainer, packs):
    """Alone means here: one row in a plain forward pass, without collator or position_ids."""
    items = [item(ids, learned_from=1 + i % 2) for i, ids in enumerate(ROWS)]
    model = trainer.model
    model.zero_grad()
    count = sum(label != -100 for one in items for label in one["labels"])
    alone = 0.0
    for one in items:
        output = model(input_ids=torch.tensor([one["input_ids"]]))
        targets = torch.tensor(one["labels"][1:])
        total = torch.nn.functional.cross_entropy(
            output.logits[0, :-1].float(), targets, ignore_index=-100, reduction="sum"
        )
        (total / count).backward()
        alone += total.item() / count
    expected = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    loss, gradients = loss_and_gradients(trainer, [join([items[i] for i in one]) for one in packs])
    assert loss.item() == pytest.approx(alone, abs=1e-5)
    assert gradients.keys() == expected.keys()
    assert all("lora_" in name for name in gradients)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-5, rtol=1e-4)


def test_a_row_does_see_its_own_beginning(model):
    """The control of the test above: what is changed within the row does change it."""

    def last(ids):
        batch = Collator(0)([join([item([5, 9]), item(ids)])])
        del batch["real_tokens"]
        with torch.no_grad():
            return model(**batch).logits[0, -1]

    assert (last([6, 60, 61]) - last([7, 60, 61])).abs().max() > 0.01


def test_tokens_seen_counts_training_tokens_without_padding(trainer):
    sequences = [join([item([1, 2, 3])]), join([item([1, 2, 3, 4, 5]), item([6, 7])])]
    trainer.compute_loss(trainer.model, Collator(0)(sequences))
    assert trainer.tokens_seen == 10
    trainer.model.eval()
    trainer.compute_loss(trainer.model, Collator(0)(sequences))
    trainer.model.train()
    assert trainer.tokens_seen == 10


@pytest.mark.parametrize(("warmup", "steps"), [(0.03, 6), (0.5, 100), (0, 0), (7, 7)])
def test_warm_up_below_one_is_a_share_of_all_steps(tmp_path, cpu, warmup, steps):
    args = arguments(TrainConfig(warmup_steps=warmup), tmp_path, cpu, 200, evaluates=False)
    assert args.warmup_steps == steps


def test_zero_means_about_eight_evaluations_and_four_saves(tmp_path, cpu):
    args = arguments(TrainConfig(), tmp_path, cpu, max_steps=80, evaluates=True)
    assert (args.eval_steps, args.save_steps, args.eval_strategy) == (10, 20, "steps")
    args = arguments(TrainConfig(), tmp_path, cpu, max_steps=2, evaluates=False)
    assert (args.eval_steps, args.save_steps, args.eval_strategy) == (1, 1, "no")
