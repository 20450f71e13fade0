"""From figures to plain words: each verdict, at its threshold and just beside it."""

import json
import re

import pytest

from engine.evaluation import verdict as said
from engine.evaluation.findings import findings


def card(**changes):
    """A run that learned; each change names what is different."""
    figures = {
        "step": 40,
        "train": {"rows": 20, "tokens": 900, "base": 3.0, "adapter": 1.5},
        "held_out": {"rows": 5, "tokens": 200, "base": 3.0, "adapter": 1.7},
        "general": {"rows": 20, "tokens": 600, "base": 2.5, "adapter": 2.6, "guess": 8.3},
        "answers": {"asked": 8, "changed": 7},
        "modules": {"count": 14, "zero": []},
        "best": {
            **{
                "first_eval_loss": 3.0,
                "step": 40,
                "eval_loss": 1.7,
                "last_step": 40,
                "last_eval_loss": 1.7,
            },
            "checkpoint": "checkpoint-40",
        },
    }
    for name, change in changes.items():
        figures[name] = figures[name] | change if change else change
    return figures


RISING = {"step": 20, "eval_loss": 1.5, "last_eval_loss": 1.7, "checkpoint": ""}


SINCE_START = {"first_eval_loss": 1.5, "last_eval_loss": 1.54}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "learned"),
        ({"held_out": None, "best": None}, "learned_known"),
        ({"held_out": {"known": 5}}, "learned_doubles"),
        ({"held_out": {"known": 4}}, "learned"),
        # 3 % less loss or more is a change; so is a second of eight answers.
        ({"train": {"adapter": 2.92}, "answers": {"changed": 1}}, "hardly_changed"),
        ({"train": {"adapter": 2.90}, "answers": {"changed": 1}}, "learned"),
        ({"train": {"adapter": 2.92}, "answers": {"changed": 2}}, "learned"),
        ({"train": {"adapter": 2.92}, "answers": None}, "hardly_changed"),
        # 0.7 of the loss of unseen rows, and a tenth of the gain (3.0 to 1.5) given back.
        ({"train": {"adapter": 1.18}, "best": RISING}, "overfitted"),
        ({"train": {"adapter": 1.20}, "best": RISING}, "learned"),
        ({"train": {"adapter": 1.18}, "best": RISING | {"last_eval_loss": 1.64}}, "learned"),
        ({"train": {"adapter": 1.18}, "best": RISING | {"last_eval_loss": 1.66}}, "overfitted"),
        # The rise came after what was kept.
        ({"train": {"adapter": 1.18}, "best": RISING | {"is_adapter": True}}, "learned"),
        # Nothing gained: a rise counts from 2 % on.
        ({"train": {"adapter": 1.18}, "best": RISING | SINCE_START}, "overfitted"),
        (
            {
                "train": {"adapter": 1.18},
                "best": RISING | SINCE_START | {"last_eval_loss": 1.52},
            },
            "learned",
        ),
        ({"train": {"adapter": 1.18}}, "learned"),
        # Rows that were easier for the base too are no sign of it.
        ({"train": {"base": 2.0, "adapter": 1.18}, "best": RISING}, "learned"),
        ({"held_out": {"adapter": 3.01}}, "worse"),
        ({"held_out": {"adapter": 3.0}}, "learned"),
        ({"general": {"adapter": 2.81}}, "forgot"),
        ({"general": {"adapter": 2.79}}, "learned"),
        ({"general": {"base": 6.7, "adapter": 7.5}}, "learned"),  # it never knew
        (
            {"train": {"base": None}, "held_out": {"base": None}, "general": {"base": None}},
            "unknown",
        ),
        (
            {
                "train": {"base": None, "adapter": 0.5},
                "held_out": {"base": None},
                "best": RISING,
            },
            "overfitted",  # the curves alone tell this
        ),
    ],
)
def test_verdicts(changes, expected):
    assert said.verdict(card(**changes)) == expected


def test_findings_of_a_run_that_learned():
    figures = card() | {"verdict": "learned"}
    assert said.headline(figures).en == (
        "It learned: what it was taught shows on rows it has never seen."
    )
    assert [one.en for one in findings(figures)] == [
        "7 of 8 answers to prompts from the data changed.",
        "No sign of over-fitting.",
        "The eval loss was lowest at its last measurement, step 40 (1.700).",
        "No forgetting that counts: its loss on everyday text was 2.50 and is 2.60.",
        "All 14 modules with an adapter changed.",
    ]


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (0, ("5 rows it has never seen", "没见过的 5 条")),
        (2, ("5 rows kept back, 2 of them trained on too", "留出的 5 条，其中 2 条也在训练数据里")),
    ],
)
def test_only_rows_it_was_not_trained_on_are_called_unseen(known, words):
    assert tuple(said.measured(card(held_out={"known": known}))[1][0]) == words


