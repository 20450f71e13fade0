"""Packing and cutting change speed, not sums: loss and gradients as if every row stood alone."""

import copy

import pytest
import torch
from transformers import TrainerCallback

from engine.config import TrainConfig
from engine.dataset.packing import join
from engine.models.loss_head import give_loss_head
from engine.training.arguments import arguments
from engine.training.assemble import build_model
from engine.training.loop import PackedTrainer
from engine.training.micro_steps import Layout

ROWS = [[5, 9, 300, 41, 7, 2], [8, 1000, 77], [6, 60, 61, 62, 63, 64, 65, 2], [3, 33, 333, 3333]]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tiny_model_folder, cpu):
    """As training makes it, but with an adapter that is not zero."""
    torch.manual_seed(1)
    model = build_model(TrainConfig(model_name_or_path=str(tiny_model_folder), lora_r=4), cpu)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.2)
    assert give_loss_head(model.get_base_model(), compiled=False)
    return model.train()


@pytest.fixture
def make_trainer(model, tmp_path, cpu):
    def make(flat=True, has_loss_head=True, capacity=999, eval_dataset=None):
        return PackedTrainer(
            model=model,
            args=arguments(TrainConfig(), tmp_path, cpu, max_steps=1, evaluates=False),
            layout=Layout(0, flat=flat, capacity=capacity, longest=8),
            has_loss_head=has_loss_head,
            eval_dataset=eval_dataset,
        )

    return make


def item(ids, learned_from=1):
    return {"input_ids": ids, "labels": [-100] * learned_from + ids[learned_from:]}


ITEMS = [item(ids, learned_from=1 + i % 2) for i, ids in enumerate(ROWS)]


def packs_of(packs):
    return [join([ITEMS[i] for i in one]) for one in packs]


ALL_APART = packs_of([[0], [1], [2], [3]])


def stepped(trainer, sequences):
    """The loss and the gradients of a step."""
    trainer.model.zero_grad()
    loss = trainer.training_step(trainer.model, trainer.data_collator(sequences))
    parameters = trainer.model.named_parameters()
    return loss, {n: p.grad.clone() for n, p in parameters if p.grad is not None}


def of_the_rows_alone(model, items):
    """[(summed loss, trained tokens)]: one row in a plain forward pass, nothing of ours in it."""
    for one in items:
        logits = model(input_ids=torch.tensor([one["input_ids"]])).logits[0, :-1].float()
        targets = torch.tensor(one["labels"][1:])
        loss = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
        yield loss, int((targets != -100).sum())


@pytest.fixture(scope="module")
def expected(model):
    """Loss and gradients of the mean over all trained tokens of ITEMS."""
    model.zero_grad()
    losses, counts = zip(*of_the_rows_alone(model, ITEMS), strict=True)
    loss = sum(losses) / sum(counts)
    loss.backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    assert gradients
    assert all("lora_" in name for name in gradients)
    return loss.detach(), gradients


def assert_same(got, expected):
    """To 1e-5."""
    assert got[0].item() == pytest.approx(expected[0].item(), abs=1e-5)
    assert got[1].keys() == expected[1].keys()
    for name, gradient in got[1].items():
        torch.testing.assert_close(gradient, expected[1][name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "padded"])
def test_a_row_in_a_pack_sees_only_itself(model, flat):
    """Another neighbour before it, of the same length, changes none of its logits, bit for bit.

    Stands first: a Trainer would switch the cache off, which `_model` must do by itself.
    """
    row = item([6, 60, 61, 62, 2])
    layout = Layout(0, flat=flat, capacity=99, longest=8, multiple=16)

    def logits(neighbour):
        batch = layout.batch([join([item(neighbour), row, item([4, 44])])], CPU)
        return model(**batch.inputs).logits[0, len(neighbour) : len(neighbour) + 5]

    with torch.no_grad():
        first, second = logits([5, 9, 300, 41]), logits([900, 800, 700, 2])
        alone = model(input_ids=torch.tensor([row["input_ids"]])).logits[0]
    assert torch.equal(first, second)
    torch.testing.assert_close(first, alone, atol=1e-5, rtol=1e-5)


def test_a_row_does_see_its_own_beginning(model):
    """The control of the test above: what is changed within the row does change it."""
    layout = Layout(0, flat=True, capacity=99, longest=8)

    def last(ids):
        batch = layout.batch([join([item([5, 9]), item(ids)])], CPU)
        with torch.no_grad():
            return model(**batch.inputs).logits[0, -1]

    assert (last([6, 60, 61]) - last([7, 60, 61])).abs().max() > 0.01


@pytest.mark.parametrize("has_loss_head", [True, False], ids=["head", "logits"])
@pytest.mark.parametrize("flat", [True, False], ids=["flat", "padded"])
@pytest.mark.parametrize("packs", [[[0, 1, 2, 3]], [[2, 1], [0, 3]], [[3], [1, 0, 2]]])
def test_packed_loss_and_gradients_are_those_of_the_rows_alone(
    make_trainer, expected, packs, flat, has_loss_head
):
    trainer = make_trainer(flat, has_loss_head)
    assert_same(stepped(trainer, packs_of(packs)), expected)


