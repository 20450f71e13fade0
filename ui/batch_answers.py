"""Many questions to all voices: the area under the talk, its progress, its table, its files."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import gradio as gr

from engine.chat import client
from ui import batch_flow, cards, data_choice
from ui.batch_flow import Parts
from ui.chat_panel import Panel
from ui.chosen import Chosen
from ui.events import LATEST, MODEL, QUICK
from ui.text import language, say, t

CSS = Path(__file__).with_name("judging.css").read_text(encoding="utf-8")
COUNT = 20


def build(chosen: Chosen, panel: Panel) -> None:
    """The accordion, below whatever is laid out already."""
    with gr.Accordion(t("judging_title"), open=False, elem_id="judging_box") as box:
        parts = _lay_out()
    _wire_choices(parts, chosen, box)
    _wire_run(parts, chosen, panel)


def _lay_out() -> Parts:
    gr.Markdown(t("judging_how"), elem_classes="soft")
    made: dict[str, Any] = {}
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            made |= _questions()
        with gr.Column(scale=2, min_width=260):
            made["preset"] = gr.Dropdown(
                [(t("judging_plain"), "plain"), (t("judging_rewrite"), "rewrite")],
                value="plain",
                label=t("judging_preset"),
                elem_id="judging_preset",
            )
            made["instruction"] = gr.Textbox(
                label=t("judging_instruction"),
                placeholder=t("judging_instruction_hint"),
                lines=2,
                max_lines=6,
                elem_id="judging_instruction",
            )
            made["run"] = gr.Button(t("judging_run"), variant="primary", elem_id="judging_run")
            made["stop"] = gr.Button(t("judging_stop"), visible=False, elem_id="judging_stop")
    for name in ("notice", "said", "summary"):
        made[name] = _html(name)
    with gr.Row(visible=False, elem_id="judging_files") as made["files"]:
        for kind, title in (("csv", "CSV"), ("jsonl", "JSONL"), ("md", "Markdown")):
            made[kind] = gr.DownloadButton(title, size="sm", elem_id=f"judging_{kind}")
    made["table"] = _html("table")
    return Parts(**made)


def _questions() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["source"] = gr.Radio(
        [(t("judging_typed"), "typed"), (t("judging_drawn"), "drawn")],
        value="typed",
        label=t("judging_source"),
        elem_id="judging_source",
    )
    made["prompts"] = gr.Textbox(
        label=t("judging_prompts"),
        placeholder=t("judging_prompts_hint"),
        lines=5,
        max_lines=14,
        elem_id="judging_prompts",
    )
    with gr.Column(visible=False, elem_id="judging_drawn") as made["drawn"]:
        with gr.Row():
            made["dataset"] = gr.Dropdown(
                label=t("judging_dataset"),
                info=t("judging_dataset_help"),
                scale=3,
                elem_id="judging_dataset",
            )
            made["count"] = gr.Number(
                value=COUNT,
                precision=0,
                minimum=1,
                label=t("judging_count"),
                info=t("judging_count_help"),
                min_width=120,
                elem_id="judging_count",
            )
        made["unseen"] = gr.Checkbox(True, label=t("judging_unseen"), elem_id="judging_unseen")
    return made


def _html(name: str) -> gr.HTML:
    return gr.HTML(cards.nothing(), elem_id=f"judging_{name}", elem_classes="bare")


def _wire_choices(parts: Parts, chosen: Chosen, box: gr.Accordion) -> None:
    """Where the questions come from, and the words of a preset."""

    def listed(source: str, dataset: str, current: str, request: gr.Request):
        known = data_choice.choices(language(request))
        ids = [one for _, one in known]
        value = current if current in ids else dataset if dataset in ids else None
        typed = source == "typed"
        return (
            gr.Textbox(visible=typed),
            gr.Column(visible=not typed),
            gr.Dropdown(choices=known, value=value),
        )

    def preset(name: str, request: gr.Request):
        return "" if name == "plain" else say("judging_rewrite_words", language(request))

    inputs = [parts.source, chosen.dataset, parts.dataset]
    outputs = [parts.prompts, parts.drawn, parts.dataset]
    gr.on([box.expand, parts.source.input], listed, inputs, outputs, **QUICK, **LATEST)
    parts.preset.input(preset, parts.preset, parts.instruction, **QUICK, **LATEST)


def _wire_run(parts: Parts, chosen: Chosen, panel: Panel) -> None:
    def begin(request: gr.Request, source, prompts, dataset, *others):
        if wrong := batch_flow.wrong(source, prompts, dataset):
            said = cards.sentence(say(wrong, language(request)), "mild")
            return {wanted: None, parts.notice: said}
        count, unseen, instruction, system, own, *values = others
        asked = {"prompts": prompts, "instruction": instruction}
        if source == "drawn":
            asked |= {"dataset": dataset, "count": int(count or 0), "unseen": unseen}
        sampling = dict(zip(panel.sampling, values, strict=True))
        manner = {"system": system, "sampling": sampling, "own": own}
        return {wanted: (asked, manner)} | batch_flow.begin(parts, language(request))

    def ask(request: gr.Request, voices, wanted):
        if not wanted:  # a generator that yields nothing would empty its outputs
            yield {parts.notice: gr.skip()}
            return
        yield from batch_flow.ask(parts, voices, *wanted, language(request))

    # A State is read when its event's turn comes: one that waits for the model takes what was
    # pressed for last.
    wanted = gr.State(None)
    questions = [parts.source, parts.prompts, parts.dataset, parts.count, parts.unseen]
    how = [parts.instruction, panel.system, panel.own.kept, *panel.sampling.values()]
    begun = [wanted, parts.run, parts.notice, parts.said]
    begins = parts.run.click(begin, [*questions, *how], begun, **QUICK)
    outputs = [getattr(parts, one.name) for one in fields(Parts)]
    asking = begins.then(ask, [chosen.voices, wanted], outputs, **MODEL)
    asking.failure(lambda: batch_flow.ready(parts), None, [parts.run, parts.stop], **QUICK)
    parts.stop.click(client.stop, None, None, **QUICK)
