"""The box in which two talk: whom it offers."""

import gradio as gr
import pytest

from engine.chat import client
from engine.config import TrainConfig
from engine.training import checkpoints, runs
from ui import duet


@pytest.fixture
def box():
    """(the box, its handlers by name)."""
    with gr.Blocks() as page:
        made = duet.lay_out()
        duet.wire(made, {}, gr.HTML(), {})
    return made, {one.name: one.fn for one in page.fns.values()}


@pytest.fixture
def offer(box):
    """What the four choices become."""
    made, handlers = box
    assert all(one.allow_custom_value for one in made.voices.values())
    return handlers["offer"]


def test_whoever_can_speak_in_chat_can_talk_here(offer, make_adapter, tmp_path):
    """The base, runs and the checkpoints that they kept; a folder that was typed stays, and what is
    nothing, or nothing any more, becomes the base."""
    run = runs.create(TrainConfig())
    (run / "name").write_text("calm-otter", encoding="utf-8")
    make_adapter(run / "adapter", 1)
    checkpoints.seal(make_adapter(run / "checkpoint-40", 2), {})
    folder, step = str(make_adapter(tmp_path / "mara", 3)), f"{run.name}/checkpoint-40"
    known = [("the base", "base"), ("calm-otter", run.name), ("calm-otter · step 40", step)]
    for picked, left in (
        ((step, f" {folder} "), [step, folder]),
        ((None, " "), ["base", "base"]),
        (("nobody", f"{run.name}/checkpoint-7"), ["base", "base"]),
    ):
        voices = offer("", "", *picked, None)[2:]
        assert [one.choices for one in voices] == [known, known]
        assert [one.value for one in voices] == left


@pytest.fixture
def spoken(box, monkeypatch):
    """Lets two cards talk with voices that say which line it is; gives the last of each update."""
    lines = iter(range(1, 9))

    def chat(histories, loaded, **settings):
        yield dict.fromkeys(
            histories, {"text": f"line {next(lines)}", "done": True, "stopped_by": "end"}
        )

    monkeypatch.setattr(client, "load", lambda *asked, **how: {"voices": ["base"]})
    monkeypatch.setattr(client, "status", dict)
    monkeypatch.setattr(client, "chat", chat)
    monkeypatch.setattr(duet.answers, "loaded", lambda status, lang: f"loaded {status}")
    made, handlers = box

    def talk(first, second, opening=""):
        updates = {}
        for update in handlers["talk"](None, first, second, "base", " ", opening, 2.0):
            updates |= update
        return updates.get(made.chat), updates[made.said]

    return talk


def test_two_characters_talk(spoken):
    """The first stands at the right with its greeting; one that is no card any more is asked for,
    and what cannot begin is a sentence."""
    lines, said = spoken("lighthouse-keeper", "palace-secretary", "Good evening.")
    assert lines == [
        {"role": "user", "content": "**Mara**\n\nGood evening."},
        {"role": "assistant", "content": "**沈知微**\n\nline 1"},
        {"role": "user", "content": "**Mara**\n\nline 2"},
    ]
    assert "Lines: 3." in said
    lines, said = spoken("lighthouse-keeper", "gone")
    assert (lines, "Choose two characters." in said) == (None, True)
