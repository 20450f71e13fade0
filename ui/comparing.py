"""Several runs beside each other on the Runs tab: the switches, and when it is drawn again."""

from dataclasses import dataclass

import gradio as gr

from engine.errors import UserError
from engine.training import runs
from engine.training.runs import Run
from ui import comparison
from ui.events import LATEST, QUICK
from ui.text import language, t

# What the boxes themselves say, whenever it is asked: no tick is lost while another one is drawn.
TICKED = "(_, along, only) => [[...document.querySelectorAll('#runs_table [data-compare]:checked')]"
TICKED += ".map((one) => one.dataset.compare).join(' '), along, only]"
CLEAR = "() => document.querySelector('#runs_table .runs-box')?.dispatchEvent("
CLEAR += "new Event('clear', {bubbles: true}))"


@dataclass(frozen=True, slots=True)
class Comparing:
    """Its components; `ids` carries those of the ticked runs to Python, a blank between two."""

    box: gr.Column
    ids: gr.Textbox
    along: gr.Radio
    only: gr.Checkbox
    clear: gr.Button
    shown: gr.HTML


def build() -> Comparing:
    ids = gr.Textbox(visible=False)
    with gr.Column(visible=False, elem_id="compare_box") as box:
        with gr.Row(elem_id="compare_controls"):
            along = gr.Radio(
                [(t(f"compare_{one}"), one) for one in comparison.ALONG],
                value=comparison.ALONG[0],
                label=t("compare_along"),
                show_label=False,
                elem_id="compare_along",
            )
            only = gr.Checkbox(True, label=t("compare_only"), elem_id="compare_only")
            clear = gr.Button(t("compare_clear"), elem_id="compare_clear")
        shown = gr.HTML(elem_id="compare_shown", elem_classes="bare")
    return Comparing(box, ids, along, only, clear, shown)


def wire(parts: Comparing, table: gr.HTML, looks: list) -> None:
    """Drawn at each tick of a box, at each switch, and again while one of the runs goes on."""

    def draw(ids: str, along: str, only: bool, request: gr.Request):
        found = _known(ids)
        drawn = comparison.html(found, along, only, language(request))
        return gr.Column(visible=bool(found)), drawn

    def follow(ids: str, along: str, only: bool, request: gr.Request):
        found = _known(ids)
        if not any(run.alive for run in found):
            return gr.skip()
        return comparison.html(found, along, only, language(request))

    inputs = [parts.ids, parts.along, parts.only]
    gr.on(
        [table.input, parts.along.change, parts.only.change],
        draw,
        inputs,
        [parts.box, parts.shown],
        js=TICKED,
        **QUICK,
        **LATEST,
    )
    gr.on(looks, follow, inputs, parts.shown, js=TICKED, **QUICK)
    parts.clear.click(None, None, None, js=CLEAR, **QUICK)


def _known(ids: str) -> list[Run]:
    """Those that are still there."""
    found = []
    for one in ids.split():
        try:
            found.append(runs.get(one))
        except UserError:  # deleted since it was ticked
            continue
    return found