def test_findings_of_a_run_that_did_everything_wrong():
    figures = card(
        train={"adapter": 1.0},
        best=RISING,
        general={"adapter": 3.1},
        modules={"zero": ["a.q_proj", "b.q_proj", "c.q_proj", "d.q_proj"]},
    )
    assert [one.zh for one in findings(figures)] == [
        "用数据里的 8 个提问试过，7 个回答变了。",
        "过拟合：训练过的数据损失 1.00，其他数据 1.70，而且还在上升。",
        "第 20 步时验证损失最低（1.500）；那一步的检查点没有保留。",
        "有遗忘：日常文字上的损失从 2.50 升到 3.10。",
        "14 个模块中有 4 个完全没有变化：a.q_proj, b.q_proj, c.q_proj …。",
    ]


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        (1.52, "No sign of over-fitting."),
        (
            1.54,
            "A first sign of over-fitting: the eval loss has risen a little since its best step.",
        ),
    ],
)
def test_a_rise_that_is_no_verdict_yet_is_told(last, sentence):
    found = findings(card(best=RISING | {"last_eval_loss": last}))
    assert found[1].en == sentence


def test_the_best_model_that_was_kept_has_not_been_rising():
    said = [one.en for one in findings(card(best=RISING | {"is_adapter": True}))]
    assert said[1:3] == [
        "No sign of over-fitting.",
        "The eval loss was lowest at step 20 (1.500); the adapter is the model of that step.",
    ]


def test_what_was_not_measured_is_said_to_be_so():
    figures = card(
        train={"base": None},
        held_out=None,
        general={"base": None},
        answers=None,
        modules=None,
        best=None,
    )
    figures["verdict"] = said.verdict(figures)
    assert said.headline(figures).en.startswith("Not measured against the base")
    assert [one.en for one in findings(figures)] == [
        "No rows were kept for validation, so over-fitting cannot be told.",
        "Whether it forgot anything was not measured.",
        "What changed in each module was not measured with this method.",
    ]


def test_a_card_that_failed_says_why_and_nothing_else():
    figures = {"step": 8, "failed": "KeyError: 'x'"}
    assert "(KeyError: 'x')" in said.headline(figures).en
    assert "（KeyError: 'x'）" in said.headline(figures).zh
    assert findings(figures) == []


def test_every_sentence_is_in_both_languages():
    cards = [card(), card(general={"base": 7.0}), card(best=RISING), card(held_out=None)]
    sentences = [*said.VERDICTS.values(), *(one for c in cards for one in findings(c))]
    assert all(re.search("[一-鿿]", one.zh) and not re.search("[一-鿿]", one.en)
               for one in sentences)  # fmt: skip


def test_a_card_of_an_earlier_session_is_not_shown(tmp_path):
    whole = card() | {"verdict": "learned"}
    assert said.read(tmp_path, 40) == {}
    (tmp_path / "learned.json").write_text(json.dumps(whole))
    assert said.read(tmp_path, 40) == whole
    assert said.read(tmp_path, 60) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"step": 40}',
        '{"step": 40, "verdict": "learned"}',
        json.dumps(card() | {"verdict": "of tomorrow"}),
        json.dumps(card(train={"base": "3.0"}) | {"verdict": "learned"}),
        json.dumps(card(held_out={"base": None}) | {"verdict": "learned"}),
    ],
)
def test_a_damaged_card_says_so(tmp_path, text):
    """Whatever is missing: a card of one sentence, without a figure."""
    (tmp_path / "learned.json").write_text(text)
    damaged = said.read(tmp_path, 40)
    assert said.headline(damaged).en.startswith("What was measured cannot be read: learned.json is")
    assert (said.measured(damaged), findings(damaged)) == ([], [])
    assert said.in_short(damaged).en == "cannot be read"


def test_a_loss_of_nothing_divides_nothing():
    """A few rows known by heart have a rounded loss of 0."""
    assert said.verdict(card(train={"adapter": 0.0}, held_out={"adapter": 0.0})) == "learned"
