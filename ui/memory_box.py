"""Memory beside the form: foretold, planned for another card, measured; the ladders' clicks."""

from dataclasses import dataclass

import gradio as gr

from engine.config import TrainConfig
from engine.errors import UserError
from engine.hardware import LARGEST_GIB, check_size
from engine.measure import measuring
from ui import cards, fitting, form
from ui.events import QUIET
from ui.text import language, say, t


@dataclass(frozen=True, slots=True)
class MemoryBox:
    here: gr.HTML
    planned: gr.Number  # GiB of the card that is planned for
    problem: gr.HTML  # what is wrong with that number
    plan: gr.HTML
    measure: gr.Button
    measured: gr.HTML
    found: gr.State  # {"values", "measured"}: the form that was measured last, None before

    @property
    def drawn(self) -> list:
        """What `shown` updates."""
        return [self.here, self.problem, self.plan, self.measure, self.measured]


def build() -> MemoryBox:
    here = _with_ladder("memory_here")
    with gr.Row(elem_id="plan_row"):
        planned = gr.Number(
            None,
            label=t("fitting_plan_for"),
            info=t("fitting_plan_help"),
            elem_id="plan_gib",
            interactive=True,
            min_width=200,
        )
        measure = gr.Button(t("fitting_measure"), interactive=False, elem_id="measure")
    problem = gr.HTML(cards.nothing(), elem_id="plan_problem", elem_classes="bare")
    measured = gr.HTML(cards.nothing(), elem_id="measured", elem_classes="bare")
    plan = _with_ladder("memory_plan")
    return MemoryBox(here, planned, problem, plan, measure, measured, gr.State(None))


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


def shown(
    box: MemoryBox,
    planned: float | None,
    found: dict | None,
    config: TrainConfig | None,
    estimate: dict,
    lang: str,
) -> dict:
    """Updates that show what the estimate says, and what was measured of just this form."""
    wrong = bool(planned) and not size_of(planned)
    sentence = say("fitting_plan_size", lang, largest=LARGEST_GIB) if wrong else ""
    return {
        box.here: fitting.here(estimate, lang),
        box.plan: fitting.plan(estimate, lang),
        box.problem: cards.sentence(sentence),
        box.measure: gr.Button(interactive="peak_gib" in estimate),
        box.measured: _measured(found, config, lang),
    }


def _measured(found: dict | None, config: TrainConfig | None, lang: str) -> str:
    if not (found and config) or found["values"] != config.to_dict():
        return cards.nothing()
    return fitting.measured(found["measured"], lang)


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


def wire_measure(box: MemoryBox, inputs: dict) -> None:
    """A press on Measure tries the form out in a process of its own, and shows how far it is.

    `inputs` as in `wire_ladders`.
    """

    def measure(request: gr.Request, **values):
        lang = language(request)
        config, wrong = form.read(values)
        if config is None or wrong:
            sentence = next(iter(wrong.values())).in_language(lang)
            yield {box.measured: cards.sentence(sentence)}
            return
        yield {
            box.measured: fitting.measuring({"share": 0.0}, lang),
            box.measure: gr.Button(interactive=False),
        }
        ends = {box.measure: gr.Button(interactive=True)}
        try:
            for look in measuring(config):
                if "measured" in look:
                    found = {"values": config.to_dict(), "measured": look["measured"]}
                    drawn = fitting.measured(look["measured"], lang)
                    yield ends | {box.found: found, box.measured: drawn}
                else:
                    yield {box.measured: fitting.measuring(look, lang)}
        except UserError as error:
            yield ends | {box.measured: cards.sentence(error.sentence.in_language(lang))}

    def show(found: dict, request: gr.Request, **values):
        """The form may have changed meanwhile."""
        return _measured(found, form.read(values)[0], language(request))

    box.measure.click(
        measure,
        inputs_kwargs=inputs,
        outputs=[box.measured, box.measure, box.found],
        concurrency_limit=None,
        **QUIET,
    )
    box.found.change(
        show, inputs_kwargs=inputs | {"found": box.found}, outputs=box.measured, **QUIET
    )
