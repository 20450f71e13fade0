"""Answers over time as HTML: one pane a question and a step, changed words marked, text escaped."""

import json
import re

import pytest

from engine.config import TrainConfig
from engine.training import runs
from ui import timeline


@pytest.fixture
def run():
    """run(rows): a run with these samples."""

    def make(rows, **options):
        path = runs.create(TrainConfig(**options))
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (path / "samples.jsonl").write_text(lines, encoding="utf-8")
        return runs.get(path.name)

    return make


def answer(step, text, prompt="Who?", **more):
    return {"step": step, "prompt": prompt, "answer": text} | more


def panes(html):
    """(question, place on the line, shown, left name, left, right name, right)."""
    found = re.findall(
        r'<div class="answer( shown)?" data-of="(\d+)" data-at="(\d+)".*?'
        r"<b>(.*?)</b><p>(.*?)</p>.*?<b>(.*?)</b><p>(.*?)</p>",
        html,
    )
    return [(int(of), int(at), bool(shown), *words) for shown, of, at, *words in found]


def test_each_step_stands_beside_the_base(run):
    html = timeline.html(
        run([
            answer(0, "I am a <b>base</b>.", voice="base"),
            answer(0, "I am a <b>base</b>."),
            answer(4, "I am a keeper."),
        ]),
        "en",
    )  # fmt: skip
    base = "I am a &lt;b&gt;base&lt;/b&gt;."
    assert panes(html) == [
        (0, 0, False, "base", base, "at step 0", base),
        (0, 1, True, "base", base, "at step 4", "I am a <mark>keeper</mark>."),
    ]
    assert 'max="1" value="1"' in html
    assert html.count('data-question="') == 1


def test_an_old_run_shows_its_first_answer_and_does_not_call_it_the_base(run):
    html = timeline.html(run([answer(0, "one two"), answer(8, "one three")]), "zh")
    assert panes(html)[1][3:] == (
        *("第 0 步时", "one two"),
        *("第 8 步时", "one <mark>three</mark>"),
    )
    assert "底座" not in html


def test_a_question_that_was_not_asked_at_a_step_keeps_its_answer(run):
    rows = [answer(0, "a"), answer(0, "b", "What?"), answer(4, "c")]
    html = timeline.html(run(rows), "en")
    assert [(of, at, right) for of, at, *_, right in panes(html)] == [
        *((0, 0, "a"), (0, 1, "<mark>c</mark>"), (1, 0, "b"), (1, 1, "b")),
    ]


def test_many_steps_are_thinned_to_a_line_that_can_be_grasped(run):
    html = timeline.html(run([answer(step, str(step)) for step in range(500)]), "en")
    shown = panes(html)
    assert len(shown) == timeline.MOST_STEPS
    assert (shown[0][5], shown[-1][5]) == ("at step 0", "at step 499")


@pytest.mark.parametrize(
    ("prompts", "words"),
    [("Who?", "Nothing yet: they are asked"), ("", "No fixed questions were given")],
)
def test_without_answers_it_says_why(run, prompts, words):
    assert words in timeline.html(run([], sample_prompts=prompts), "en")
