"""The buttons of the Runs tab, as the page calls them."""

import gradio as gr
import pytest

from engine.config import TrainConfig
from engine.training import run_changes, runs
from ui import tab_runs
from ui.runs_parts import lay_out


@pytest.mark.parametrize(
    ("wire", "asks"),
    [(tab_runs._wire_name, "ask_rename"), (tab_runs._wire_delete, "ask_delete")],
    ids=["rename", "delete"],
)
def test_a_run_that_is_gone_by_now_is_a_sentence(wire, asks):
    """Deleted on another page, since this one was last drawn."""
    with gr.Blocks() as page:
        parts = lay_out()
        before = len(page.fns)
        wire(parts)
    ask = list(page.fns.values())[before].fn
    path = runs.create(TrainConfig())
    runs.write_status(path, state="stopped")
    assert ask(path.name, None)[getattr(parts, asks)].visible is True
    run_changes.delete(path.name)
    told = ask(path.name, None)
    assert told.keys() == {parts.notice}
    assert "There is no run" in told[parts.notice]
