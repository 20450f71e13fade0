"""What memory a run says that it has: by device, and the most of any."""

import json
import re

import pytest
import torch

from engine.config import TrainConfig
from engine.hardware import GIB
from engine.training import runs
from engine.training.memory import in_words, measured
from engine.training.train import train
from ui import run_views

# Of a machine with four cards: what tensors take, what is reserved, and its most; one card is that
# of another program.
NOW, RESERVED, PEAK = (20.0, 50.25, 0.0, 0.0), (30.0, 60.5, 0.0, 0.0), (32.0, 61.0, 0.0, 2.0)
NAMES = ("H200", "H200", "A2", "H200")


@pytest.fixture
def cards(monkeypatch):
    """cards(mine): torch answers for these cards, of which `mine` is the process's own."""

    def answer(mine):
        said = {"memory_allocated": NOW, "memory_reserved": RESERVED, "max_memory_reserved": PEAK}
        for name, gib in said.items():
            monkeypatch.setattr(torch.cuda, name, lambda at, gib=gib: int(gib[at] * GIB))
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(NAMES))
        monkeypatch.setattr(torch.cuda, "current_device", lambda: mine)
        monkeypatch.setattr(torch.cuda, "get_device_name", NAMES.__getitem__)

    return answer


def on(device, now, reserved, peak):
    return {"device": device, "now_gib": now, "reserved_gib": reserved, "peak_gib": peak}


SPREAD = {
    "device": "3 x H200",
    "own_gib": 60.5,
    "peak_gib": 61.0,
    "devices": [
        on("H200 (cuda:0)", 20.0, 30.0, 32.0),
        on("H200 (cuda:1)", 50.25, 60.5, 61.0),
        on("H200 (cuda:3)", 0.0, 0.0, 2.0),
    ],
}


def test_each_device_that_is_used_is_said_and_the_fullest_counts(cards):
    cards(0)
    assert measured() == SPREAD
    assert in_words(measured()) == (
        "Memory: H200 (cuda:0) now 20.00 GiB, reserved 30.00, peak 32.00; "
        "H200 (cuda:1) now 50.25 GiB, reserved 60.50, peak 61.00; "
        "H200 (cuda:3) now 0.00 GiB, reserved 0.00, peak 2.00"
    )


def test_a_processes_own_device_is_said_while_nothing_is_on_it(cards, monkeypatch):
    cards(2)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda at: 0)
    assert measured() == {
        **{"device": "A2", "own_gib": 0.0, "peak_gib": 0.0},
        "devices": [on("A2 (cuda:2)", 0.0, 0.0, 0.0)],
    }


def test_all_processes_of_a_run_say_theirs(cards, monkeypatch):
    """Only where that is asked for: one process alone may ask when its memory ran out."""
    cards(0)
    theirs = on("H200 (cuda:1)", 70.0, 80.0, 90.0)
    monkeypatch.setattr("accelerate.utils.gather_object", lambda mine: [*mine, theirs])
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert measured() == SPREAD
    assert measured(together=True) == {
        **{"device": "4 x H200", "own_gib": 80.0, "peak_gib": 90.0},
        "devices": [*SPREAD["devices"], theirs],
    }


@pytest.mark.usefixtures("same_signals", "hasty")
@pytest.mark.parametrize(("changes", "lines", "rows"), [({}, 3, 6), ({"eval_size": 0.0}, 1, 3)])
def test_a_run_keeps_it_and_the_log_says_it_at_each_evaluation_or_at_the_end(
    short_run, monkeypatch, capfd, changes, lines, rows
):
    for place in ("progress", "train"):
        monkeypatch.setattr(f"engine.training.{place}.measured", lambda together=False: SPREAD)
    config = short_run(max_steps=3, eval_steps=2).to_dict() | changes
    path = runs.create(TrainConfig.from_dict(config))
    assert train(path) == 0
    assert capfd.readouterr().out.count(in_words(SPREAD) + "\n") == lines
    assert [row["memory"] for row in runs.get(path.name).metrics()] == [SPREAD] * rows
    assert runs.get(path.name).peak_gib == 61.0
    assert "| device | 3 x H200 |" in runs.report(path.name)
    assert "| peak memory | 61.00 GiB |" in runs.report(path.name)


@pytest.mark.parametrize(
    ("language", "title", "first"),
    [
        (
            "en",
            "Memory of each device",
            "H200 (cuda:0) · Memory now 20.0 GiB, reserved 30.0 GiB, at its peak 32.0 GiB",
        ),
        (
            "zh",
            "各设备的显存",
            "H200 (cuda:0) · 当前占用 20.0 GiB，已预留 30.0 GiB，最高 32.0 GiB",
        ),
    ],
)
def test_the_page_draws_each_device_against_the_largest_peak(language, title, first):
    html = run_views.memory([{"memory": SPREAD}], True, language)
    assert re.findall("<(?:h3|p)[^>]*>([^<]*)<", html)[:2] == [title, first]
    assert re.findall(r"width:([\d.]+)%;background:var\(--g-(\w+)\)", html) == [
        *(("32.79", "accent"), ("16.39", "pale")),
        *(("82.38", "accent"), ("16.80", "pale")),
        *(("0.00", "accent"), ("0.00", "pale")),
    ]


@pytest.mark.parametrize("older", [True, False])
def test_one_device_is_a_sentence_and_a_bar_also_of_an_older_run(older):
    memory = {"device": "RAM", "own_gib": 1.0, "peak_gib": 2.0}
    memory |= {} if older else {"devices": [on("RAM", 1.0, 1.0, 2.0)]}
    html = run_views.memory([{"memory": memory}], True, "en")
    ended = run_views.memory([{"memory": memory}], False, "en")
    assert ended.startswith('<div class="card "><h3>At its peak 2.0 GiB</h3><div class="bar"')
    assert html.count('class="bar"') == 1
    assert html.startswith(
        '<div class="card "><h3>Memory now 1.0 GiB, at its peak 2.0 GiB</h3><div class="bar"'
    )


@pytest.mark.parametrize("devices", [[1], "x", [{"device": "H200"}], [on("H200", 1, 2, None)]])
def test_devices_that_cannot_be_read_are_left_out(devices):
    path = runs.create(TrainConfig())
    row = {"step": 1, "memory": SPREAD | {"devices": devices}}
    (path / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    assert runs.get(path.name).metrics() == [{"step": 1}]
