"""Memory on the Train tab as HTML: every part has its word, every rung its fields and its price."""

import html
import json
import re

import numpy as np
import pytest

from engine.config import TrainConfig
from engine.hardware import planned_device
from engine.training.fitting import Task
from engine.training.shape import Shape
from ui import fitting, form, memory_box
from ui.text import WORDS

SHAPE = Shape(10**9, 10**8, 10**7, 24, 1024, 4096, 1024, 1024, 32_000, True, ())
RUNG = {
    "change": {"en": "4-bit <base>", "zh": "4 比特底座"},
    "values": {"load_in_4bit": True, "load_in_8bit": False},
    "peak_gib": 5.24,
    "fits": True,
    "time": 1.04,
}
ESTIMATE = {
    "peak_gib": 12.0,
    "device_gib": 8.0,
    "device": "GPU & Co",
    "parts": {"weights": 9.0, "loss_head": 3.0, "adapter": 0.001},
    "fits": False,
    "micro_steps": 4,
    "micro_step_tokens": 4096,
    "ladder": [RUNG],
}


def text_of(page):
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", page)).split())


def test_every_part_that_is_predicted_has_a_word_and_a_colour():
    task = Task(SHAPE, planned_device(24), 24, np.full(50, 512), max_steps=100)
    parts = task.outlook(TrainConfig()).parts
    assert parts.keys() == fitting.PART_COLOURS.keys()
    assert all(f"fitting_part_{name}" in WORDS for name in parts)


def test_what_does_not_fit_opens_its_ladder():
    """The bar ends with the peak, a line at two thirds says what the card holds."""
    page = fitting.here(ESTIMATE, "en")
    assert text_of(page) == (
        "Memory, predicted 12.0 GiB of 8.0 GiB on GPU & Co weights 9.0 loss 3.0 "
        "To make it fit One click sets the fields of the form. "
        "4-bit <base> 5.2 GiB +4 % time fits"
    )
    assert '<details class="ladder" open>' in page
    assert 'style="--limit:66.67%"' in page
    assert "width:75.00%" in page
    (values,) = re.findall('data-rung="([^"]*)"', page)
    assert json.loads(html.unescape(values)) == RUNG["values"]


def test_what_fits_keeps_its_ladder_folded_and_does_not_say_so_at_each_rung():
    page = fitting.here(ESTIMATE | {"fits": True, "device_gib": 24.0}, "en")
    assert '<details class="ladder"><summary>Use less memory</summary>' in page
    assert text_of(page).endswith("4-bit <base> 5.2 GiB +4 % time")
    assert "--limit" not in page
    assert "<details" not in fitting.here(ESTIMATE | {"ladder": []}, "en")


def test_a_plan_says_that_it_is_one():
    assert fitting.plan(ESTIMATE, "en") == '<i class="nothing"></i>'
    page = fitting.plan({"plan": ESTIMATE | {"fits": True, "device_gib": 24.0}}, "zh")
    assert text_of(page) == (
        "规划：在 24 GiB 的显卡上 放得下：约 12.0 GiB 权重 9.0 loss 计算 3.0 "
        "微步：每步约 4 个，每个最多 4,096 个 token 只是规划：「开始训练」仍在本机进行。 "
        "想省一些显存 点一下就会填好表单里的选项。 4 比特底座 5.2 GiB 用时 +4%"
    )


@pytest.mark.parametrize(
    ("time", "words"), [(1.0, "same time"), (1.4, "+40 % time"), (0.972, "−3 % time")]
)
def test_the_price_of_a_rung(time, words):
    page = fitting.here(ESTIMATE | {"ladder": [RUNG | {"time": time}]}, "en")
    assert words in page


MEASURED = {
    "tokens": [256, 1024],
    "peak_gib": [1.5, 3.0],
    "gib_per_1000_tokens": 1.953,
    "peak_gib_at_capacity": 3.0,
    "predicted_gib": 3.6,
    "error": 0.2,
    "what": {"en": "Of <torch>.", "zh": "torch 的。"},
    "note": None,
}


def test_what_was_measured_stands_beside_what_was_predicted():
    assert text_of(fitting.measured(MEASURED, "en")) == (
        "Measured: 3.0 GiB at its peak At 256 tokens 1.5 GiB At 1,024 tokens 3.0 GiB "
        "Each 1,000 more 2.0 GiB Predicted 3.6 GiB, 20 % too much Of <torch>."
    )
    assert "低估 10%" in fitting.measured(MEASURED | {"error": -0.1}, "zh")


def test_memory_that_ran_out_says_how_far_it_went():
    unknown = dict.fromkeys(("gib_per_1000_tokens", "peak_gib_at_capacity", "error"))
    part = {"tokens": [256], "peak_gib": [1.5], "note": {"en": "It ran out.", "zh": "不够。"}}
    assert text_of(fitting.measured(MEASURED | unknown | part, "en")) == (
        "Measured, as far as it fitted It ran out. At 256 tokens 1.5 GiB Of <torch>."
    )


def test_what_was_measured_of_another_form_is_not_shown():
    """It comes back with the form that it was measured of."""
    box = memory_box.MemoryBox(*"here planned problem plan measure measured found".split())
    config, other = TrainConfig(lora_r=4), TrainConfig(lora_r=8)
    found = {"values": config.to_dict(), "measured": MEASURED}

    def drawn(config):
        return memory_box.shown(box, None, found, config, ESTIMATE, "en")["measured"]

    assert drawn(config) == fitting.measured(MEASURED, "en")
    assert drawn(other) == drawn(None) == '<i class="nothing"></i>'


def test_one_micro_step_is_said_as_one():
    said = fitting.micro_steps({"micro_steps": 1, "micro_step_tokens": 1024}, "en")
    assert said == "one a step, of up to 1,024 tokens"


@pytest.mark.parametrize(
    ("planned", "size", "wrong"),
    [(None, 0, False), (0, 0, False), (24, 24, False), (-3, 0, True), (5000, 0, True)],
)
def test_a_number_that_is_no_card_is_a_sentence_and_plans_nothing(planned, size, wrong):
    """What is said of this machine stays."""
    box = memory_box.MemoryBox(*"here planned problem plan measure measured found".split())
    assert memory_box.size_of(planned) == size
    updates = memory_box.shown(box, planned, None, TrainConfig(), ESTIMATE, "en")
    assert updates["here"] == fitting.here(ESTIMATE, "en")
    assert ("between 1 and 1000 GiB" in updates["problem"]) is wrong


def test_another_base_leaves_the_dataset_as_it_is():
    """Also where it is the one of the old base's recipe: the Data tab chooses it, no field does."""
    first = form.default_config().to_dict()
    updates = form.follow_base("/some/model", "sprout", first)
    assert "dataset" not in updates
    assert updates
