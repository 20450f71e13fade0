"""Memory beside the form: what is foretold here, the card one plans for, the ladders' clicks."""

from dataclasses import dataclass

import gradio as gr

from engine.errors import UserError
from engine.hardware import LARGEST_GIB, check_size
from ui import cards, fitting, form
from ui.text import say, t

QUIET = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True, slots=True)
class MemoryBox:
    here: gr.HTML
    planned: gr.Number  # GiB of the card that is planned for
    problem: gr.HTML  # what is wrong with that number
    plan: gr.HTML


def build() -> MemoryBox:
    here = _with_ladder("memory_here")
    with gr.Row(elem_id="plan_row"):
        planned = gr.Number(
            None,
            label=t("fitting_plan_for"),
            info=t("fitting_plan_help"),
            elem_id="plan_gib",
            interactive=True,
        )
    problem = gr.HTML(cards.nothing(), elem_id="plan_problem", elem_classes="bare")
    return MemoryBox(here, planned, problem, _with_ladder("memory_plan"))


def _with_ladder(elem_id: str) -> gr.HTML:
    return gr.HTML(
        cards.nothing(),
        elem_id=elem_id,
        elem_classes="bare",
        js_on_load=fitting.CHOOSE_BY_CLICK,
    )


def size_of(planned: float | None) -> float:
    """GiB of the card that is planned for; 0 for none, and for a number that is no card's."""
    try:
        check_size(planned or 0.0)
    except UserError:
        return 0.0
    return planned or 0.0


def shown(box: MemoryBox, planned: float | None, estimate: dict, lang: str) -> dict:
    """Updates that show what the estimate says."""
    wrong = bool(planned) and not size_of(planned)
    sentence = say("fitting_plan_size", lang, largest=LARGEST_GIB) if wrong else ""
    return {
        box.here: fitting.here(estimate, lang),
        box.plan: fitting.plan(estimate, lang),
        box.problem: cards.sentence(sentence),
    }


def wire_ladders(box: MemoryBox, fields: form.Fields, inputs: dict) -> None:
    """A click on a rung fills the form's fields; the card follows as after any change.

    `inputs` is the whole form by field name.
    """

    def choose(event: gr.EventData, **values):
        config, _ = form.read(values | event.values)
        if config is None:
            return gr.skip()
        return {fields[name]: getattr(config, name) for name in event.values if name in fields}

    for ladder in (box.here, box.plan):
        ladder.click(choose, inputs_kwargs=inputs, outputs=list(fields.values()), **QUIET)
