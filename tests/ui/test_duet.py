"""The box in which two talk: whom it offers."""

import gradio as gr
import pytest

from engine.config import TrainConfig
from engine.training import checkpoints, runs
from ui import duet


@pytest.fixture
def offer():
    """The handler of the box: what the four choices become."""
    with gr.Blocks() as page:
        made = duet.lay_out()
        duet.wire(made, {}, gr.HTML(), {})
    assert all(one.allow_custom_value for one in made.voices.values())
    return next(one.fn for one in page.fns.values() if one.name == "offer")


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
