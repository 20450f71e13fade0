"""NEFTune's noise is that of the paper for every row, whatever lies beside it in a micro-step."""

import math

import pytest
import torch

from engine.config import TrainConfig
from engine.dataset.packing import join
from engine.training import runs
from engine.training.arguments import arguments
from engine.training.assemble import build_model
from engine.training.loop import PackedTrainer
from engine.training.micro_steps import Layout
from engine.training.noise import noisy
from engine.training.train import train

ALPHA = 5.0
LENGTHS = [6, 3, 8]
ROWS = [[5, 9, 300, 41, 7, 2], [8, 1000, 77], [6, 60, 61, 62, 63, 64, 65, 2]]


def item(ids):
    return {"input_ids": ids, "labels": ids}


PACKED = [join([item(ids) for ids in ROWS])]
APART = [join([item(ids)]) for ids in ROWS]


@pytest.fixture(params=["lora", "full", "prompt_tuning"])
def method(request):
    return request.param


@pytest.fixture
def model(method, tiny_model_folder, cpu):
    config = TrainConfig(
        model_name_or_path=str(tiny_model_folder), peft_type=method, num_virtual_tokens=2
    )
    return build_model(config, cpu)


@pytest.fixture
def make_trainer(model, tmp_path, cpu):
    def make(flat, capacity):
        config = TrainConfig(neftune_noise_alpha=ALPHA)
        return PackedTrainer(
            model=model,
            args=arguments(config, tmp_path, cpu, max_steps=1, evaluates=False),
            layout=Layout(0, flat=flat, capacity=capacity, longest=8, multiple=4),
            has_loss_head=False,
            eval_dataset=APART,
            noise=ALPHA,
        )

    return make


@pytest.fixture
def strongest(model, monkeypatch):
    """Every draw is as large as it can be, so that the noise is its own amplitude."""
    monkeypatch.setattr(torch.Tensor, "uniform_", lambda self, low, high: self.fill_(high))


def heard(model, trained):
    """What noise `trained()` gives to each token, by its id, and how wide it is: what the first
    layer hears, less the table of the embeddings."""
    base = getattr(model, "get_base_model", lambda: model)()
    table, found = base.get_input_embeddings().weight.detach(), {}
    width = table.shape[1]

    def hear(module, args, kwargs):
        given = kwargs.get("inputs_embeds", args[0] if args else None)
        clean = torch.nn.functional.embedding(ids[-1], table)
        noise = given.detach()[:, -clean.shape[1] :] - clean  # before it, learned tokens
        for one, each in zip(ids[-1].flatten().tolist(), noise.reshape(-1, width), strict=True):
            found[one] = each

    ids = []
    layer = next(one for name, one in base.named_modules() if name.endswith("layers.0"))
    handles = [
        base.get_input_embeddings().register_forward_pre_hook(lambda _, args: ids.append(args[0])),
        layer.register_forward_pre_hook(hear, with_kwargs=True),
    ]
    trained()
    for handle in handles:
        handle.remove()
    return found, width


def assert_amplitudes(found, width, alpha):
    for ids, length in zip(ROWS, LENGTHS, strict=True):
        for one in set(ids) - {2}:  # the last of each row ends two of them
            expected = torch.full((width,), alpha / math.sqrt(length * width))
            torch.testing.assert_close(found[one], expected, atol=1e-6, rtol=1e-6)


@pytest.mark.usefixtures("strongest")
@pytest.mark.parametrize(
    ("rows", "flat", "capacity"),
    [
        (PACKED, True, 999),
        (APART, True, 999),
        (APART, True, 9),
        (APART, True, 1),
        (PACKED, False, 999),
        (APART, False, 999),
        (APART, False, 1),
    ],
    ids=["packed", "one after the other", "two and one", "alone"]
    + ["packed, padded", "side by side", "alone, padded"],
)
def test_a_row_has_the_same_noise_wherever_it_lies(model, make_trainer, rows, flat, capacity):
    """alpha / sqrt(tokens of the row * width), with and without an adapter and learned tokens."""
    trainer = make_trainer(flat, capacity)

    def step():
        trainer.training_step(trainer.model, trainer.data_collator(rows))

    assert_amplitudes(*heard(model, step), ALPHA)


@pytest.mark.usefixtures("strongest")
def test_only_training_hears_noise(model, make_trainer):
    """Neither an evaluation nor what is looked at afterwards, before and after a step; nothing of
    it is left on the model."""
    trainer = make_trainer(False, 999)
    embeddings = getattr(model, "get_base_model", lambda: model)().get_input_embeddings()
    hooks = dict(embeddings._forward_hooks)
    trainer.training_step(trainer.model, trainer.data_collator(APART))
    assert_amplitudes(*heard(model, trainer.evaluate), 0)
    assert_amplitudes(*heard(model, lambda: trainer.loss_over(APART)), 0)
    assert dict(embeddings._forward_hooks) == hooks


class Embedding(torch.nn.Module):
    """All a base has to have."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Embedding(9, 4)

    def get_input_embeddings(self):
        return self.inner


def test_the_noise_is_uniform_and_drawn_from_the_seed():
    """The very numbers that torch draws next, by the length of each of two rows: a resumed run
    draws them again. With an alpha of 0 none are drawn."""
    base, ids = Embedding(), torch.tensor([[1, 2, 3, 4, 5]])
    positions = torch.tensor([[0, 1, 2, 0, 1]])
    torch.manual_seed(3)
    drawn = torch.empty(1, 5, 4).uniform_(-1, 1)
    most = torch.tensor([3.0, 3, 3, 2, 2])[None, :, None].mul(4).sqrt().reciprocal() * ALPHA
    torch.manual_seed(3)
    with noisy(base, ALPHA, positions):
        got = base.inner(ids)
    torch.testing.assert_close(got, base.inner.weight[ids] + drawn * most)
    before = torch.get_rng_state()
    with noisy(base, 0.0, positions):
        assert torch.equal(base.inner(ids), base.inner.weight[ids])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.usefixtures("same_signals", "hasty")
def test_a_run_learns_under_the_noise_that_it_is_told(short_run):
    """The first step's loss is another one; the evaluation before it is not."""
    rows = []
    for alpha in (0.0, ALPHA):
        path = runs.create(short_run(max_steps=1, sample_prompts="", neftune_noise_alpha=alpha))
        assert train(path) == 0
        rows.append(runs.get(path.name).metrics())
    (plain_start, plain, *_), (start, noisy_step, *_) = rows
    assert start["eval_loss"] == plain_start["eval_loss"]
    assert noisy_step["loss"] != plain["loss"]
