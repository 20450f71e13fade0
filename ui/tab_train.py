"""The Train tab: the form on the left; on the right what will happen, or the run that is on."""

from dataclasses import dataclass

import gradio as gr

from engine import launch
from engine.config import TrainConfig, default_config
from engine.desk import client as desk
from engine.errors import UserError
from engine.training import runs
from ui import base_line, cards, form, form_text, memory_box, recipes, run_side, summary, watched
from ui.chosen import Chosen
from ui.events import LATEST, QUICK, QUIET
from ui.text import language, t

# What comes with a dataset that is chosen, where nothing else is filled in with it.
_OWN = ("system_prompt", "sample_prompts", "mapping", "speaker")


@dataclass(frozen=True, slots=True)
class _Parts:
    fields: form.Fields
    advanced: gr.Accordion
    text: form_text.FormText
    ready: gr.Column
    summary: gr.HTML
    memory: memory_box.MemoryBox
    start: gr.Button
    said: gr.HTML
    wrong: gr.State  # names of the fields that carry a problem
    base: gr.State  # the base whose first values the form started from


def build(
    chosen: Chosen,
    fields: form.Fields,
    outlook: gr.State,
    revised: gr.State,
    wanted: gr.State,
) -> gr.HTML:
    """`outlook` is what the thread says of the base; a change of `wanted` presses Start.

    Returns the summary card.
    """
    picker = recipes.build()
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=320, elem_id="train_form"):
            base_line.build(fields["model_name_or_path"], revised)
            watch = watched.build()
            advanced = form.place(fields, {"sample_prompts": watch.render})
            form.wire(fields)
            as_text = form_text.build()
        with gr.Column(scale=1, min_width=320, elem_id="train_side"):
            with gr.Column(elem_id="ready_side") as ready:
                card = gr.HTML(cards.nothing(), elem_id="summary", elem_classes="bare")
                start = gr.Button(
                    t("train_start"), variant="primary", interactive=False, elem_id="start"
                )
                said = gr.HTML(cards.nothing(), elem_id="start_said", elem_classes="bare")
                memory = memory_box.build()
            run_side.build(chosen)
    base = gr.State(fields["model_name_or_path"].value)
    parts = _Parts(fields, advanced, as_text, ready, card, memory, start, said, gr.State([]), base)
    _wire_summary(chosen, parts, outlook, revised)
    _wire_start(chosen, parts, wanted)
    _wire_filling(chosen, parts, picker, revised)
    watched.wire(watch, fields, chosen)
    memory_box.wire_ladders(memory, fields, _inputs(chosen, parts))
    memory_box.wire_measure(memory, _inputs(chosen, parts))
    chosen.run.change(_ready_side, chosen.run, [ready, said], **QUICK)
    return card


def _ready_side(run_id: str):
    return gr.Column(visible=not run_id), cards.nothing()


def _inputs(chosen: Chosen, parts: _Parts, **more) -> dict:
    """The whole form by field name, as handlers with **values take it."""
    return {**parts.fields, "dataset": chosen.dataset, **more}


def _wire_summary(chosen: Chosen, parts: _Parts, outlook: gr.State, revised: gr.State) -> None:
    """Whatever changes in the form or the choice of data is looked at anew."""
    memory = parts.memory

    def foresee(request: gr.Request, **values):
        before, lang = values.pop("wrong"), language(request)
        planned, measured = values.pop("planned"), values.pop("measured")
        config, wrong = form.read(values)
        marks = form.mark(parts.fields, wrong, before, lang) | {parts.wrong: sorted(wrong)}
        if config is None:
            reasons = [one.in_language(lang) for one in wrong.values()]
            return marks | {
                parts.summary: summary.not_ready(values, reasons, lang),
                parts.start: gr.Button(interactive=False),
                **memory_box.shown(memory, planned, measured, None, {}, lang),
            }
        estimate = desk.estimate(config.to_dict(), memory_box.size_of(planned))
        reasons = list(
            dict.fromkeys(one["zh" if lang == "zh" else "en"] for one in estimate["reasons"])
        )
        found = {one["field"]: form.sentence_of(one) for one in estimate["reasons"]}
        marks = form.mark(parts.fields, wrong | found, before, lang)
        if estimate.get("total_parameters"):
            marks[outlook] = {
                "model": config.model_name_or_path,
                "parameters": estimate["total_parameters"],
                "device": estimate["device"],
            }
            targets = parts.fields["lora_target_modules"]
            offered = gr.update(choices=form.target_choices(estimate["target_modules"]))
            marks[targets] = marks.get(targets, {}) | offered
        return marks | {
            parts.wrong: sorted(wrong | found),
            parts.summary: summary.card(values, estimate, reasons, lang),
            parts.start: gr.Button(interactive=not reasons),
            **parts.text.shown(config),
            **memory_box.shown(memory, planned, measured, config, estimate, lang),
            parts.advanced: gr.Accordion(
                label=form.advanced_label(form.hidden_changes(config), lang)
            ),
        }

    inputs = _inputs(
        chosen, parts, wrong=parts.wrong, planned=memory.planned, measured=memory.found
    )
    outputs = [parts.summary, parts.start, parts.advanced, parts.wrong, outlook, *memory.drawn]
    outputs += [parts.text.command, parts.text.yaml]
    changes = [chosen.dataset.change, revised.change, memory.planned.change]
    gr.on(
        [*changes, *(one.change for one in parts.fields.values())],
        foresee,
        inputs_kwargs=inputs,
        outputs=[*outputs, *parts.fields.values()],
        concurrency_limit=None,
        **QUIET,
        **LATEST,
    )


