"""The Data tab: choose or upload a dataset, and see exactly what the model will learn from it."""

from dataclasses import dataclass

import gradio as gr

from engine import library
from engine.characters.shelf import list_samples
from ui import (
    cards,
    data_choice,
    data_doctor,
    data_foot,
    data_mapping,
    data_reading,
    data_table,
    form,
)
from ui.chosen import Chosen
from ui.events import LATEST, QUICK
from ui.text import language, say, t


@dataclass(frozen=True, slots=True)
class DataTab:
    """What the rest of the page touches. `facts` is what `desk.inspect` last found, or None."""

    picker: gr.Radio
    row: gr.Slider
    facts: gr.State


def build(chosen: Chosen, fields: form.Fields, facts: gr.State, revised: gr.State) -> DataTab:
    """`revised` counts the times that the page, not the person, changed what is read."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            choice = data_choice.build(chosen)
            statement = _html("data_statement")
            go = gr.Button(t("data_go_train"), elem_id="go_train", variant="primary")
        with gr.Column(scale=7, min_width=320):
            learn, views = _right_side(chosen, fields, facts, statement)
    data_mapping.wire(views.pickers, fields)
    _wire_reading(chosen, choice, fields, learn, views, revised)
    go.click(lambda: gr.Tabs(selected="train"), None, chosen.tabs, **QUICK)
    return DataTab(choice.picker, views.row, facts)


def _html(elem_id: str) -> gr.HTML:
    return gr.HTML(cards.nothing(), elem_id=elem_id, elem_classes="bare")


def _right_side(
    chosen: Chosen, fields: form.Fields, facts: gr.State, statement: gr.HTML
) -> tuple[gr.Dropdown, data_reading.Views]:
    problem, understood = _html("data_problem"), _html("data_understood")
    pickers = data_mapping.build()
    with gr.Row(elem_id="data_controls"):
        row = gr.Slider(1, 2, 1, step=1, label=t("data_row"), elem_id="data_row", scale=3)
        learn = gr.Dropdown(
            form.learn_choices(), value="answers", label=t("data_learn"), elem_id="data_learn"
        )
    with gr.Tabs(elem_id="data_views"):
        with gr.Tab(t("data_view_learns"), elem_id="view_learns"):
            mask = _html("data_mask")
        with gr.Tab(t("data_view_table"), elem_id="view_table"):
            data_table.build(chosen)
        with gr.Tab(t("data_view_conversation"), elem_id="view_conversation"):
            conversation = _html("data_conversation")
        with gr.Tab(t("data_view_prompt"), elem_id="view_prompt"):
            prompt = _html("data_prompt")
        with gr.Tab(t("data_view_lengths"), elem_id="view_lengths"):
            lengths = _html("data_lengths")
    doctor = data_doctor.build(chosen, fields)
    dropped, report = data_foot.build(chosen, fields)
    views = data_reading.Views(
        row=row,
        facts=facts,
        problem=problem,
        understood=understood,
        dropped=dropped,
        report=report,
        statement=statement,
        mask=mask,
        conversation=conversation,
        prompt=prompt,
        lengths=lengths,
        pickers=pickers,
        doctor=doctor,
    )
    return learn, views


def _wire_reading(chosen: Chosen, choice, fields, learn, views, revised) -> None:
    """A new dataset is announced at once, then read; a change of what is read only reads."""
    own = [fields[name] for name in ("system_prompt", "sample_prompts", "mapping", "speaker")]
    begun = [choice.picker, views.row, choice.remove, views.understood, fields["eval_dataset"]]
    read = data_reading.reader(views, chosen, fields)
    chosen.dataset.change(
        _begin,
        [chosen.dataset, chosen.filled, *own[:2]],
        [*begun, *own, chosen.filled],
        **QUICK,
    ).then(**read)
    typed = [fields[name].input for name in data_reading.READ_BY]
    written = [fields[name].change for name in ("mapping", "speaker")]  # by the pickers
    gr.on([revised.change, *typed, *written], **read)
    views.row.input(**data_reading.row_reader(views, chosen, fields))
    learn.input(lambda v: v, learn, fields["loss_on"], **QUICK, **LATEST).then(**read)
    fields["loss_on"].change(lambda v: v, fields["loss_on"], learn, **QUICK)


def _begin(dataset: str, filled: dict, system_prompt: str, questions: str, request: gr.Request):
    """The picker follows, the row starts anew, and what was filled in with this dataset is put on,
    else the character of the data."""
    lang = language(request)
    known = {one.id: one for one in library.list_datasets()}
    found = known.get(dataset)
    mapping = speaker = ""
    if filled and filled["dataset"] == dataset:
        prompt, asked = filled["system_prompt"], filled["sample_prompts"]
        mapping, speaker = filled["mapping"], filled["speaker"]
    else:
        prompt, asked = _put_on(found.character if found else "", system_prompt, questions)
    listed = data_choice.choices(lang)
    picker = gr.Radio(choices=listed, value=dataset if found else None)
    waiting = cards.waiting(say("data_reading", lang)) if dataset else cards.nothing()
    uploaded = data_choice.remover(found, lang)
    second = gr.Dropdown(choices=form.no_second(lang) + listed)
    begun = picker, 1, uploaded, cards.card("", waiting), second
    return *begun, prompt, asked, mapping, speaker, {}


def _put_on(character: str, system_prompt: str, questions: str):
    """The card's prompt and questions, unless the person wrote their own."""
    listed = list_samples()
    prompts = {"", *(one.system_prompt for one in listed)}
    asked = {"", *("\n".join(one.suggestions) for one in listed)}
    card = next((one for one in listed if one.id == character), None)
    new_prompt, new_asked = (card.system_prompt, "\n".join(card.suggestions)) if card else ("", "")
    return (
        new_prompt if system_prompt in prompts else gr.skip(),
        new_asked if questions in asked else gr.skip(),
    )