@pytest.mark.parametrize("has_loss_head", [True, False], ids=["head", "logits"])
@pytest.mark.parametrize(("flat", "capacity", "pieces"), [
    (True, 21, 1), (True, 17, 2), (True, 9, 3), (True, 1, 4),
    (False, 32, 1), (False, 16, 2), (False, 12, 3), (False, 1, 4),
])  # fmt: skip
def test_however_a_step_is_cut_its_loss_and_gradients_stay(
    make_trainer, expected, flat, capacity, pieces, has_loss_head
):
    """The rows train 5, 1, 7 and 2 tokens: a mean of means would be another loss."""
    trainer = make_trainer(flat, has_loss_head, capacity)
    assert len(trainer.layout.cut(ALL_APART)) == pieces
    assert_same(stepped(trainer, ALL_APART), expected)


@pytest.mark.parametrize("has_loss_head", [True, False], ids=["head", "logits"])
def test_a_micro_step_with_nothing_to_learn_adds_nothing(make_trainer, expected, has_loss_head):
    """As those are in which a device only joins in the others' communication."""
    nothing = join([item([5, 6, 7], learned_from=3)])
    trainer = make_trainer(True, has_loss_head, capacity=1)
    assert_same(stepped(trainer, [*ALL_APART, nothing]), expected)


def test_tokens_seen_counts_training_tokens_without_padding(make_trainer):
    sequences = [join([item([1, 2, 3])]), join([item([1, 2, 3, 4, 5]), item([6, 7])])]
    trainer = make_trainer(flat=False, eval_dataset=sequences)
    stepped(trainer, sequences)
    assert trainer.tokens_seen == 10
    trainer.evaluate()
    assert trainer.tokens_seen == 10


@pytest.mark.parametrize("has_loss_head", [True, False], ids=["head", "logits"])
def test_the_evaluation_weighs_every_token_alike(model, make_trainer, has_loss_head):
    """Over three micro-steps; their mean losses' mean would be another number."""
    trainer = make_trainer(True, has_loss_head, capacity=9, eval_dataset=ALL_APART)
    with torch.no_grad():
        losses, counts = zip(*of_the_rows_alone(model, ITEMS), strict=True)
    exact = float(sum(losses)) / sum(counts)
    means = [(losses[0] + losses[1]) / 6, losses[2] / 7, losses[3] / 2]
    assert abs(float(sum(means)) / 3 - exact) > 1e-3
    assert counts == (5, 1, 7, 2)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(exact, abs=1e-5)
    assert trainer.state.log_history[-1]["eval_loss"] == pytest.approx(exact, abs=1e-5)
    assert model.training


OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")


def running_out(monkeypatch, failing_calls, error=OUT_OF_MEMORY):
    """Lets the given micro-steps (counted from 1) find no memory."""
    calls, whole = [], PackedTrainer._loss_sum

    def loss_sum(*args):
        calls.append(1)
        if len(calls) in failing_calls:
            raise error
        return whole(*args)

    monkeypatch.setattr(PackedTrainer, "_loss_sum", loss_sum)
    return calls


def test_what_adalora_adds_to_its_loss_is_not_measured(tiny_model_folder, tmp_path, cpu):
    """Neither with the adapter nor without: the losses are those of the rows."""
    config = TrainConfig(model_name_or_path=str(tiny_model_folder), lora_r=4, peft_type="adalora")
    model = build_model(config, cpu, total_step=4).eval()
    trainer = PackedTrainer(
        model=model,
        args=arguments(config, tmp_path, cpu, max_steps=1, evaluates=False),
        layout=Layout(0, flat=False, capacity=999, longest=8),
        has_loss_head=False,
        eval_dataset=ALL_APART,
    )
    with torch.no_grad():
        losses, counts = zip(*of_the_rows_alone(model, ITEMS), strict=True)
    total = sum(losses).item()
    assert trainer.loss_over(ALL_APART) == pytest.approx(total, abs=1e-4)
    with model.disable_adapter():
        assert trainer.loss_over(ALL_APART) == pytest.approx(total, abs=1e-4)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(total / sum(counts), abs=1e-5)


@pytest.mark.parametrize(
    "error",
    [
        OUT_OF_MEMORY,
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate "
                     "memory: you tried to allocate 8589934592 bytes."),
        MemoryError(),
    ],
    ids=["torch", "cuBLAS", "Triton", "processor", "Python"],
)  # fmt: skip
def test_memory_that_runs_out_halves_the_micro_steps(
    make_trainer, expected, monkeypatch, capsys, error
):
    """In the second micro-step, when the first one's gradients are there already."""
    trainer = make_trainer(capacity=17)
    calls = running_out(monkeypatch, {2}, error)
    assert_same(stepped(trainer, ALL_APART), expected)
    assert (trainer.layout.capacity, len(calls)) == (8, 2 + 4)
    assert trainer.tokens_seen == sum(map(len, ROWS))
    assert capsys.readouterr().out == (
        "Memory ran out: from here on 8 tokens a micro-step, the step and its batch stay as they "
        "are.\n"
    )


