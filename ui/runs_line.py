"""The buttons of a run that waits in line: forward, back, now beside the others, leave."""

from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from engine import launch
from engine.errors import UserError
from engine.training import runs, turns
from engine.training.runs import Run
from ui import cards
from ui.events import QUICK
from ui.text import language, t

ACTIONS = {
    "forward": lambda run_id: turns.move(run_id, -1),
    "back": lambda run_id: turns.move(run_id, 1),
    "beside": turns.beside,
    "leave": launch.stop,
}


@dataclass(frozen=True, slots=True)
class LineButtons:
    """A row, seen while the run waits, and its buttons by the names of ACTIONS."""

    row: gr.Row
    buttons: dict[str, gr.Button]

    def of(self, run: Run) -> dict:
        """The updates that show or hide them; there is no place before the first nor behind the
        last."""
        place, places = standing(run)
        return {
            self.row: gr.Row(visible=run.state == "queued"),
            self.buttons["forward"]: gr.Button(interactive=place > 1),
            self.buttons["back"]: gr.Button(interactive=place < places),
        }

    def drawn(self) -> list[Component]:
        """What `of` writes."""
        return [self.row, self.buttons["forward"], self.buttons["back"]]


def standing(run: Run) -> tuple[int, int]:
    """Its place in line, and how many wait there; zeros for a run that does not wait."""
    return (run.place, len(runs.waiting(run.path.parent))) if run.place else (0, 0)


def build(place: str) -> LineButtons:
    """`place` begins the ids of its elements."""
    with gr.Row(visible=False, elem_id=f"{place}_line") as row:
        buttons = {
            name: gr.Button(t(f"runs_line_{name}"), elem_id=f"{place}_{name}") for name in ACTIONS
        }
    return LineButtons(row, buttons)


def wire(
    line: LineButtons,
    run_id: gr.State,
    said: gr.HTML,
    redraw: Callable[[str, str], dict],
    outputs: list[Component],
) -> None:
    """What a button's action complains about goes to `said`; else `redraw(run id, language)` gives
    the updates that show the new order, for `outputs`."""
    for name, button in line.buttons.items():

        def press(at: str, request: gr.Request, act=ACTIONS[name]):
            try:
                act(at)
            except UserError as error:
                return {said: cards.sentence(error.sentence.in_language(language(request)))}
            return redraw(at, language(request)) | {said: cards.nothing()}

        button.click(press, run_id, [*outputs, said], **QUICK)
