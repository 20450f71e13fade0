"""What a person keeps of a conversation, as the page asks for it."""

import json

import gradio as gr
import pytest

from engine import library
from ui import conversation, keep_answers
from ui.chosen import Chosen


@pytest.fixture(scope="module")
def keep():
    with gr.Blocks():
        return keep_answers.lay_out()


def talk(*said):
    turns = [
        {"question": "?", "system": {"base": "Be kind."}, "answers": {"base": {"text": one}}}
        for one in said
    ]
    return conversation.new_talk("", "", "Aye.") | {"turns": turns}


@pytest.fixture(scope="module")
def wired():
    """The box on a page of its own, and its handlers by name."""
    with gr.Blocks() as page:
        keep = keep_answers.lay_out()
        others = dict.fromkeys(Chosen.__slots__, gr.State())
        keep_answers.wire(keep, gr.State({}), Chosen(**others))
    return keep, {one.fn.__name__: one.fn for one in page.fns.values()}


def test_a_good_answer_is_kept_once(keep):
    put = keep_answers._good(keep)
    first = put(talk("a", "b"), "base", "", "mine", None)
    assert first[keep.kept] == "mine.jsonl"
    assert "rows there now: 1" in first[keep.said]
    assert (first[keep.into].value, first[keep.name].visible) == ("mine.jsonl", False)
    again = put(talk("a", "b"), "base", "mine.jsonl", "", None)
    assert "nothing was added" in again[keep.said]
    (line,) = library.require("mine.jsonl").read_text().splitlines()
    assert json.loads(line)["messages"][0] == {"role": "system", "content": "Be kind."}


@pytest.mark.parametrize(
    ("spoken", "whose", "sentence"),
    [
        (talk(), None, "Nobody has answered yet"),
        (talk("a", " "), "base", "has not answered yet"),
        (talk("a"), "tuned", "Nobody has answered yet"),
    ],
)
def test_an_answer_that_is_not_there_is_not_kept(keep, spoken, whose, sentence):
    done = keep_answers._good(keep)(spoken, whose, "", "mine", None)
    assert list(done) == [keep.said]
    assert sentence in done[keep.said]


def test_a_correction_belongs_to_the_answer_for_which_it_was_begun(wired):
    """Another question, or another voice, closes the box; words that were sent before it closed are
    kept beside their own question."""
    keep, handlers = wired
    begun = handlers["begin_better"](talk("a"), "base", None)
    about = begun[keep.about]
    assert (begun[keep.words].value, begun[keep.words].visible) == ("a", True)

    follow = handlers["follow"]
    same = follow(talk("a"), "base", "", about, None)
    assert keep.words not in same
    for spoken, whose in ((talk("a", "b"), "base"), (talk(), None)):
        after = follow(spoken, whose, "", about, None)
        assert after[keep.about] == []
        assert (after[keep.words].value, after[keep.words].visible) == ("", False)
        assert not after[keep.save].visible

    saved = keep_answers._better(keep)(about, "I am Mara.", "", "mine", None)
    assert saved[keep.about] == []
    prompt = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "?"}]
    chosen, rejected = ({"role": "assistant", "content": one} for one in ("I am Mara.", "a"))
    rows = {
        name: json.loads(library.require(f"{name}.jsonl").read_text())
        for name in ("mine", "mine-preferences")
    }
    assert rows == {
        "mine": {"messages": [*prompt, chosen]},
        "mine-preferences": {"prompt": prompt, "chosen": [chosen], "rejected": [rejected]},
    }
    twice = keep_answers._better(keep)([], "I am Mara.", "mine.jsonl", "", None)
    assert list(twice) == [keep.said]


def test_nothing_is_begun_where_there_is_no_answer(wired):
    keep, handlers = wired
    begun = handlers["begin_better"](talk(), None, None)
    assert begun[keep.about] == []
    assert "Nobody has answered yet" in begun[keep.said]


def test_an_answer_that_comes_leaves_what_is_not_begun(wired):
    """Or the words that a click has opened meanwhile would close again."""
    keep, handlers = wired
    after = handlers["follow"](talk("a"), "base", "", [], None)
    assert set(after) == {keep.whose, keep.into, keep.name, keep.file}