def test_memory_that_runs_out_halves_an_evaluation_too(make_trainer, monkeypatch, capsys):
    """In the second of its micro-steps, what was added up before is not counted twice; so it is
    for what is looked at after the end."""
    trainer = make_trainer(eval_dataset=ALL_APART)
    loss, total = trainer.evaluate()["eval_loss"], trainer.loss_over(ALL_APART)
    trainer.layout.capacity = 17
    calls = running_out(monkeypatch, {2, 6 + 2})
    assert trainer.evaluate()["eval_loss"] == pytest.approx(loss, abs=1e-5)
    assert (trainer.layout.capacity, len(calls)) == (8, 2 + 4)
    trainer.layout.capacity = 17
    heard = []
    assert trainer.loss_over(ALL_APART, lambda: heard.append(1)) == pytest.approx(total, abs=1e-4)
    assert (trainer.layout.capacity, len(calls), len(heard)) == (8, 6 + 2 + 4, 2 + 4)
    assert capsys.readouterr().out.count("Memory ran out: from here on 8 tokens") == 2


@pytest.mark.parametrize("looked", ["evaluate", "loss_over"])
def test_an_evaluation_of_one_sequence_that_has_no_memory_is_an_error(
    make_trainer, monkeypatch, looked
):
    trainer = make_trainer(capacity=8, eval_dataset=ALL_APART)
    running_out(monkeypatch, range(100))
    with pytest.raises(torch.OutOfMemoryError):
        trainer.evaluate() if looked == "evaluate" else trainer.loss_over(ALL_APART)


def test_memory_that_runs_out_for_one_sequence_is_an_error(make_trainer, monkeypatch):
    trainer = make_trainer(capacity=17)
    calls = running_out(monkeypatch, range(100))
    with pytest.raises(torch.OutOfMemoryError):
        stepped(trainer, ALL_APART)
    assert (trainer.layout.capacity, len(calls), trainer.tokens_seen) == (8, 2, 0)


def test_what_is_not_about_memory_halves_nothing(make_trainer, monkeypatch):
    trainer = make_trainer(capacity=17)
    calls = running_out(monkeypatch, {2}, RuntimeError("CUDA error: an illegal memory access"))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        stepped(trainer, ALL_APART)
    assert (trainer.layout.capacity, len(calls)) == (17, 2)


class Telling(TrainerCallback):
    def __init__(self):
        self.told = []

    def on_step_begin(self, args, state, control, **kwargs):
        self.told.append(("begins", state.global_step + 1))

    def on_log(self, args, state, control, logs, **kwargs):
        if "loss" in logs:
            self.told.append(("logged", state.global_step, logs["loss"]))


def learned_of_four_steps(model, path, cpu, **chosen):
    """Saved is the second. The trainer, and in which order what was begun and logged."""
    telling = Telling()
    trainer = PackedTrainer(
        model=copy.deepcopy(model),
        args=arguments(TrainConfig(save_steps=2, **chosen), path, cpu, 4, evaluates=False),
        layout=Layout(0, flat=True, capacity=999, longest=8),
        has_loss_head=True,
        logs_late=path.name == "late",
        train_dataset=ALL_APART,
        callbacks=[telling],
    )
    return trainer, trainer.train().training_loss, telling.told


@pytest.mark.parametrize("logging_steps", [1, 3])
def test_a_late_log_says_what_one_at_once_says(model, tmp_path, cpu, logging_steps):
    """All of it: of which step, the loss, the norm, the rate and what comes out at the end."""
    trainers, losses, told = zip(
        *(
            learned_of_four_steps(model, tmp_path / when, cpu, logging_steps=logging_steps)
            for when in ("late", "at once")
        ),
        strict=True,
    )
    late, at_once = (
        [row for row in trainer.state.log_history if "loss" in row] for trainer in trainers
    )
    assert [sorted(row) for row in late] == [
        ["epoch", "grad_norm", "learning_rate", "loss", "step"] for _ in range(4 // logging_steps)
    ]
    assert late == at_once
    assert losses[0] == losses[1]
    assert [one[2] for one in told[0] if one[0] == "logged"] == [row["loss"] for row in late]


@pytest.mark.parametrize("when", ["at once", "late"])
def test_a_late_log_comes_once_the_next_step_is_under_way(model, tmp_path, cpu, when):
    """But what is saved, here the second step, is logged before, and so is the last step."""
    *_, told = learned_of_four_steps(model, tmp_path / when, cpu)
    first, third = [("logged", 1), ("begins", 2)], [("logged", 3), ("begins", 4)]
    if when == "late":
        first, third = first[::-1], third[::-1]
    second = [("logged", 2), ("begins", 3)]
    order = [("begins", 1), *first, *second, *third, ("logged", 4)]
    assert [one[:2] for one in told] == order
