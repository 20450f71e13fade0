"""Whether a run fits: the micro-steps that are tried, what would help and what that costs."""

import dataclasses

import numpy as np
import pytest

from engine.config import TrainConfig
from engine.errors import UserError
from engine.hardware import check_size, planned_device
from engine.training.estimate import estimate
from engine.training.fitting import Task, refusals
from engine.training.shape import Shape

# Seven thousand million weights in 28 layers.
SHAPE = Shape(
    linear_parameters=6_500_000_000,
    other_parameters=1_100_000_000,
    trainable_parameters=40_000_000,
    layers=28,
    hidden_size=3584,
    intermediate_size=18944,
    query_size=3584,
    key_value_size=512,
    vocab_size=152_000,
    varlen=True,
    linear_names=(),
)
BATCH = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4, "max_length": 1024}


LENGTHS = np.full(500, 1000)


def task(gib):
    return Task(SHAPE, planned_device(gib), gib, LENGTHS, max_steps=100)


@pytest.mark.parametrize(
    ("gib", "capacity", "micro_steps", "fits"),
    [(141, 16_000, 1, True), (40, 4000, 4, True), (24, 1000, 16, True), (16, 1000, 16, False)],
)
def test_the_largest_micro_step_that_fits(gib, capacity, micro_steps, fits):
    """And the smallest when none does; the batch stays 16 sequences."""
    outlook = task(gib).outlook(TrainConfig(**BATCH))
    assert (outlook.capacity, outlook.micro_steps, outlook.fits) == (capacity, micro_steps, fits)
    assert outlook.peak_gib == sum(outlook.parts.values())
    assert (outlook.peak_gib <= 0.97 * gib) is fits


def rungs(found):
    return [(one["change"]["en"], one["values"], one["fits"], one["time"]) for one in found]


def test_the_whole_ladder_where_it_does_not_fit():
    """What fits stands first, and of that the fastest; each with its fields and its time."""
    four = {"load_in_4bit": True, "load_in_8bit": False}
    eight = {"load_in_4bit": False, "load_in_8bit": True}
    every = {"gradient_checkpointing": True, "gradient_checkpointing_layers": 0}
    found = task(16).ladder(TrainConfig(**BATCH))
    assert rungs(found) == [
        ("8-bit base", eight, True, 1.01),
        ("4-bit base", four, True, 1.03),
        ("4-bit base and checkpointing", four | every, True, 1.442),
        ("longest row 512 tokens, the rest is cut", {"max_length": 512}, False, 1.0),
        ("8-bit optimiser", {"optim": "paged_adamw_8bit"}, False, 1.02),
        ("checkpoint 28 of 28 layers", every, False, 1.4),
    ]
    assert all(one["change"]["zh"] and one["peak_gib"] for one in found)


def test_as_few_layers_as_fit_are_computed_anew():
    """With one layer fewer it would not fit, and each layer costs its share of the time."""
    config = TrainConfig(**BATCH | {"auto_find_batch_size": False})
    one = task(24)
    found = [rung for rung in one.ladder(config) if "load_in_4bit" not in rung["values"]]
    (rung,) = (rung for rung in found if "gradient_checkpointing" in rung["values"])
    layers = rung["values"]["gradient_checkpointing_layers"]
    assert rung["change"]["en"] == f"checkpoint {layers} of 28 layers"
    assert rung["time"] == round(1 + 0.4 * layers / 28, 3)

    def fits(count):
        changed = {"gradient_checkpointing": True, "gradient_checkpointing_layers": count}
        return one.outlook(TrainConfig(**BATCH | {"auto_find_batch_size": False} | changed)).fits

    assert (fits(layers), fits(layers - 1)) == (True, False)


def test_time_is_told_against_the_run_as_it_is():
    """From 8 bit to 4 bit is slower; what is on already is offered no more."""
    config = TrainConfig(**BATCH, load_in_8bit=True, gradient_checkpointing=True)
    found = task(141).ladder(config)
    offered = {words: time for words, _, _, time in rungs(found)}
    assert offered["4-bit base"] == round(1.03 / 1.01, 3)
    assert not {"8-bit base", "4-bit base and checkpointing"} & set(offered)
    assert not [words for words in offered if words.startswith("checkpoint")]


def test_a_processor_is_offered_nothing_that_it_cannot_do(cpu):
    """The 8-bit optimiser needs a GPU: it is refused there, so it is no way out."""
    made = Task(SHAPE, cpu, 16, LENGTHS, max_steps=100)
    found = rungs(made.ladder(TrainConfig(**BATCH)))
    assert found
    assert not [values for _, values, _, _ in found if "optim" in values]
    assert list(refusals(TrainConfig(optim="paged_adamw_8bit"), cpu)) == ["optim"]


def test_a_plan_is_about_the_other_card(small_dataset, tiny_model_folder, monkeypatch):
    """What is said of this machine stays as it is; the precision chosen holds there too."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    values = {"dataset": str(small_dataset), "model_name_or_path": str(tiny_model_folder)}
    here, both = estimate(values), estimate(values, device_gib=24)
    plan = both.pop("plan")
    volatile = ("free_gib", "seconds")
    assert [here | dict.fromkeys(volatile)] == [both | dict.fromkeys(volatile)]
    assert (plan["device"], plan["device_gib"], plan["fits"]) == ("24 GiB", 24, True)
    assert plan["parts"].keys() == here["parts"].keys()
    assert plan["peak_gib"] == pytest.approx(sum(plan["parts"].values()))
    assert (plan["parts"]["runtime"], plan["parts"]["workspace"] > 0.09) == (0.5, True)
    wide = estimate(values | {"dtype": "float32"}, device_gib=24)["plan"]
    assert wide["parts"]["weights"] == pytest.approx(2 * plan["parts"]["weights"])


def test_packs_of_shorter_rows_are_more_and_as_full():
    """20 packs of 1,000 tokens hold what 40 of 512 do, and a step of 64 rows takes them all; rows
    that are not packed are cut."""
    few = dataclasses.replace(task(141), lengths=np.full(20, 1000))
    shorter = TrainConfig(per_device_train_batch_size=64, max_length=512)
    assert few._cut(shorter).tolist() == [512] * 40
    outlook = few.outlook(shorter)
    assert outlook.capacity * outlook.micro_steps == 40 * 512
    assert few._cut(dataclasses.replace(shorter, packing=False)).tolist() == [512] * 20
    assert few._cut(dataclasses.replace(shorter, max_length=1024)).tolist() == [1000] * 20


@pytest.mark.parametrize("size", [-1, 0.5, 1001, float("nan"), float("inf"), "24"])
def test_what_is_no_card_is_a_sentence(size):
    with pytest.raises(UserError, match="give a card's memory in GiB, between 1 and 1000") as error:
        check_size(size)
    assert error.value.field == "device_gib"
    assert check_size(0) is check_size(24.0) is None
