"""What a person keeps of a conversation, as the page asks for it."""

import gradio as gr
import pytest

from engine import library
from ui import conversation, keep_answers


@pytest.fixture(scope="module")
def keep():
    with gr.Blocks():
        return keep_answers.lay_out()


def talk(*said):
    turns = [{"question": "?", "answers": {"base": {"text": one}}} for one in said]
    return conversation.new_talk("", "", "Aye.") | {"turns": turns}


def test_a_good_answer_is_kept_once(keep):
    put = keep_answers._keeper(keep)
    first = put(None, talk("a", "b"), "base", "", "mine", "Be kind.")
    assert first[keep.kept] == "mine.jsonl"
    assert "rows there now: 1" in first[keep.said]
    assert (first[keep.into].value, first[keep.name].visible) == ("mine.jsonl", False)
    again = put(None, talk("a", "b"), "base", "mine.jsonl", "", "Be kind.")
    assert "nothing was added" in again[keep.said]
    assert len(library.require("mine.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("spoken", "whose", "sentence"),
    [
        (talk(), None, "Nobody has answered yet"),
        (talk("a", " "), "base", "has not answered yet"),
        (talk("a"), "tuned", "Nobody has answered yet"),
    ],
)
def test_an_answer_that_is_not_there_is_not_kept(keep, spoken, whose, sentence):
    done = keep_answers._keeper(keep)(None, spoken, whose, "", "mine", "")
    assert list(done) == [keep.said]
    assert sentence in done[keep.said]
