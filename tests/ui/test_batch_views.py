"""Many answers as HTML: escaped, wrapped in labelled cells, honest about what was not measured."""

import re

from engine.evaluation.metrics import FIGURES
from ui import batch_views

NAMES = {"base": "base · sprout", "otter": "otter <b>"}
NONE = dict.fromkeys(FIGURES)


def row(prompt, reference="", **answers):
    return {"prompt": prompt, "reference": reference, "answers": answers}


def said(text, **figures):
    return {"text": text, "tokens": 3, "stopped_by": "end"} | figures


def plain(html):
    return re.sub(r"<[^>]*>", "|", html)


def test_texts_are_escaped_and_new_words_marked():
    rows = [
        row("<i>Hi</i>", "R & D", base=said("I am <a>."), otter=said("I am here.", rougeL=0.25))
    ]
    html = batch_views.table(rows, ["base", "otter"], NAMES, "en")
    assert "<i>Hi" not in html
    assert "&lt;i&gt;Hi&lt;/i&gt;" in html
    assert '<td data-label="otter &lt;b&gt;"><div>I am <mark>here</mark>.</div>' in html
    assert "<small>3 tokens · ROUGE-L 0.25</small>" in html
    assert "R &amp; D" in html


def test_without_references_there_is_no_column_of_them():
    rows = [row("Hi", base=said(" ")), row("Ho")]
    html = batch_views.table(rows, ["base", "otter"], NAMES, "en")
    assert re.findall(r'<th scope="col">([^<]*)<', html) == [
        *("Question", "base · sprout", "otter &lt;b&gt;")
    ]
    assert "it said nothing" in html
    assert html.count("not answered") == 3


def test_only_so_many_rows_are_drawn():
    rows = [row(f"q{n}", base=said("a")) for n in range(batch_views.SHOWN + 1)]
    html = batch_views.table(rows, ["base"], NAMES, "en")
    assert html.count("<tr>") == 1 + batch_views.SHOWN
    assert "The first 100 of 101 are shown; the files hold all." in html
    html = batch_views.watched(rows, ["base"], NAMES, "en")
    assert re.findall(r">q(\d+)<", html) == [str(n) for n in range(93, 101)]
    assert batch_views.watched([row("q")], ["base"], NAMES, "en") == '<i class="nothing"></i>'


def test_figures_that_nobody_has_are_no_lines():
    summary = {
        "base": NONE | {"tokens": 12.0, "copied": 0.0},
        "otter": NONE | {"tokens": 7.25},
    }
    html = batch_views.summary({"voices": ["base", "otter"], "summary": summary}, NAMES, "en")
    assert re.findall(r'<th scope="row">([^<]*)<', html) == [
        *("Length, tokens", "Copied from training")
    ]
    assert re.findall(r"<td>([^<]+)</td>", html) == ["12", "7.25", "0", "–"]


def test_how_far_it_is_and_what_is_left():
    event = {"phase": "answers", "done": 10, "total": 40}
    assert "10 of 40 answers · about 60 seconds left" in batch_views.progress(event, 20, "en")
    assert "已答 10 / 40 · 还要约 60 秒" in batch_views.progress(event, 20, "zh")
    assert "left" not in batch_views.progress(event | {"done": 0}, 20, "en")


def test_what_was_left_out_is_said():
    summary = {"base": {"answers": 1, "references": 3}}
    report = {"rows": [row("a", base=said("b"))], "summary": summary, "seconds": 40.23}
    plainly = report | {"stopped": False, "too_long": 0, "in_training": None}
    assert plain(batch_views.ended(plainly, "en")) == "|Answers: 1, in 40.2 s|"
    all_of_it = batch_views.ended(report | {"stopped": True, "too_long": 2, "in_training": 3}, "en")
    assert "figures are of what every voice had answered (questions: 1)" in all_of_it
    assert "Left out, since they are longer than the model can read (questions: 2)." in all_of_it
    assert "3 of 3 reference answers stand word for word" in all_of_it