def _wire_start(chosen: Chosen, parts: _Parts, wanted: gr.State) -> None:
    def start(request: gr.Request, **values):
        lang, before = language(request), values.pop("wrong")
        config, wrong = form.read(values)
        try:
            if config is None:
                field, sentence = next(iter(wrong.items()))
                raise UserError(sentence.en, sentence.zh, field)
            run_id = launch.start(config)
        except UserError as error:
            said = cards.sentence(error.sentence.in_language(lang))
            marks = form.mark(parts.fields, {error.field: error.sentence}, before, lang)
            return marks | {
                parts.said: said,
                parts.wrong: sorted({*before, error.field} & set(parts.fields)),
                parts.start: gr.Button(interactive=True),
            }
        return {
            chosen.run: run_id,
            parts.said: cards.nothing(),
            parts.start: gr.Button(interactive=True),
            parts.ready: gr.Column(visible=False),  # at once: Start may be pressed again
        }

    def begin(request: gr.Request):
        return summary.starting(language(request)), gr.Button(interactive=False)

    marked = parts.fields.values()
    gr.on([parts.start.click, wanted.change], begin, None, [parts.said, parts.start], **QUIET).then(
        start,
        inputs_kwargs=_inputs(chosen, parts, wrong=parts.wrong),
        outputs=[chosen.run, parts.said, parts.start, parts.ready, parts.wrong, *marked],
        **QUIET,
    )


def _wire_filling(chosen: Chosen, parts: _Parts, picker: recipes.Picker, revised: gr.State) -> None:
    """The ways in which the page fills the form: another base, a run that is cloned, a text, a
    recipe."""

    def follow(**values):
        base = values.pop("base")
        new = values["model_name_or_path"] or ""
        updates = form.follow_base(new, base, values)
        return {parts.fields[name]: value for name, value in updates.items()} | {parts.base: new}

    def clone(run_id: str, count: int):
        if not run_id:
            return gr.skip()
        config = runs.get(run_id).config
        return filled(config, count, config.dataset) | {chosen.run: ""}

    def filled(config: TrainConfig, count: int, dataset: str) -> dict:
        values = form.values_of(config, parts.fields)
        dataset = config.dataset or dataset
        own = {name: getattr(config, name) for name in _OWN} | {"dataset": dataset}
        shown = {chosen.dataset: dataset, chosen.filled: own, revised: count + 1}
        return values | shown | {parts.base: config.model_name_or_path}

    model = parts.fields["model_name_or_path"]
    model.input(
        follow,
        inputs_kwargs=_inputs(chosen, parts, base=parts.base),
        outputs=[*parts.fields.values(), parts.base],
        **QUICK,
        **LATEST,
    )
    form_outputs = [*parts.fields.values(), chosen.dataset, chosen.filled, revised, parts.base]
    chosen.clone.change(clone, [chosen.clone, revised], [*form_outputs, chosen.run], **QUIET)
    form_text.wire(parts.text, filled, revised, chosen.dataset, form_outputs)
    recipes.wire(picker, chosen, revised, filled, _inputs(chosen, parts), form_outputs)


def first_values(fields: form.Fields) -> dict:
    """Updates that bring the form back to its first values."""
    return form.values_of(default_config(), fields)
