"""Runs beside each other as HTML: curves along three axes, results, settings that differ."""

import json
import re

import pytest

from engine.config import TrainConfig
from engine.training import runs
from ui import cards, comparison


@pytest.fixture
def make():
    """make(name, losses, **options): a finished run whose step n took n seconds and 10 n tokens."""

    def run(name, losses, timed=True, **options):
        path = runs.create(TrainConfig(**options))
        (path / "name").write_text(name, encoding="utf-8")
        status = {"state": "finished", "step": len(losses), "max_steps": len(losses)}
        runs.write_status(path, **status, seconds=90.0, peak_gib=1.25, tokens_per_second=1234.0)
        rows = []
        for step, loss in enumerate(losses, 1):
            at = {"step": step, "tokens": 10 * step} | ({"seconds": step} if timed else {})
            rows += [at | {"loss": loss}, at | {"eval_loss": loss + 1}]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (path / "metrics.jsonl").write_text(text)
        return runs.get(path.name)

    return run


def table(html):
    """Row name -> cells."""
    rows = re.findall(r'<tr class="[^"]*"><th scope="row"[^>]*>(.*?)</th>(.*?)</tr>', html)
    return {name: re.findall(r"<td>(.*?)</td>", cells) for name, cells in rows}


def ticks(html):
    return re.findall(r'text-anchor="middle">([^<]+)</text>', html)


@pytest.fixture
def two(make):
    return [
        make("one <b>", [3.0, 1.0], lora_r=4, dataset="x"),
        make("two", [3.0, 2.0, 3.0], dataset="x", sample_prompts="<i>?"),
    ]


def test_results_and_only_what_differs(two):
    html = comparison.html(two, "step", True, "en")
    assert table(html) == {
        "State": ["finished", "finished"],
        "Did it learn?": ["–", "–"],
        "Loss at last, smoothed": ["1.889", "2.672"],
        "Eval loss at last": ["2.000", "4.000"],
        "Eval loss at best": ["2.000 at step 2", "3.000 at step 2"],
        "Time": ["1 min 30 s", "1 min 30 s"],
        "Speed": ["1,234 tokens/s"] * 2,
        "Peak memory": ["1.25 GiB"] * 2,
        "Rank": ["4", "16"],
        "Fixed questions": ["–", "&lt;i&gt;?"],
    }
    assert "one &lt;b&gt;" in html
    assert "<b>" not in html


def test_all_settings_with_the_different_ones_apart(two):
    html = comparison.html(two, "step", False, "zh")
    rows = table(html)
    assert rows["数据集"] == ["x", "x"]
    assert len(rows) > 30
    apart = re.findall(r'<tr class="apart"><th scope="row" title="(\w+)"', html)
    assert apart == ["lora_r", "sample_prompts"]


@pytest.mark.parametrize(("along", "last"), [("step", "3"), ("tokens", "30"), ("seconds", "3")])
def test_curves_lie_along_steps_tokens_or_seconds(two, along, last):
    html = comparison.html(two, along, True, "en")
    *numbers, axis = ticks(html)
    assert (numbers[-1], axis) == (last, {"step": "steps"}.get(along, along))
    assert html.count('stroke-dasharray="5 4" ') + html.count('stroke-dasharray="5 4"/') == 2


def test_a_run_without_times_is_named(two, make):
    old = make("old", [2.0], timed=False)
    assert "old: no times were kept" in comparison.html([*two, old], "seconds", True, "en")
    assert "no times were kept" not in comparison.html([*two, old], "tokens", True, "en")


def test_same_settings_are_said_to_be_the_same(make):
    html = comparison.html([make("a", [1.0]), make("b", [])], "step", True, "en")
    assert "All settings are the same." in html


def test_one_is_no_comparison_and_none_is_no_block(two):
    assert "Tick one more run" in comparison.html(two[:1], "step", True, "en")
    assert comparison.html([], "step", True, "en") == cards.nothing()


def test_more_than_can_be_told_apart_are_left_off_and_said_so(make):
    many = [make(f"run{n}", [1.0]) for n in range(7)]
    html = comparison.html(many, "step", True, "en")
    assert "The first 6 that you ticked are shown" in html
    assert "run5" in html
    assert "run6" not in html
