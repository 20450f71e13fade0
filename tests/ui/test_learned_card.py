"""The card of what was learned as HTML: verdict, bars on one scale, and nothing made up."""

import json
import re

import pytest

from engine.config import TrainConfig
from engine.training import runs
from ui import cards, learned_card

FIGURES = {
    "step": 4,
    "verdict": "learned",
    "train": {"rows": 19, "tokens": 90, "base": 4.0, "adapter": 1.0},
    "held_out": None,
    "general": {"rows": 20, "tokens": 60, "base": 2.0, "adapter": 3.0, "guess": 8.3},
    "answers": {"asked": 5, "changed": 4},
    "modules": {"count": 14, "zero": ["<x>"]},
    "best": None,
}


@pytest.fixture
def card():
    """card(**changes): the HTML of a run with these figures."""

    def make(language="en", step=4, **changes):
        path = runs.create(TrainConfig())
        runs.write_status(path, state="finished", step=step)
        (path / "learned.json").write_text(json.dumps(FIGURES | changes))
        return learned_card.html(runs.get(path.name), language)

    return make


def test_verdict_first_and_all_bars_on_one_scale(card):
    html = card()
    assert '<p class="verdict good">It learned: what it was taught shows' in html
    assert re.findall(r'class="(\w+)" style="width:([\d.]+)%"></i><b>([\d.]+)', html) == [
        *(("base", "100.0", "4.00"), ("adapter", "25.0", "1.00")),
        *(("base", "50.0", "2.00"), ("adapter", "75.0", "3.00")),
    ]
    assert "1 of 14 modules did not change at all: &lt;x&gt;." in html


def test_what_went_wrong_is_not_green(card):
    assert '<p class="verdict mixed">过拟合了' in card("zh", verdict="overfitted")


def test_a_base_that_was_not_heard_has_no_bar(card):
    losses = {"rows": 1, "tokens": 9, "base": None, "adapter": 2.0}
    html = card(train=losses, general=losses, answers=None, modules=None, verdict="unknown")
    assert html.count("not measured</span>") == 2
    assert html.count('class="base"') == 0


def test_no_card_yet_or_of_an_earlier_session_is_no_block(card):
    assert card(step=9) == cards.nothing()


def test_a_failed_measurement_is_one_sentence():
    path = runs.create(TrainConfig())
    runs.write_status(path, state="finished", step=4)
    (path / "learned.json").write_text('{"step": 4, "failed": "E: <b>"}')
    html = learned_card.html(runs.get(path.name), "en")
    assert "It could not be measured (E: &lt;b&gt;)." in html
    assert 'measured">' not in html
