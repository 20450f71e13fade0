"""The pickers of columns: what they say as text, and what a reading writes into them."""

import pytest

from ui import data_mapping, form

NOTHING = [[], None, None, None, None, None]
PICKED = [["title", "ask"], None, "answer", None, None, None]
TEXT = "title=user, ask=user, answer=assistant"
FACTS = {
    "columns": ["title", "ask", "answer"],
    "mapping": {"ask": "user", "answer": "assistant"},
    "speaker": "Tom",
    "speakers": [{"name": "Mara", "lines": 7}, {"name": "Tom", "lines": 2}],
}


@pytest.fixture(scope="module")
def pickers():
    import gradio as gr

    with gr.Blocks():
        form.create()
        return data_mapping.build()


def values(pickers, updates):
    """What is written into the pickers, by role."""
    return {r: updates[one].value for r, one in pickers.roles.items() if one in updates}


def test_what_is_picked_as_text():
    assert data_mapping.text_of(NOTHING) == ""
    assert data_mapping.text_of(PICKED) == TEXT
    assert data_mapping.text_of([[], "", "answer", None, "", None]) == "answer=assistant"


def test_what_was_found_is_written_into_the_pickers(pickers):
    asked = {"mapping": "", "speaker": ""}
    shown = data_mapping.shown(pickers, FACTS, NOTHING, asked)
    empty = dict.fromkeys(("input", "system", "messages", "text"))
    assert values(pickers, shown) == empty | {"user": ["ask"], "assistant": "answer"}
    assert shown[pickers.speaker].value == "Tom"
    assert shown[pickers.speaker].visible is True


def test_what_a_person_picks_is_not_written_back(pickers):
    """They may have picked more while the file was read."""
    asked = {"mapping": TEXT, "speaker": "Tom"}
    shown = data_mapping.shown(pickers, FACTS, PICKED, asked)
    assert values(pickers, shown) == {}
    assert values(pickers, data_mapping.asking(pickers, ["title"], PICKED, TEXT)) == {}


def test_a_cloned_runs_mapping_is_written_into_the_pickers(pickers):
    asked = {"mapping": TEXT, "speaker": ""}
    facts = FACTS | {"mapping": {"title": "user", "ask": "user", "answer": "assistant"}}
    shown = data_mapping.shown(pickers, facts, NOTHING, asked)
    assert values(pickers, shown)["user"] == ["title", "ask"]


def test_a_column_that_there_is_not_is_not_picked(pickers):
    """The reading says so; Gradio would refuse the picker at each later event."""
    updates = data_mapping.asking(pickers, ["a", "b"], NOTHING, "gone=user, b=assistant")
    assert values(pickers, updates)["user"] == []
    assert values(pickers, updates)["assistant"] == "b"


def test_what_was_picked_of_other_columns_is_read_all_the_same(pickers):
    """It is on its way when another dataset's columns come; the reading of that one counts."""
    data_mapping.asking(pickers, ["alpha", "beta"], NOTHING, "")
    assert pickers.roles["user"].preprocess(["prompt"]) == ["prompt"]
    assert pickers.roles["assistant"].preprocess("response") == "response"
